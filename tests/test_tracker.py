"""The tracker: what `screen` finds is found live, time moves by itself, and clocks may be set."""

import json
import struct
import threading
import time
from pathlib import Path

import pytest

from appliance import report
from appliance.config import Config, Limits
from appliance.errors import BusyError
from appliance.live.clock import Clock
from appliance.live.tracker import MAX_QUESTIONS, Tracker
from appliance.pipeline import Pipeline
from tests.feed import Feed, Lines, Recording, tracking
from tests.tap import CALLEE, CALLER, request, response, udp_frame
from tests.waiting import until

SAMPLE = Path(__file__).parent.parent / "simulator" / "samples" / "sample.pcap.gz"
SECOND_NS = 10**9
HOUR_NS = 3600 * SECOND_NS


@pytest.fixture(scope="module")
def screened():
    """The lines of the sample as `screen` writes them."""
    lines = []
    pipeline = Pipeline(Config())
    pipeline.screen_file(SAMPLE, lines.append)
    pipeline.finish(lines.append)
    return b"".join(lines).splitlines()


def tracked(path, **limits):
    """The lines of a capture that the tracker took, and its alerts."""
    source = Recording(path)
    lines = Lines()
    tracker = Tracker(Pipeline(Config(limits=Limits(**limits))), [source], lines.outlet, 0.002)
    tracker.start()
    until(lambda: source.ended)
    tracker.drain().result()
    tracker.ask(lambda pipeline: pipeline.finish(lines.calls.append)).result()
    tracker.stop()
    tracker.join()
    assert tracker.failure is None
    return b"".join(lines.calls).splitlines(), [report.decode(line) for line in lines.alerts]


@pytest.mark.parametrize("block_packets", [100, 65536])
def test_the_live_path_gives_the_same_lines_as_screen(screened, block_packets):
    assert tracked(SAMPLE, block_packets=block_packets)[0] == screened


def test_an_alert_comes_with_reasons_at_the_moment_that_the_report_names_later(screened):
    _, alerts = tracked(SAMPLE)
    first = {}
    for alert in alerts:
        first.setdefault(
            (alert.__struct_config__.tag, alert.source, alert.caller, getattr(alert, "call_id", None)), alert
        )
    found = [line for line in map(report.decode, screened) if line.verdict != "pass"]
    assert len(found) > 50
    for line in found:
        alert = first.pop((line.__struct_config__.tag, line.source, line.caller, getattr(line, "call_id", None)))
        assert alert.flagged_at == line.flagged_at
        assert alert.reasons
    assert not first


# --- time


def invite(call_id, **fields):
    return udp_frame(CALLER, CALLEE, request("INVITE", call_id=call_id, **fields))


def ok(call_id, **fields):
    return udp_frame(CALLEE, CALLER, response(200, call_id=call_id, to_tag="bob", **fields))


def no_such_number(call_id, **fields):
    return udp_frame(CALLEE, CALLER, response(404, call_id=call_id, to_tag="bob", **fields))


class Hands:
    """Two clocks that a test sets."""

    def __init__(self):
        self.wall_ns = 1_700_000_000 * SECOND_NS
        self.steady_ns = 5 * SECOND_NS
        self.clock = Clock(wall_ns=lambda: self.wall_ns, steady_ns=lambda: self.steady_ns)

    def pass_by(self, seconds):
        self.wall_ns += int(seconds * SECOND_NS)
        self.steady_ns += int(seconds * SECOND_NS)


@pytest.fixture
def hands():
    return Hands()


def open_calls(tracker):
    return tracker.ask(lambda pipeline: pipeline.engine.open_calls).result()


def taken(tracker, count):
    until(lambda: tracker.ask(lambda pipeline: pipeline.engine.packets).result() == count)


def turned(tracker):
    """Waits until the tracker has looked at the clocks again: a test moves them by more than packets are ever late."""
    turns = tracker.turns
    until(lambda: tracker.turns >= turns + 2)


def test_a_call_expires_although_no_packet_comes(hands):
    feed = Feed()
    with tracking(feed, clock=hands.clock) as (tracker, lines):
        feed.send(hands.wall_ns, invite("lonely"))
        taken(tracker, 1)
        hands.pass_by(199)
        assert open_calls(tracker) == 1
        hands.pass_by(2)
        until(lambda: lines.calls)
    assert json.loads(lines.calls[0])["state"] == "expired"


