"""The calls in the table, as an operator asks for them: found in short looks, while the table is in use."""

import asyncio
import json
import time
from pathlib import Path

import numpy as np
import pytest

from appliance import live_calls as module
from appliance.config import Config, Limits
from appliance.live_calls import live_calls, packed
from appliance.pipeline import Pipeline
from kernels.open_calls import find, slots_of
from tests.tap import Tap, request, response

LOOK_S = 0.005  # a hundred times what it takes here: a busy machine must not fail the test


def running(folder: Path, tap: Tap, calls: int = 64) -> Pipeline:
    pipeline = Pipeline(Config(limits=Limits(calls=calls)))
    pipeline.screen_file(tap.write(folder / "tap.pcap"), lambda _: None)
    return pipeline


def invites(count: int, first: int = 0) -> Tap:
    tap = Tap()
    for i in range(first, first + count):
        tap.send(request("INVITE", call_id=f"call-{i}", caller=f"+49301234{i:03}", callee=f"0{i}"))
    return tap


def found(pipeline: Pipeline, **wanted: object) -> list[dict]:
    async def ask(look):
        return look(pipeline)

    return [json.loads(line) for line in asyncio.run(live_calls(ask, **{"limit": 1000, **wanted}))]


def test_calls_come_newest_first_and_no_more_than_wanted(tmp_path: Path) -> None:
    pipeline = running(tmp_path, invites(20))
    assert [call["call_id"] for call in found(pipeline, limit=3)] == ["call-19", "call-18", "call-17"]


@pytest.mark.parametrize("slots", [1, 7, 4096])
def test_the_size_of_a_look_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slots: int) -> None:
    monkeypatch.setattr(module, "SLOTS_PER_LOOK", slots)
    monkeypatch.setattr(module, "LINES_PER_LOOK", max(slots // 2, 1))
    assert len(found(running(tmp_path, invites(40)))) == 40


def test_calls_are_chosen_by_each_mark_and_by_all_together(tmp_path: Path) -> None:
    tap = invites(3).reply(response(180, call_id="call-1", to_tag="bob"))
    tap.send(request("INVITE", call_id="elsewhere"), source=("203.0.113.5", 5060))
    pipeline = running(tmp_path, tap)

    def names(**wanted: object) -> set[str]:
        return {call["call_id"] for call in found(pipeline, **wanted)}

    assert names(state="ringing") == {"call-1"}
    assert names(source="203.0.113.5") == {"elsewhere"}
    assert names(number="+49 30 1234-002") == names(number="02") == {"call-2"}
    assert names(call_id="call-0") == {"call-0"}
    assert names(call_id="call-0", state="ringing") == set()
    assert names(call_id="call-") == set()


def test_a_call_that_is_over_for_long_is_not_found(tmp_path: Path) -> None:
    tap = invites(1).reply(response(486, call_id="call-0", to_tag="bob"))
    tap.wait(3600).send(request("INVITE", call_id="later"))
    assert {call["call_id"] for call in found(running(tmp_path, tap))} == {"later"}


def test_calls_that_made_room_are_not_found_again(tmp_path: Path) -> None:
    pipeline = running(tmp_path, invites(200), calls=16)
    assert {call["call_id"] for call in found(pipeline)} == {f"call-{i}" for i in range(184, 200)}


def test_a_call_that_left_between_two_looks_is_passed_over(tmp_path: Path) -> None:
    pipeline = running(tmp_path, invites(2))
    serials, slots = find(pipeline.engine, 0, slots_of(pipeline.engine))
    assert pipeline.open_lines(serials + np.int64(7), slots) == b""


def test_a_look_past_the_end_of_the_table_finds_nothing(tmp_path: Path) -> None:
    engine = running(tmp_path, invites(1)).engine
    assert [len(part) for part in find(engine, slots_of(engine), 10)] == [0, 0]
    assert [len(part) for part in find(engine, 0xFFFFFFFF, 0xFFFFFFFF)] == [0, 0]


def test_a_source_is_an_address_of_16_bytes(tmp_path: Path) -> None:
    engine = running(tmp_path, invites(1)).engine
    with pytest.raises(ValueError, match="expected 16 bytes, got 4"):
        find(engine, 0, 1, source=b"1234")
    assert packed("192.0.2.1").hex() == "00000000000000000000ffffc0000201"


def test_a_look_takes_little_of_the_time_of_packets(tmp_path: Path) -> None:
    engine = running(tmp_path, invites(1000), calls=4096).engine

    def look() -> float:
        began = time.perf_counter()
        find(engine, 0, module.SLOTS_PER_LOOK)
        return time.perf_counter() - began

    assert min(look() for _ in range(20)) < LOOK_S
