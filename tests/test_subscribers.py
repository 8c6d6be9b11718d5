"""Subscribers in the engine: the statistics of live calls, when they are scored, and the findings of them."""

from datetime import UTC, datetime

import numpy as np
import pytest

from capture.file import CaptureFile
from kernels import reference_subscriber
from kernels.engine import BLOCK, Engine
from kernels.restore import EngineRestore
from kernels.snapshot import EngineSnapshot
from tests.tap import START_S, Tap, request, response, screen

TABLES = dict.fromkeys(("calls", "callers", "callees", "sources", "streams", "tcp_connections"), 64)
DAY_S = 86400
LINE = "+493012345678"


def number(n: int) -> str:
    return f"+4420794{n:05d}"


class Lines:
    """Answered calls one after another, and what the twin needs to know of them."""

    def __init__(self) -> None:
        self.tap = Tap()
        self.made: list[tuple[str, str, float, int]] = []  # caller, callee, seconds, second of the answer

    def call(self, caller: str, callee: str, seconds: float, at_s: float) -> None:
        tap = self.tap
        tap.now_s = START_S + at_s
        fields = {"call_id": f"c{len(self.made)}", "branch": f"c{len(self.made)}", "caller": caller, "callee": callee}
        tap.send(request("INVITE", **fields), after=0.5)
        self.made.append((caller, callee, seconds, int(tap.now_s)))
        tap.reply(response(200, **fields, to_tag="b"), after=0.25)
        tap.send(request("ACK", **fields, to_tag="b"), after=seconds - 0.25)
        tap.send(request("BYE", **fields, cseq=2, to_tag="b"))
        tap.reply(response(200, **fields, method="BYE", cseq=2, to_tag="b"))

    def spread(self, calls: int, days: float, callees: int, outgoing: bool = True) -> "Lines":
        """Calls of LINE, evenly over some days; few at a time last equally long."""
        for n in range(calls):
            ends = (LINE, number(n % callees)) if outgoing or n % 3 else (number(n % callees), LINE)
            self.call(*ends, 10.0 + 8 * (n % 5), n * days * DAY_S / calls)
        return self

    def statistics(self) -> np.ndarray:
        """Of LINE, by the twin."""
        own = [(*ends, s, t) for *ends, s, t in self.made if LINE in ends]
        others = [callee if caller == LINE else caller for caller, callee, _, _ in own]
        columns = ([caller == LINE for caller, *_ in own], [s for *_, s, _ in own], [t for *_, t in own])
        return reference_subscriber.statistics(others, *(np.array(column) for column in columns))


def engine_of(**tables: int) -> Engine:
    sizes = {**TABLES, "tcp_bytes": 1 << 20, "block_packets": 1 << 20, "subscribers": 16, **tables}
    return Engine(**sizes, secret=7)


def due(engine: Engine, path) -> dict[str, tuple[int, np.ndarray]]:
    """number -> (calls, statistics), of all that come due in a capture: the latest of each."""
    found = {}
    with CaptureFile(path) as capture:
        more = True
        while more:
            more = engine.run(capture.reader) == BLOCK or capture.fill()
            if engine.subscribers is not None:
                for i, values in enumerate(engine.subscribers.due_statistics()):
                    who, _, _, calls = engine.subscribers.note_of(i)
                    found[who] = (calls, values)
            engine.next_block()
    return found


@pytest.mark.parametrize("outgoing", [True, False])
def test_the_statistics_of_live_calls_are_those_of_the_twin(tmp_path, outgoing):
    lines = Lines().spread(25, 10, callees=9, outgoing=outgoing)
    calls, values = due(engine_of(), lines.tap.write(tmp_path / "x.pcap"))[LINE[1:]]
    assert calls == 25
    want = lines.statistics()
    exact = [name not in ("call_dur_median",) for name in reference_subscriber.COLUMNS]
    np.testing.assert_allclose(values[exact], want[exact], rtol=2e-3)
    assert values[10] == pytest.approx(want[10], rel=0.06)


