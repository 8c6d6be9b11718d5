"""A collector in a process of its own, boxes that are enrolled with it, and what they might report."""

import contextlib
import io
import itertools
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import httpx

from appliance.findings import moment
from appliance.report import Acknowledgement, Health, Minute, encode_batch, payload
from appliance.reporting.enroll import enroll, split_token
from appliance.reporting.identity import Identity
from collector import cli
from collector.arrival import Arrival, Sender, prepare, read_batch
from collector.authority import Authority
from collector.config import Config, load
from collector.enrolment import make_token
from collector.pseudonyms import Numbers
from collector.store.fleet import Certificate
from collector.store.store import Store
from collector.writer import Writer
from tests.waiting import PATIENCE_S, until

ROOT = Path(__file__).resolve().parent.parent
# Below those for clients (ip_local_port_range), each once, and in another run of the tests others.
PORTS = itertools.count(10_000 + os.getpid() * 100 % 20_000)
HOUR_S = 3600


def free_port() -> int:
    """One that nobody has, and that the kernel gives to nobody who asks for any: a client must not come by it while its
    server is started, or started again."""
    return next(filter(_is_free, PORTS))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class Done(NamedTuple):
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


class CollectorProcess:
    """`sipwarden-collector serve` on ports of its own; `extra` is more of its configuration (TOML)."""

    def __init__(self, folder: Path, store_url: str = "", extra: str = "") -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.ingest_port, self.enrolment_port = free_port(), free_port()
        self.config_file = folder / "collector.toml"
        self.config_file.write_text(
            f'[service]\nstate_dir = "{folder / "state"}"\n[store]\nurl = "{store_url}"\n'
            f'[console]\nlisten = ""\n[metrics]\nlisten = ""\n{extra}'
        )
        # by the environment, so that `extra` may have these sections too
        self.environment = {
            "SIPWARDEN_COLLECTOR_INGEST_LISTEN": f"127.0.0.1:{self.ingest_port}",
            "SIPWARDEN_COLLECTOR_ENROLMENT_LISTEN": f"127.0.0.1:{self.enrolment_port}",
            "SIPWARDEN_COLLECTOR_TLS_NAMES": "127.0.0.1,localhost",
        }
        self.process: subprocess.Popen | None = None

    @property
    def config(self) -> Config:
        return load(self.config_file, self.environment)

    @property
    def ingest_url(self) -> str:
        return f"https://127.0.0.1:{self.ingest_port}"

    @property
    def enrolment_url(self) -> str:
        return f"https://127.0.0.1:{self.enrolment_port}"

    def command(self, *arguments: str, stdin: str = "") -> Done:
        """Runs an admin command to its end, in this process: starting another takes longer than most commands do."""
        out, err = io.StringIO(), io.StringIO()
        patched = (
            mock.patch.dict(os.environ, self.environment),
            mock.patch.object(sys, "argv", ["sipwarden-collector", "--config", str(self.config_file), *arguments]),
            mock.patch.object(sys, "stdin", io.StringIO(stdin)),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        )
        with contextlib.ExitStack() as stack:
            for each in patched:
                stack.enter_context(each)
            try:
                cli.main()
            except SystemExit as ended:
                return Done(int(ended.code or 0), out.getvalue(), err.getvalue())
        return Done(0, out.getvalue(), err.getvalue())

    def start(self) -> "CollectorProcess":
        """Starts it and waits until it takes connections."""
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "collector", "--config", str(self.config_file), "serve"],
                cwd=ROOT,
                env={**os.environ, **self.environment},
                stdout=log,
                stderr=log,
            )
        until(self._is_up, why=self.log)
        return self

    def _is_up(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log()
        try:
            for port in (self.ingest_port, self.enrolment_port):
                socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S).close()
        except OSError:
            return False
        return True

    def kill(self) -> None:
        """kill -9"""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM, and the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def store(self) -> Store:
        """Its store, opened from here."""
        return Store.open(self.config.store_url)

    def token(self, box: str | None = None, lifetime_s: int = HOUR_S) -> str:
        """An enrolment token."""
        config = self.config
        text, secret = make_token(Authority.open(config.authority_dir, config.tls.names))
        store = self.store()
        store.fleet.create_token(secret, "test", lifetime_s, box)
        store.close()
        return text

    def enrolled(self, box: str, token: str | None = None) -> "EnrolledBox":
        """A box with a certificate."""
        identity = Identity(self.folder / "boxes" / box)
        secret, _ = split_token(token or self.token())
        ca = Authority.open(self.config.authority_dir, self.config.tls.names).root_pem
        enroll(self.enrolment_url, secret, box, ca, None, identity)
        return EnrolledBox(box, identity, self.ingest_url)


