"""The reporter against a real collector: everything arrives, in order, once, whatever happens on the way."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from appliance.config import Collector as CollectorConfig
from appliance.reporting import identity as identity_module
from appliance.reporting import reporter as reporter_module
from appliance.reporting.identity import Identity
from appliance.reporting.reporter import Reporter
from appliance.storage.spool import Spool
from collector.store.findings import Filter
from collector.store.store import Store
from tests.collectors import CollectorProcess, call_line, minute
from tests.postgres import Cluster
from tests.waiting import PATIENCE_S

MIB = 1 << 20
LIMIT_S = 4 * PATIENCE_S  # of all that a reporter does in a test


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    running = CollectorProcess(tmp_path_factory.mktemp("collector")).start()
    yield running
    assert running.stop() == 0


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    opened = Spool(tmp_path / "spool", 64 * MIB)
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporter_module, "FIRST_PAUSE_S", 0.05)
    monkeypatch.setattr(reporter_module, "LONGEST_PAUSE_S", 0.5)


def reporting(spool: Spool, identity: Identity, until: Callable[[Reporter], bool], **settings: object) -> Reporter:
    """Runs a reporter until something is so."""
    reporter = Reporter(CollectorConfig(**{"interval_ms": 50, **settings}), spool, identity)  # type: ignore[arg-type]

    async def run() -> None:
        task = asyncio.create_task(reporter.run())
        async with asyncio.timeout(LIMIT_S):
            while not until(reporter):
                assert not task.done(), task.exception()
                await asyncio.sleep(0.02)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(run())
    return reporter


def empty(spool: Spool) -> Callable[[Reporter], bool]:
    return lambda _: spool.health().depth == 0


def calls_of(store: Store, box: str) -> list[str]:
    found, before = [], None
    while True:
        page = store.findings.find(Filter(box=box), before=before, limit=1000)
        found += [str(finding.call_id) for finding in page.items]
        if page.next is None:
            return found[::-1]
        before = page.next


def test_what_is_in_the_spool_arrives_in_order_and_leaves_it(collector: CollectorProcess, spool: Spool) -> None:
    box = collector.enrolled("edge-order")
    for number in range(500):
        spool.put(number % 3, call_line(number))
    reporter = reporting(spool, box.identity, empty(spool), max_batch_reports=70)
    assert calls_of(collector.store(), "edge-order") == [f"call-{number}@192.0.2.1" for number in range(500)]
    assert (reporter.status.state, reporter.status.acknowledged) == ("up", 500)
    assert abs(reporter.status.clock_offset_ms or 0) < 5000


def test_a_report_that_leaves_the_spool_is_in_the_status_before(
    collector: CollectorProcess, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = collector.enrolled("edge-told")
    for number in range(30):
        spool.put(2, call_line(number))
    reporters: list[Reporter] = []
    told: list[int] = []
    acknowledge = spool.acknowledge

    def leave(epoch: int, sequence: int) -> None:
        told.append(reporters[0].status.acknowledged)
        acknowledge(epoch, sequence)

    def until(reporter: Reporter) -> bool:
        reporters.append(reporter)
        return spool.health().depth == 0

    monkeypatch.setattr(spool, "acknowledge", leave)
    reporting(spool, box.identity, until, max_batch_reports=10)
    assert told == [10, 20, 30]


def test_a_box_that_is_not_enrolled_waits_and_starts_when_it_is(collector: CollectorProcess, spool: Spool) -> None:
    identity = Identity(collector.folder / "boxes" / "edge-later")
    spool.put(2, call_line(1))
    assert reporting(spool, identity, lambda reporter: reporter.status.state == "off").status.acknowledged == 0
    enrolled = False

    def then(_: Reporter) -> bool:
        nonlocal enrolled
        if not enrolled:
            collector.enrolled("edge-later")
            enrolled = True
        return spool.health().depth == 0

    reporting(spool, identity, then)
    assert calls_of(collector.store(), "edge-later") == ["call-1@192.0.2.1"]


def test_a_report_that_no_collector_can_read_is_given_up_alone(collector: CollectorProcess, spool: Spool) -> None:
    box = collector.enrolled("edge-damaged")
    for number in range(40):
        spool.put(2, b'{"type": broken' if number == 17 else call_line(number))
    reporter = reporting(spool, box.identity, empty(spool))
    assert reporter.status.given_up == 1
    assert len(calls_of(collector.store(), "edge-damaged")) == 39


def test_a_revoked_box_says_so_and_keeps_its_reports(collector: CollectorProcess, spool: Spool) -> None:
    box = collector.enrolled("edge-gone")
    collector.store().fleet.revoke("edge-gone", "test")
    spool.put(2, call_line(1))
    reporter = reporting(spool, box.identity, lambda reporter: reporter.status.state == "refused")
    assert "revoked" in (reporter.status.problem or "")
    assert spool.health().depth == 1


def test_a_box_that_is_told_to_wait_waits_and_loses_nothing(tmp_path: Path, spool: Spool) -> None:
    collector = CollectorProcess(
        tmp_path / "collector", extra="[ingest]\nreports_per_s = 100\nburst_reports = 100\n"
    ).start()
    box = collector.enrolled("edge-eager")
    for _ in range(300):
        spool.put(0, minute())
    states = set()

    def until(reporter: Reporter) -> bool:
        states.add(reporter.status.state)
        return spool.health().depth == 0

    start = time.monotonic()
    reporting(spool, box.identity, until, max_batch_reports=100)
    assert time.monotonic() - start >= 2
    assert "waiting" in states
    assert collector.store().trends.points(60, 0, 1 << 62)[0].calls == 3000
    assert collector.stop() == 0


def test_a_certificate_near_its_end_is_renewed_while_reports_go_on(
    collector: CollectorProcess, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = collector.enrolled("edge-old")
    before = (box.identity._folder / identity_module.KEY_FILE).read_bytes()
    monkeypatch.setattr(identity_module, "RENEW_AFTER", 0)
    spool.put(2, call_line(1))
    reporting(spool, box.identity, empty(spool))
    after = (box.identity._folder / identity_module.KEY_FILE).read_bytes()
    assert after.split(b"-----END")[0] != before.split(b"-----END")[0], "the key is a new one"
    assert (box.identity._folder / identity_module.KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert calls_of(collector.store(), "edge-old") == ["call-1@192.0.2.1"]


def test_reports_go_through_a_proxy_when_there_is_one(collector: CollectorProcess, spool: Spool) -> None:
    box = collector.enrolled("edge-behind")
    spool.put(2, call_line(1))
    asked: list[bytes] = []

    async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readline())
        while (await reader.readline()).strip():
            pass
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", collector.ingest_port)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer))

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(tunnel, "127.0.0.1", 0)
        proxy = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        reporter = Reporter(CollectorConfig(interval_ms=50, proxy=proxy), spool, box.identity)
        task = asyncio.create_task(reporter.run())
        async with asyncio.timeout(LIMIT_S):
            while spool.health().depth:
                await asyncio.sleep(0.02)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        server.close()

    asyncio.run(run())
    assert asked == [f"CONNECT 127.0.0.1:{collector.ingest_port} HTTP/1.1\r\n".encode()]
    assert calls_of(collector.store(), "edge-behind") == ["call-1@192.0.2.1"]


def test_pauses_grow_up_to_a_bound_and_are_drawn_anew(spool: Spool, tmp_path: Path) -> None:
    reporter = Reporter(CollectorConfig(), spool, Identity(tmp_path / "nobody"))
    pauses = [reporter._pause_s(None) for _ in range(200)]
    assert all(0 <= pause <= min(0.5, 0.05 * 2**number) for number, pause in enumerate(pauses))
    assert len(set(pauses)) > 190
    assert reporter._pause_s(7) >= 7
    assert reporter._pause_s(1e9) <= reporter_module.MAX_RETRY_AFTER_S + 0.5


def test_counts_are_exact_when_the_collector_and_its_database_are_killed_again_and_again(
    tmp_path: Path, spool: Spool, postgres_cluster: Cluster
) -> None:
    """The short form of `make soak-collector`."""
    collector = CollectorProcess(tmp_path / "collector", postgres_cluster.url()).start()
    box = collector.enrolled("edge-hard")
    total, kills = 3000, 0
    put = 0

    def until(reporter: Reporter) -> bool:
        nonlocal put, kills
        for _ in range(min(25, total - put)):
            spool.put(2, call_line(put))
            put += 1
        if kills < 3 and reporter.status.acknowledged > (kills + 1) * 600:
            kills += 1
            collector.kill()
            if kills == 2:
                postgres_cluster.stop("immediate")
                postgres_cluster.start()
            collector.start()
        return put == total and spool.health().depth == 0

    reporter = reporting(spool, box.identity, until, max_batch_reports=100)
    assert (kills, reporter.status.acknowledged) == (3, total)
    arrived = calls_of(collector.store(), "edge-hard")
    assert len(arrived) == total
    assert set(arrived) == {f"call-{number}@192.0.2.1" for number in range(total)}
    stored = collector.store().fleet.box("edge-hard")
    assert (stored.items, stored.lost) == (total, 0)
    assert collector.stop() == 0