def test_a_line_is_not_judged_before_a_week_and_twenty_calls(tmp_path):
    for calls, days in ((19, 30), (40, 6)):
        assert due(engine_of(), Lines().spread(calls, days, callees=9).tap.write(tmp_path / "x.pcap")) == {}
    assert LINE[1:] in due(engine_of(), Lines().spread(20, 8, callees=9).tap.write(tmp_path / "x.pcap"))


def test_a_line_is_judged_again_when_it_has_a_quarter_more(tmp_path):
    lines = Lines().spread(31, 31, callees=9)
    path = lines.tap.write(tmp_path / "x.pcap")
    assert due(engine_of(block_packets=1), path)[LINE[1:]][0] == 25
    path = Lines().spread(32, 32, callees=9).tap.write(tmp_path / "y.pcap")
    assert due(engine_of(block_packets=1), path)[LINE[1:]][0] == 32


def test_calls_that_nobody_answers_and_numbers_that_are_none_are_left_out(tmp_path):
    tap = Tap()
    for n in range(30):
        fields = {"call_id": f"n{n}", "branch": f"n{n}", "callee": number(n)}
        tap.send(request("INVITE", **fields), after=1)
        tap.reply(response(486, **fields, to_tag="b"), after=0.1)
        tap.send(request("ACK", **fields, to_tag="b"), after=DAY_S)
    engine = engine_of()
    assert due(engine, tap.write(tmp_path / "x.pcap")) == {}
    assert engine.subscribers.counters == {"subscribers": 0, "evicted": 0}
    lines = Lines()
    for n in range(25):
        lines.call("alice", f"{100 + n}", 20, n * DAY_S)
    due(engine, lines.tap.write(tmp_path / "y.pcap"))
    assert engine.subscribers.counters["subscribers"] == 0


def test_the_table_is_bounded_and_keeps_whom_it_hears_of(tmp_path):
    lines = Lines().spread(60, 12, callees=60)
    engine = engine_of(subscribers=8)
    assert due(engine, lines.tap.write(tmp_path / "x.pcap"))[LINE[1:]][0] > 40
    assert engine.subscribers.counters == {"subscribers": 8, "evicted": 53}
    assert engine.evictions()["subscribers"] == 53


def test_a_restart_forgets_no_subscriber(tmp_path):
    lines = Lines().spread(24, 12, callees=5)
    engine = engine_of()
    half = Tap(packets=lines.tap.packets[:60])
    due(engine, half.write(tmp_path / "half.pcap"))
    taking, restored = EngineSnapshot(engine), engine_of()
    restore = EngineRestore(restored)
    for chunk in iter(taking.step, None):
        restore.feed(chunk)
    restore.finish()
    rest = Tap(packets=lines.tap.packets[60:]).write(tmp_path / "rest.pcap")
    calls, values = due(restored, rest)[LINE[1:]]
    want, wanted = due(engine_of(), lines.tap.write(tmp_path / "whole.pcap"))[LINE[1:]]
    assert calls == want
    np.testing.assert_array_equal(values, wanted)


def test_a_line_that_calls_strangers_round_the_clock_is_a_finding_without_an_address(tmp_path):
    lines = Lines()
    for n in range(200):
        lines.call(LINE, number(n), 20.0 + 13 * (n % 7), n * 3200)
    for n in range(300):
        lines.call(LINE, number(200 + n), 20.0 + 13 * (n % 7), 200 * 3200 + n * 250)
    capture = lines.tap.write(tmp_path / "x.pcap")
    (found,) = [line for line in screen(capture, subscribers=1024) if line.get("caller") == LINE and not line["source"]]
    assert found["type"] == "source"
    assert found["verdict"] == "watch"
    assert found["requests"] >= 20
    assert found["first"][:10] == datetime.fromtimestamp(START_S, UTC).date().isoformat()
    assert found["reasons"]
    assert [one for one in screen(capture) if one.get("type") == "source" and not one["source"]] == []
