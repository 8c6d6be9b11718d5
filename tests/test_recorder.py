"""The recorder: what is stored, what is reported, and that nobody waits for it."""

import threading
from pathlib import Path

import pytest

from appliance import log, report
from appliance.admin.allow_list import AllowList
from appliance.config import Config
from appliance.live.recorder import Recorder
from appliance.pipeline import Pipeline
from appliance.storage.spool import Spool
from appliance.storage.store import Store
from appliance.storage.store_lists import ListEntry
from tests.waiting import PATIENCE_S

SAMPLE = Path(__file__).parent.parent / "simulator" / "samples" / "sample.pcap.gz"


@pytest.fixture(scope="module")
def lines():
    """Blocks of lines, as `screen` writes them."""
    blocks = []
    pipeline = Pipeline(Config())
    pipeline.screen_file(SAMPLE, blocks.append)
    pipeline.finish(blocks.append)
    return blocks


@pytest.fixture(scope="module")
def found(lines):
    """The lines of what is watched or flagged."""
    return [line for line in b"".join(lines).splitlines() if report.decode(line).verdict != "pass"]


@pytest.fixture
def store(tmp_path):
    one = Store(tmp_path / "findings.sqlite", 1 << 30, 1 << 62)
    yield one
    one.close()


@pytest.fixture
def spool(tmp_path):
    one = Spool(tmp_path / "spool", 1 << 26)
    yield one
    one.close()


def recorded(recorder, *given):
    recorder.start()
    for take, block in given:
        take(block)
    recorder.stop()
    recorder.join()


def test_calls_that_passed_are_not_kept(store, spool, lines, found):
    recorder = Recorder(store, spool)
    recorded(recorder, *((recorder.outlet.calls, block) for block in lines))
    assert {one.line.rstrip() for one in store.find(limit=1000)} == set(found)


def test_what_is_alerted_is_spooled_by_its_gravity_and_news_of_a_party_is_stored_alone(store, spool, found):
    alerted, news = found[0], found[-1]
    shown = []
    recorder = Recorder(store, spool, shown.append)
    recorded(recorder, (recorder.outlet.alert, alerted), (recorder.outlet.findings, news))
    assert {one.line.rstrip() for one in store.find()} == {alerted, news}
    assert [payload.rstrip() for _, payload in spool.batch(1 << 20, 10).records] == [alerted]
    assert [one.line for one in shown] == [alerted]


def test_whom_the_allow_list_names_is_kept_as_allowed_and_not_reported(store, spool, found):
    line = next(line for line in found if report.decode(line).caller)
    caller = report.decode(line).caller
    recorder = Recorder(store, spool)
    entry = ListEntry(list="allow", value=caller, added_by="desk", added_ns=0, why="ours", expires_ns="never")
    recorder.allowed = AllowList([entry])
    recorded(recorder, (recorder.outlet.alert, line))
    assert [one.verdict for one in store.find()] == ["allowed"]
    assert spool.batch(1 << 20, 10).records == []


def test_who_puts_never_waits_for_a_disk_that_hangs_and_what_finds_no_room_is_counted(spool, store, found):
    class Hanging:
        def put(self, findings):
            hangs.set()
            release.wait(PATIENCE_S)

    hangs, release = threading.Event(), threading.Event()
    recorder = Recorder(Hanging(), spool, queue_bytes=10 * len(found[0]))
    recorder.start()
    recorder.outlet.alert(found[0])
    assert hangs.wait(PATIENCE_S)
    for _ in range(100):
        recorder.outlet.alert(found[0])
    assert (recorder.depth, recorder.dropped) == (10, 90), "it still hangs"
    release.set()
    recorder.stop()
    recorder.join()
    assert recorder.depth == 0


@pytest.mark.parametrize(
    "broken", [b'{"type":"call"}', b"", b"no report", b'{"type":"source","flagged_at":7}', b"\xff"]
)
def test_a_line_that_cannot_be_read_is_lost_alone_and_counted(store, spool, found, broken):
    recorder = Recorder(store, spool)
    recorded(recorder, (recorder.outlet.alert, b"\n".join([found[0], broken, found[-1], b""])))
    assert {one.line.rstrip() for one in store.find()} == {found[0], found[-1]}
    assert len(spool.batch(1 << 20, 10).records) == 2
    assert recorder.unreadable == 1


def test_a_moment_that_is_none_loses_its_line_alone_and_no_party_is_told(store, spool, found, capsys):
    party = report.decode(found[0])
    broken = found[0].replace(party.flagged_at.encode(), b"yesterday")
    recorder = Recorder(store, spool)
    log.configure("info", "text")
    recorded(recorder, (recorder.outlet.alert, broken + b"\n" + found[-1] + b"\n"))
    assert ([one.line.rstrip() for one in store.find()], recorder.unreadable) == ([found[-1]], 1)
    said = capsys.readouterr().err
    assert "could not be read" in said
    assert party.source not in said


def test_what_a_minute_counted_is_in_the_store(store, spool):
    recorder = Recorder(store, spool)
    for _ in range(3):
        recorder.count(90 * 10**9, {"calls": 2})
    recorded(recorder)
    assert store.minutes(0, 1 << 60) == {60 * 10**9: {"calls": 6}}
