"""The application that boxes talk to with their certificates: reports in, certificates renewed."""

import asyncio
import contextlib
import math
import time
from collections import OrderedDict
from collections.abc import Iterator

import msgspec
from litestar import Litestar, Request, post
from litestar.concurrency import sync_to_thread
from sqlalchemy.exc import SQLAlchemyError

from appliance.report import Acknowledgement
from collector.arrival import Arrival, Sender, clock_offset_ms, inflate, prepare, read_batch
from collector.authority import Authority
from collector.config import Config, url_of
from collector.errors import BusyError, RefusedError
from collector.limits import Buckets
from collector.problem import EXCEPTION_HANDLERS
from collector.pseudonyms import Numbers
from collector.refusals import Refusals
from collector.store.store import Store
from collector.writer import RETRY_AFTER_BUSY_S, RETRY_AFTER_DOWN_S, Writer

BODY_S = 30  # in which the body of a request must have arrived
MAX_KNOWN_SERIALS = 10_000
MAX_UNDER_WAY = 4  # batches of one box
MAX_UNPACKING = 4  # batches at a time: each may take max_batch_kib


class Csr(msgspec.Struct, frozen=True):
    """A certificate request (PKCS #10, PEM)."""

    csr: str


class Issued(msgspec.Struct, frozen=True):
    """A certificate with its chain, and the root to trust, as PEM; where to report with it."""

    certificate: str
    ca: str
    url: str
    box: str


class Senders:
    """The box of each certificate, as it was when it was first seen. Whether it is still good is for the writer to
    say, in the transaction that stores the reports."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._names: OrderedDict[str, str] = OrderedDict()

    async def name_of(self, serial: str) -> str:
        """The name of the box. Raises RefusedError."""
        if serial not in self._names:
            self._names[serial] = (await in_store(self._store.fleet.identify, serial)).name
            if len(self._names) > MAX_KNOWN_SERIALS:
                self._names.popitem(last=False)
        return self._names[serial]


def peer_serial(request: Request) -> str:
    """The serial number of the client's certificate (collector.peer). Raises RefusedError."""
    serial: str | None = request.scope["state"].get("peer_serial")
    if serial is None:
        raise RefusedError(403, "unknown_certificate", "there is no client certificate")
    return serial


async def in_store(function, *arguments):  # type: ignore[no-untyped-def]
    """Calls a method of the store in a thread; the store being away is nobody's fault."""
    try:
        return await sync_to_thread(function, *arguments)
    except SQLAlchemyError as error:
        raise BusyError(503, RETRY_AFTER_DOWN_S, "the store cannot be reached") from error


@post("/v1/batches", status_code=200)
async def batches(request: Request) -> Acknowledgement:
    """Stores one batch and acknowledges it, in this order."""
    state = request.app.state
    serial = peer_serial(request)
    box = await state.senders.name_of(serial)
    with state.under_way.one_of(box):
        body = await read_body(request, state.config.ingest.max_body_kib * 1024, box)
        address = request.client.host if request.client else ""
        sender = Sender(serial, address, time.time_ns(), len(body))
        encoding = request.headers.get("content-encoding", "")
        async with state.unpacking:
            arrival = await sync_to_thread(_arrival, state, body, encoding, box, sender)
        acknowledgement: Acknowledgement = await asyncio.wrap_future(state.writer.submit(arrival))
    return acknowledgement


class UnderWay:
    """How many batches of each box are being taken in: an honest one has one, and a second after a time-out."""

    def __init__(self) -> None:
        self._boxes: dict[str, int] = {}

    @contextlib.contextmanager
    def one_of(self, box: str) -> Iterator[None]:
        """Counts one while it is under way. Raises BusyError."""
        if self._boxes.get(box, 0) >= MAX_UNDER_WAY:
            raise BusyError(429, RETRY_AFTER_BUSY_S, f"{MAX_UNDER_WAY} batches of this box are under way")
        self._boxes[box] = self._boxes.get(box, 0) + 1
        try:
            yield
        finally:
            self._boxes[box] -= 1
            if not self._boxes[box]:
                del self._boxes[box]


def _arrival(state, body: bytes, encoding: str, box: str, sender: Sender) -> Arrival:  # type: ignore[no-untyped-def]
    """What the body says, within the limits of a box. Raises RefusedError, BusyError."""
    ingest = state.config.ingest
    try:
        data = inflate(body, encoding.strip().lower(), ingest.max_batch_kib * 1024)
    except RefusedError as error:
        error.box = box
        raise
    batch = read_batch(data, box)
    offset_ms = clock_offset_ms(batch, sender.arrived_ns)
    if abs(offset_ms) > ingest.clock_refuse_s * 1000:
        raise RefusedError(422, "clock", f"the clock of the box is off by {offset_ms / 1000:+.0f} s", box=box)
    wait = state.buckets.take(box, len(batch.items))
    if wait:
        state.refusals.note(
            RefusedError(429, "limited", "more reports than the rate limit has room for", box), sender.address
        )
        raise BusyError(429, math.ceil(wait), f"more reports at once than the limit of {ingest.reports_per_s}/s allows")
    return prepare(batch, state.numbers, sender._replace(bytes=len(data)), ingest.clock_flag_s * 1000)


@post("/v1/renew", status_code=200)
async def renew(request: Request, data: Csr) -> Issued:
    """A new certificate for a box that still has a good one."""
    state = request.app.state
    serial = peer_serial(request)
    box = await state.senders.name_of(serial)
    if wait := state.attempts.take(box):
        raise BusyError(429, math.ceil(wait), "too many certificate requests")
    certificate, row = await sync_to_thread(state.authority.box_certificate, data.csr, box, state.config.tls.box_days)
    await in_store(state.store.fleet.renew, serial, row)
    return Issued(certificate, state.authority.root_pem, report_url(state.config), box)


async def read_body(request: Request, limit: int, box: str | None) -> bytes:
    """The body as it comes, at most `limit` bytes and within BODY_S. Raises RefusedError."""
    declared = request.headers.get("content-length", "0")
    too_large = RefusedError(413, "too_large", f"the body is larger than {limit} bytes", box=box)
    if declared.isdigit() and int(declared) > limit:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    raise too_large
    except TimeoutError as error:
        raise RefusedError(408, "too_slow", f"the body did not arrive within {BODY_S} s", box=box) from error
    return bytes(body)


def report_url(config: Config) -> str:
    """Where boxes report: as configured, else the first name of the collector and the port of ingest."""
    return config.ingest.url or url_of(config.tls.names[0], config.ingest.listen)


def ingest_app(
    config: Config, store: Store, writer: Writer, numbers: Numbers, authority: Authority, refusals: Refusals
) -> Litestar:
    """The application behind the listener that asks for certificates."""
    app = Litestar(
        [batches, renew],
        exception_handlers=EXCEPTION_HANDLERS,
        openapi_config=None,
        logging_config=None,
        request_max_body_size=config.ingest.max_body_kib * 1024,
    )
    app.state.update(
        config=config,
        store=store,
        writer=writer,
        numbers=numbers,
        authority=authority,
        refusals=refusals,
        senders=Senders(store),
        under_way=UnderWay(),
        unpacking=asyncio.Semaphore(MAX_UNPACKING),
        buckets=Buckets(config.ingest.reports_per_s, config.ingest.burst_reports),
        attempts=Buckets(config.enrolment.attempts_per_minute / 60, config.enrolment.attempts_per_minute),
    )
    return app