class EnrolledBox:
    """A box as far as its collector sees one. Sends what it is told, whether it should or not."""

    def __init__(self, name: str, identity: Identity, url: str) -> None:
        self.name = name
        self.identity = identity
        self.url = url
        context = identity.context(identity.collector().ca)
        self.client = httpx.Client(verify=context, timeout=PATIENCE_S, trust_env=False)

    def send(self, reports: list[tuple[int, bytes]], incarnation: str = "aaaaaaaa", **changes: str) -> httpx.Response:
        """A batch of (sequence, payload); `changes` are of the envelope: `box`, `sent`."""
        sent = changes.get("sent", moment(time.time_ns()))
        return self.post(encode_batch(changes.get("box", self.name), incarnation, sent, reports))

    def post(self, body: bytes, **headers: str) -> httpx.Response:
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(f"{self.url}/v1/batches", content=body, headers=headers)


def enrol(store: Store, box: str) -> str:
    """A box of a store, without a network; the serial number of its certificate."""
    secret, serial = secrets.token_hex(16), secrets.token_hex(16)
    now = time.time_ns()
    store.fleet.create_token(secret, "test", HOUR_S, box)
    store.fleet.enrol(secret, box, Certificate(serial, 0, now, now + HOUR_S * 10**9, None, None))
    return serial


class Desk:
    """A store and its writer without a network: batches of boxes, straight to where they are stored."""

    def __init__(self, store: Store, numbers: Numbers | None = None) -> None:
        self.store = store
        self.numbers = numbers or Numbers("plain")
        self.writer = Writer(store, 64 << 20)
        self.writer.start()

    def enrol(self, box: str) -> str:
        """Enrols a box; the serial number of its certificate."""
        return enrol(self.store, box)

    def submit(
        self, box: str, serial: str, reports: list[tuple[int, bytes]], incarnation: str = "aaaaaaaa", sent: str = ""
    ) -> "Future[Acknowledgement]":
        """One batch on its way into the store."""
        return self.writer.submit(self.arrival(box, serial, reports, incarnation, sent))

    def arrival(
        self, box: str, serial: str, reports: list[tuple[int, bytes]], incarnation: str = "aaaaaaaa", sent: str = ""
    ) -> Arrival:
        """One batch as it is handed to the writer."""
        data = encode_batch(box, incarnation, sent or moment(time.time_ns()), reports)
        peer = Sender(serial, "192.0.2.9", time.time_ns(), len(data))
        return prepare(read_batch(data, box), self.numbers, peer, skewed_ms=30_000)

    def put(self, *arguments: Any, **options: Any) -> Acknowledgement:
        """The same, and what became of it."""
        return self.submit(*arguments, **options).result(PATIENCE_S)

    def close(self) -> None:
        self.writer.stop()
        self.store.close()


def call_line(number: int, verdict: str = "flag", **changes: object) -> bytes:
    """The line of a call that was flagged; calls of different numbers are different calls."""
    start = moment(time.time_ns())
    line = {
        "type": "call",
        "call_id": f"call-{number}@192.0.2.1",
        "caller": f"0301234{number:05}",
        "callee": "030999000",
        "caller_e164": f"+49301234{number:05}",
        "callee_e164": "+4930999000",
        "source": f"192.0.2.{number % 250 + 1}:5060",
        "destination": "198.51.100.1:5060",
        "transport": "udp",
        "start": "2026-01-01T00:00:00.000000Z",
        "state": "completed",
        "status_code": 200,
        "post_dial_delay_s": 0.5,
        "ring_s": 3.0,
        "duration_s": 12.5,
        "messages": 7,
        "user_agent": "test",
        "streams": [],
        "verdict": verdict,
        "score": 0.97,
        "fraud_types": ["wangiri"],
        "reasons": [
            {"feature": "ring_s", "value": 3.0, "typical": 12.0, "effect": 0.4, "text": "rings 3 s, typical 12 s"}
        ],
        "bundle": "call@1",
        "stage": "setup",
        "flagged_at": start,
        "quality": {"capture_loss": 0.0, "one_way": False, "truncated": False},
    }
    return json.dumps({**line, **changes}).encode()


def minute(start: str = "2026-01-01T00:00:00.000000Z", **counts: object) -> bytes:
    """A minute report."""
    return payload(Minute(start=start, **{"calls": 10, **counts}))  # type: ignore[arg-type]


def health(time_ns: int | None = None, **changes: object) -> bytes:
    """A health report."""
    at = moment(time.time_ns() if time_ns is None else time_ns)
    return payload(Health(time=at, version="0.1.0", started=at, capture_loss=0.0, spool_depth=0, **changes))  # type: ignore[arg-type]
