"""`sipwarden-collector serve`: the listeners, the writer, and what is done every now and then, in one process."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import ssl
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import sdnotify
import uvicorn
from litestar.types import ASGIApp
from sqlalchemy.exc import SQLAlchemyError

from collector.api.app import api_app, beside
from collector.authority import Authority, server_context
from collector.config import Config, split_listen
from collector.console.app import console_app
from collector.door import Door
from collector.enrolment import enrolment_app
from collector.errors import CollectorError, StoreError
from collector.ingest import ingest_app
from collector.maintenance import maintain
from collector.metrics import Metrics, metrics_app
from collector.peer import PeerProtocol
from collector.pseudonyms import PREFIX, Numbers
from collector.refusals import Refusals, Strangers
from collector.store.database import first_line, revision_of
from collector.store.store import Store
from collector.webhooks.dispatcher import Dispatcher
from collector.writer import Writer

MAINTENANCE_S = 3600
# A clock that was wrong at the boot has been set by then: what is dropped for its age is gone for good.
FIRST_MAINTENANCE_S = 600
REFUSALS_S = 0.5
KEEP_ALIVE_S = 75  # boxes report more often: a connection is set up once
MAX_REQUESTS = 2000  # at a time, of each listener
MAX_ENROLMENTS = 64
MAX_PAGES = 64
MAX_SCRAPES = 8
SHUTDOWN_S = 10
BACKLOG = 1024
# A request passes from the loop to a worker, to the writer and back: each would wait Python's 5 ms for the next one.
SWITCH_S = 0.0005

log = logging.getLogger("collector.server")


@dataclass(frozen=True, slots=True)
class Core:
    """What the listeners share."""

    config: Config
    store: Store
    numbers: Numbers
    authority: Authority
    refusals: Refusals
    writer: Writer

    @classmethod
    def open(cls, config: Config) -> "Core":
        """Opens the store (made when it is empty), the authority and the keys. Raises CollectorError."""
        config.state_dir.mkdir(parents=True, exist_ok=True, mode=0o750)
        store = Store.open(config.store_url, create=_is_empty(config.store_url))
        numbers = open_numbers(config)
        if not _is_of_store(numbers, store):
            log.warning(
                "numbers_key_changed key=%s: the numbers behind the pseudonyms in the store cannot be shown, and every "
                "number has another pseudonym from now on; a backup has the key that they were made with",
                numbers_key_file(config),
            )
        return cls(
            config,
            store,
            numbers,
            Authority.open(config.authority_dir, config.tls.names),
            Refusals(store),
            Writer(store, config.ingest.queue_mib << 20),
        )


def _is_empty(url: str) -> bool:
    """Whether there is no schema yet: only then `serve` makes one. To update one is for `migrate`."""
    store = Store(url)
    try:
        return revision_of(store.engine) is None
    except SQLAlchemyError as error:
        raise StoreError(f"cannot open the store: {first_line(error)}") from error
    finally:
        store.close()


def open_numbers(config: Config) -> Numbers:
    """The number policy of a configuration, with its key."""
    return Numbers.open(config.numbers.policy, numbers_key_file(config))


def _is_of_store(numbers: Numbers, store: Store) -> bool:
    """Whether the newest pseudonym in the store, when there is one, was made with this key."""
    if numbers.policy == "plain":
        return True
    parties = (party for found in store.findings.find().items for party in (found.caller, found.callee))
    token = next((party for party in parties if party and party.startswith(PREFIX)), None)
    return token is None or numbers.knows(token)


def numbers_key_file(config: Config) -> Path:
    """Where the key of the pseudonyms is."""
    return Path(config.numbers.key_file) if config.numbers.key_file else config.state_dir / "numbers.key"


class Listener(uvicorn.Server):
    """One listener; the process's signals are not its business. Where it speaks TLS, `strangers` are told of handshakes
    that failed. Of more than `limit` requests at a time the others are answered 503."""

    def __init__(
        self,
        name: str,
        app: ASGIApp,
        listen: str,
        tls: ssl.SSLContext | None,
        limit: int,
        strangers: Strangers | None = None,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=PeerProtocol,
                ws="none",
                loop="asyncio",
                lifespan="off",
                ssl_context_factory=None if tls is None else lambda _config, _default: tls,
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                limit_concurrency=limit,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=SHUTDOWN_S,
            )
        )
        self.name = name
        self._door = None if strangers is None or tls is None else (tls, strangers)
        host, port = split_listen(listen)
        try:
            self.socket = socket.create_server(
                (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=BACKLOG
            )
            # Connections inherit it. asyncio sets it only for sockets that say that they are TCP, and these do not:
            # head and body of an answer go out apart, and the body waits 40 ms for the delayed acknowledgement.
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            raise CollectorError(f"cannot listen on {listen} ({name}): {error.strerror}") from error

    @property
    def address(self) -> str:
        host, port = self.socket.getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn does it, but that the door is ours where there is one."""
        if self._door is None:
            return await super().startup(sockets)
        await super().startup([])
        self.servers.append(Door(self.socket, *self._door, self._protocol))  # type: ignore[arg-type]
        return None

    def _protocol(self) -> PeerProtocol:
        return PeerProtocol(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listeners(core: Core, dispatcher: Dispatcher) -> tuple[list[Listener], ssl.SSLContext, ssl.SSLContext]:
    """All listeners of the configuration, bound, and the TLS contexts whose certificate is renewed while they run."""
    config = core.config
    files = server_files(core)
    inside = server_context(*files, core.authority.root_pem)
    outside = server_context(*files, None)
    found = []
    if config.ingest.listen:
        app = ingest_app(config, core.store, core.writer, core.numbers, core.authority, core.refusals)
        found.append(Listener("ingest", app, config.ingest.listen, inside, MAX_REQUESTS, Strangers(core.refusals)))
    if config.enrolment.listen:
        strangers = Strangers(core.refusals)
        app = enrolment_app(config, core.store, core.authority, strangers)
        found.append(Listener("enrolment", app, config.enrolment.listen, outside, MAX_ENROLMENTS, strangers))
    if config.console.listen:
        console = console_app(config, core.store, core.numbers)
        strangers = Strangers(core.refusals)
        api = api_app(config, core.store, core.numbers, strangers)
        tls = outside if config.console.tls else None
        found.append(Listener("console", beside(console, api), config.console.listen, tls, MAX_PAGES, strangers))
    if config.metrics.listen:
        metrics = metrics_app(Metrics(core.store, core.writer, core.refusals, dispatcher.totals))
        found.append(Listener("metrics", metrics, config.metrics.listen, None, MAX_SCRAPES))
    return found, inside, outside


def server_files(core: Core) -> tuple[Path, Path]:
    """(certificate, key) of the collector: the operator's, or the authority's own."""
    tls = core.config.tls
    if tls.certificate:
        return Path(tls.certificate), Path(tls.key)
    return core.authority.server_certificate(core.config.state_dir / "tls", tls.names)


async def serve(core: Core) -> None:
    """Runs until SIGTERM or SIGINT; then what waits is written and acknowledged."""
    sys.setswitchinterval(SWITCH_S)
    dispatcher = Dispatcher(core.store, core.config.webhooks)
    running, *contexts = listeners(core, dispatcher)
    core.writer.start()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    tasks = [asyncio.create_task(listener.serve(sockets=[listener.socket])) for listener in running]
    chores = [
        asyncio.create_task(_write_refusals(core)),
        asyncio.create_task(_maintain(core, contexts)),
        asyncio.create_task(_ping_watchdog(core)),
        asyncio.create_task(dispatcher.run()),
    ]
    for listener in running:
        log.info("listening name=%s address=%s", listener.name, listener.address)
    sdnotify.SystemdNotifier().notify("READY=1")
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
    log.info("stopping")
    sdnotify.SystemdNotifier().notify("STOPPING=1")
    for listener in running:
        listener.should_exit = True
    await asyncio.gather(*tasks)
    for chore in (*chores, stopped):
        chore.cancel()
    await asyncio.gather(*chores, stopped, return_exceptions=True)
    await asyncio.to_thread(core.writer.stop)
    core.refusals.write()
    core.store.close()


async def _write_refusals(core: Core) -> None:
    while True:
        await asyncio.sleep(REFUSALS_S)
        await asyncio.to_thread(core.refusals.write)


async def _maintain(core: Core, contexts: list[ssl.SSLContext]) -> None:
    await asyncio.sleep(FIRST_MAINTENANCE_S)
    while True:
        try:
            gone = await asyncio.to_thread(maintain, core.store, core.config.retention)
            log.info("maintained %s", " ".join(f"{table}={rows}" for table, rows in gone.items() if rows))
        except SQLAlchemyError as error:
            log.error("maintenance_failed error=%r", first_line(error))
        await asyncio.sleep(MAINTENANCE_S)
        try:
            files = server_files(core)
            for context in contexts:
                context.load_cert_chain(*files)
        except (CollectorError, OSError) as error:
            log.error("certificate_not_renewed error=%r", str(error))


async def _ping_watchdog(core: Core) -> None:
    """Tells systemd that the loop turns and the writer is alive, twice in each of its intervals."""
    interval_us = int(os.environ.get("WATCHDOG_USEC", "0"))
    while interval_us and core.writer.is_alive():
        sdnotify.SystemdNotifier().notify("WATCHDOG=1")
        await asyncio.sleep(interval_us / 2e6)
