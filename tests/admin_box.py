"""A box without live sources: the real admin socket, commands, store and engine, over calls of a made-up tap."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import typer
from typer.testing import CliRunner

from appliance import report
from appliance.admin.all_commands import registry
from appliance.admin.allow_list import AllowList
from appliance.admin.server import AdminServer
from appliance.client import commands as admin_commands
from appliance.config import Admin, Config, Limits, Service
from appliance.errors import ConfigError
from appliance.live import status
from appliance.pipeline import Pipeline
from appliance.report import StoredFinding
from appliance.storage.store import Store
from kernels.open_calls import find, slots_of
from tests.tap import Tap, request, response
from tests.waiting import PATIENCE_S

DAY_NS = 86400 * 10**9
FOUND_NS = 1_700_000_000 * 10**9
CALLER = "+4915112345678"
REASON = {"feature": "fan_out", "value": 310.0, "typical": 4.0, "effect": 0.61, "text": "310 numbers called in an hour"}
QUALITY = {"capture_loss": 0.0, "one_way": False, "truncated": False}


class Box:
    """What appliance/admin/box.py asks for."""

    version = "1.2.3"

    def __init__(self, folder: Path, **admin: object) -> None:
        self.config = Config(
            limits=Limits(calls=512, callers=64, callees=64, sources=64, streams=64, tcp_connections=64),
            admin=Admin(socket=str(folder / "admin.sock"), **admin),
            service=Service(state_dir=str(folder)),
        )
        self.store = Store(folder / "findings.sqlite", 1 << 26, 365 * DAY_NS)
        self.pipeline = Pipeline(self.config)
        self.turn = threading.Lock()  # of the pipeline: one thread at a time, as between the tracker's blocks
        self.allowed = AllowList()
        self.fails_to_reload = False
        self.hold = threading.Event()  # while it is clear, the tracker answers nobody
        self.hold.set()

    @property
    def open_calls(self) -> int:
        engine = self.pipeline.engine
        return len(find(engine, 0, slots_of(engine))[0])

    def status(self) -> status.Status:
        with self.turn:
            totals, open_calls = self.pipeline.summary(), self.open_calls
        taken = {name: totals.get(name, 0) for name in status.TrafficStatus.__struct_fields__}
        health = self.store.health()
        source = status.SourceStatus(
            name="eth1", state="up", problem=None, packets=totals["packets"], dropped=3, bytes=totals["bytes"],
            duplicates=0, errors=0,
        )  # fmt: skip
        return status.Status(
            version=self.version, started="2026-11-24T08:00:00.000000Z", uptime_s=93_784.0, mode="observe", problems=[],
            capture=status.CaptureStatus(
                packets=totals["packets"], dropped=3, bytes=totals["bytes"], duplicates=0, sources=[source]
            ),
            traffic=status.TrafficStatus(**(taken | {"time": None})),
            calls=totals["calls"], open_calls=open_calls, flagged=7, watched=2, findings=1,
            evicted=0, rates=status.RateStatus(packets=1234.5, calls=6.7, verdicts=8.9),
            latency=status.LatencyStatus(verdicts=12, p50_ms=1.0, p99_ms=5.0, p999_ms=7.5),
            queue=status.QueueStatus(depth=0, dropped=0, unreadable=0),
            store=status.StoreStatus(
                state=health.state, problem=health.problem, bytes=health.bytes, findings=health.findings, waiting=0,
                lost=0, retired=0,
            ),
            spool=status.SpoolStatus(state="ok", problem=None, bytes=0, depth=4, dropped=0, lost=0, oldest=None),
            reporting=status.ReportingStatus(
                state="off", acknowledged=0, given_up=0, last=None, clock_offset_ms=None
            ),
            bundles={"call": "call@1", "source": "source@1"},
            drift=[
                status.DriftStatus(
                    rows="call", state="stable", counted=5000, ratio={"score": 0.01, "caller": 0.04},
                    feature="caller_calls_hour", feature_ratio=0.06,
                )
            ],
            snapshot=status.SnapshotStatus(taken=None, bytes=0, restored=False, problem=None),
        )  # fmt: skip

    async def ask(self, question):
        await asyncio.to_thread(self.hold.wait)
        with self.turn:
            return question(self.pipeline)

    async def lists_changed(self) -> None:
        self.allowed = AllowList(await asyncio.to_thread(self.store.entries, "allow"))

    def metrics_text(self) -> str:
        return "# TYPE sipwarden_packets_total counter\nsipwarden_packets_total 12\n"

    async def reload(self) -> list[str]:
        if self.fails_to_reload:
            raise ConfigError(Path("/etc/sipwarden/sipwarden.toml"), "unknown key", "limits.cals", 7)
        return ["log.level"]


def open_calls(box: Box, folder: Path, count: int, *, first: int = 0, answered: bool = True) -> None:
    """`count` calls that are going on."""
    tap = Tap()
    for i in range(first, first + count):
        caller, callee = f"+49301234{i:04}", f"+44207946{i:04}"
        tap.send(request("INVITE", call_id=f"call-{i}", caller=caller, callee=callee))
        if answered:
            tap.reply(response(200, call_id=f"call-{i}", to_tag="bob", caller=caller, callee=callee))
    with box.turn:
        box.pipeline.screen_file(tap.write(folder / "open.pcap"), lambda _: None)


def call_finding(
    call_id: str = "bad-call@192.0.2.7", verdict: str = "flag", caller: str = CALLER, **changes: list
) -> StoredFinding:
    """A call that was found; `changes` are of its line."""
    line = {
        "type": "call", "call_id": call_id, "caller": caller, "callee": "+33612345678", "caller_e164": caller,
        "callee_e164": "+33612345678", "source": "192.0.2.7:5060", "destination": "198.51.100.1:5060",
        "transport": "udp", "start": "2023-11-14T22:13:20.000000Z", "state": "answered", "status_code": 200,
        "post_dial_delay_s": 1.0, "ring_s": 2.0, "duration_s": None, "messages": 4, "user_agent": None, "streams": [],
        "verdict": verdict, "score": 0.97, "fraud_types": ["robocall"], "reasons": [REASON], "bundle": "call@1",
        "stage": "setup", "flagged_at": "2023-11-14T22:13:20.000000Z", "quality": QUALITY,
    } | changes  # fmt: skip
    return StoredFinding(
        time_ns=FOUND_NS, kind="call", verdict=verdict, score=0.97, fraud_types=line["fraud_types"],
        source="192.0.2.7:5060", caller=caller, callee="+33612345678", call_id=call_id, line=_checked(line),
    )  # fmt: skip


def source_finding(source: str = "192.0.2.7", caller: str | None = None, verdict: str = "watch") -> StoredFinding:
    line = {
        "type": "source", "source": source, "caller": caller, "callee": None, "first": "2023-11-14T22:13:20.000000Z",
        "last": "2023-11-14T22:14:20.000000Z", "flagged_at": "2023-11-14T22:13:30.000000Z", "requests": 310,
        "verdict": verdict, "score": 0.6, "fraud_types": ["registration_scan"], "reasons": [REASON],
    }  # fmt: skip
    return StoredFinding(
        time_ns=FOUND_NS + 10**9, kind="source", verdict=verdict, score=0.6, fraud_types=["registration_scan"],
        source=source, caller=caller, callee=None, call_id=None, line=_checked(line),
    )  # fmt: skip


def _checked(line: dict) -> bytes:
    report.decode(msgspec.json.encode(line))
    return json.dumps(line).encode()


@dataclass(frozen=True, slots=True)
class Said:
    """What a command said, and its exit status."""

    returncode: int
    stdout: str
    stderr: str


def command(*arguments: object) -> Said:
    """Runs a client command of `sipwarden` in this process, against whatever socket it names."""
    app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    admin_commands.add_to(app)
    done = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    return Said(done.exit_code, done.stdout, done.stderr)


@contextmanager
def serving(box: Box) -> Iterator[AdminServer]:
    """The box's admin socket, served by a loop of its own thread."""
    server = AdminServer(box, registry)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(PATIENCE_S)
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.close(), loop).result(PATIENCE_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
        box.store.close()