def test_without_any_source_that_is_up_time_moves_too(hands):
    with tracking(clock=hands.clock) as (tracker, _):
        hands.pass_by(10)
        until(lambda: tracker.ask(lambda pipeline: pipeline.engine.time_ns).result() == hands.wall_ns)


@pytest.mark.parametrize("step_ns", [HOUR_NS, -HOUR_NS, 20 * 365 * 24 * HOUR_NS, -20 * 365 * 24 * HOUR_NS])
def test_a_wall_clock_that_is_set_neither_ends_calls_nor_lets_none_end(hands, step_ns):
    feed = Feed()
    with tracking(feed, clock=hands.clock) as (tracker, lines):
        feed.send(hands.wall_ns, invite("before"))
        taken(tracker, 1)
        hands.pass_by(100)
        turned(tracker)
        hands.wall_ns += step_ns
        feed.send(hands.wall_ns, invite("after"))
        taken(tracker, 2)
        hands.pass_by(50)
        assert open_calls(tracker) == 2, "no call ended by the step"
        hands.pass_by(51)
        until(lambda: len(lines.calls) == 1)
        hands.pass_by(100)
        until(lambda: len(lines.calls) == 2)
    before, after = (json.loads(line) for line in b"".join(lines.calls).splitlines())
    assert (before["call_id"], after["call_id"]) == ("before", "after")
    assert (
        after["start"]
        == f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime((hands.wall_ns // SECOND_NS) - 201))}.000000Z"
    )


def test_a_call_that_a_step_of_the_clock_falls_into_has_its_true_length(hands):
    feed = Feed()
    with tracking(feed, clock=hands.clock) as (tracker, lines):
        feed.send(hands.wall_ns, invite("long"), ok("long"))
        taken(tracker, 2)
        hands.pass_by(30)
        turned(tracker)
        hands.wall_ns += HOUR_NS
        feed.send(hands.wall_ns, udp_frame(CALLER, CALLEE, request("BYE", call_id="long", to_tag="bob", cseq=2)))
        taken(tracker, 3)
        hands.pass_by(40)
        until(lambda: lines.calls)
    assert json.loads(lines.calls[0])["duration_s"] == pytest.approx(30, abs=1)


def test_an_agent_whose_clock_is_wrong_does_not_move_the_time_of_the_others(hands):
    feed = Feed()
    with tracking(feed, clock=hands.clock) as (tracker, _):
        feed.send(hands.wall_ns, invite("right"))
        feed.send(hands.wall_ns + HOUR_NS, invite("fast"))
        feed.send(hands.wall_ns - HOUR_NS, invite("slow"))
        feed.send(2**32 * SECOND_NS - 1, invite("at the end of time"))
        feed.send(0, invite("at its beginning"))
        taken(tracker, 5)
        hands.pass_by(199)
        assert open_calls(tracker) == 5
        assert tracker.ask(lambda pipeline: pipeline.engine.corrected).result() == 4
        hands.pass_by(2)
        until(lambda: open_calls(tracker) == 0)


def test_findings_are_reported_in_the_time_of_the_wall_clock_after_it_was_set(hands):
    feed = Feed()
    with tracking(feed, clock=hands.clock) as (tracker, lines):
        feed.send(hands.wall_ns, invite("first"))
        taken(tracker, 1)
        hands.wall_ns += HOUR_NS
        for i in range(200):
            hands.pass_by(0.5)
            named = {"call_id": f"scan-{i}", "caller": "100", "callee": f"+4420794{i:05d}"}
            feed.send(hands.wall_ns, invite(**named), no_such_number(**named))
            taken(tracker, 2 * i + 3)
        until(lambda: lines.alerts)
        hour = time.strftime("%Y-%m-%dT%H", time.gmtime(hands.wall_ns // SECOND_NS))
    assert {json.loads(line)["flagged_at"][:13] for line in lines.alerts} == {hour}


def test_a_restored_engine_that_is_ahead_of_the_wall_clock_goes_on_with_its_own_time(hands):
    hands.clock = Clock(-HOUR_NS, wall_ns=lambda: hands.wall_ns, steady_ns=lambda: hands.steady_ns)
    feed = Feed()
    with tracking(feed, clock=hands.clock) as (tracker, lines):
        feed.send(hands.wall_ns, invite("now"))
        taken(tracker, 1)
        hands.pass_by(201)
        until(lambda: lines.calls)
    start_s = hands.wall_ns // SECOND_NS - 201
    assert json.loads(lines.calls[0])["start"].startswith(time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(start_s)))


def test_a_recording_beside_a_live_source_keeps_its_own_times(hands):
    old = Feed("recording", live=False)
    with tracking(old, Feed(), clock=hands.clock) as (tracker, lines):
        old.send(1_600_000_000 * SECOND_NS, invite("old"))
        taken(tracker, 1)
        hands.pass_by(201)
        until(lambda: lines.calls)
    assert json.loads(lines.calls[0])["start"].startswith("2020-09-13T12:26:40")


# --- verdicts in time


def test_rows_do_not_wait_longer_for_company_than_they_may(hands):
    feed = Feed()
    with tracking(feed, clock=Clock(), delay_s=0.002) as (tracker, _):
        for i in range(50):
            feed.send(time.time_ns(), invite(f"call-{i}"))
            until(lambda i=i: tracker.tally.latency_s.count > i)  # nobody asks: that would end the block
        assert tracker.tally.latency_s.quantile(0.1) <= 0.05, "the quickest: the others a busy machine may have held up"


# --- questions


def test_a_question_is_answered_on_the_thread_of_the_tracker_between_two_blocks():
    with tracking() as (tracker, _):
        name, rows = tracker.ask(lambda pipeline: (threading.current_thread().name, pipeline.engine.rows)).result(10)
        assert (name, rows) == ("tracker", 0)


def test_who_asks_gets_the_error_of_the_question_and_the_tracker_goes_on():
    with tracking() as (tracker, _):
        with pytest.raises(ZeroDivisionError):
            tracker.ask(lambda _: 1 // 0).result(10)
        assert tracker.ask(lambda _: 1).result(10) == 1


def test_only_so_many_questions_wait():
    release = threading.Event()
    with tracking() as (tracker, _):
        tracker.ask(lambda _: release.wait(10))
        answers = [tracker.ask(lambda _: 1) for _ in range(2 * MAX_QUESTIONS)]
        release.set()
        refused = [answer for answer in answers if isinstance(answer.exception(10), BusyError)]
        assert MAX_QUESTIONS - 1 <= len(refused) <= MAX_QUESTIONS + 1


def test_a_tracker_that_has_ended_says_so_to_who_asks():
    with tracking() as (tracker, _):
        pass
    with pytest.raises(BusyError, match="ended"):
        tracker.ask(lambda _: 1).result(10)


def test_a_tracker_that_fails_keeps_what_failed_it_and_lets_nobody_wait(capsys):
    class Broken(Feed):
        def _receive(self):
            raise ZeroDivisionError

    tracker = Tracker(Pipeline(Config()), [Broken()], Lines().outlet, 0.002)
    tracker.start()
    tracker.join(10)
    assert isinstance(tracker.failure, ZeroDivisionError)
    with pytest.raises(BusyError):
        tracker.ask(lambda _: 1).result(10)


def test_a_source_that_is_never_empty_does_not_starve_the_others():
    class Flood(Feed):
        def _receive(self):
            self.waiting.extend([struct.pack("<IIII", 1_700_000_000, 0, 60, 60) + bytes(60)] * 1000)
            super()._receive()

    quiet, flood = Feed("quiet", live=False), Flood(live=False)
    with tracking(flood, quiet, config=Config(limits=Limits(block_packets=500))) as (tracker, _):
        quiet.send(1_700_000_000 * SECOND_NS, invite("heard"))
        until(lambda: open_calls(tracker) == 1)
        tracker.watch([quiet]).result()


def test_what_the_sources_hold_when_they_are_stopped_is_still_taken():
    feed = Feed(live=False)
    lines = Lines()
    tracker = Tracker(Pipeline(Config()), [feed], lines.outlet, 0.002)
    for i in range(20_000):
        feed.send(1_700_000_000 * SECOND_NS + i * 10**6, invite(f"call-{i}"))
    tracker.start()
    tracker.drain().result(30)
    packets = tracker.ask(lambda pipeline: pipeline.engine.packets).result(30)
    tracker.stop()
    tracker.join()
    assert packets == 20_000
