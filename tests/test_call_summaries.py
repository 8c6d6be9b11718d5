"""Calls that are over, told of in short: which of them, by the configuration, and what is said."""

import msgspec
import pytest

from appliance.admin.allow_list import AllowList
from appliance.config import Collector
from appliance.live.recorder import Recorder, stored
from appliance.report import CallSummary, decode_report
from appliance.reporting.call_summaries import SETS, SUSPECTED_S, WAYS, CallSummaries, Suspected
from appliance.reporting.grades import CALL_SUMMARY
from appliance.storage.spool import Spool
from appliance.storage.store import Store
from appliance.storage.store_lists import ListEntry
from tests.collectors import call_line

NOBODY = AllowList()
NOW_NS = 1_767_605_400_000_000_000


@pytest.fixture
def spool(tmp_path):
    one = Spool(tmp_path / "spool", 1 << 26)
    yield one
    one.close()


def honest(number: int, **changes: object) -> bytes:
    """A call that passed; each number has a caller of its own."""
    line = msgspec.json.decode(call_line(number, "pass", fraud_types=[], reasons=[], score=0.01, **changes))
    return msgspec.json.encode({**line, "stage": None, "flagged_at": None})


def told(spool: Spool) -> list[CallSummary]:
    found = [decode_report(payload) for _, payload in spool.batch(1 << 24, 5000).records]
    assert all(isinstance(one, CallSummary) for one in found)
    return found


def test_a_summary_says_what_the_line_says_with_numbers_as_they_are_known(spool: Spool) -> None:
    summaries = CallSummaries(Collector(), spool, lambda: True)
    summaries.take(call_line(7), NOBODY, NOW_NS)
    summaries.take(call_line(8, callee_e164=None, call_id="x" * 5000, duration_s=None), NOBODY, NOW_NS)
    first, second = told(spool)
    assert first == CallSummary(
        call_id="call-7@192.0.2.1", caller="+4930123400007", callee="+4930999000", source="192.0.2.8:5060",
        start="2026-01-01T00:00:00.000000Z", state="completed", status_code=200, duration_s=12.5, verdict="flag",
        score=0.97,
    )  # fmt: skip
    assert (second.callee, len(second.call_id), second.duration_s) == ("030999000", 1024, None)


def test_by_default_suspected_calls_and_all_calls_of_their_callers_are_told_and_few_others(spool: Spool) -> None:
    now_s = 0.0
    summaries = CallSummaries(Collector(call_sample=10), spool, lambda: True, monotonic=lambda: now_s)
    summaries.suspect(stored(call_line(1), NOBODY))
    for number in range(35):
        summaries.take(honest(number, call_id=f"honest-{number}"), NOBODY, NOW_NS)
    summaries.take(call_line(50, "watch"), NOBODY, NOW_NS)
    ids = [one.call_id for one in told(spool)]
    assert ids == ["honest-1", "honest-10", "honest-20", "honest-30", "call-50@192.0.2.1"]
    now_s = SUSPECTED_S + 1.0
    summaries.take(honest(1, call_id="later"), NOBODY, NOW_NS)
    assert [one.call_id for one in told(spool)] == ids, "he has had a day without a suspected call"


def test_a_flood_of_suspected_callers_washes_out_those_longest_without_news() -> None:
    suspected = Suspected()
    for number in range(3 * SETS * WAYS):
        suspected.note(str(number), float(number))
        suspected.note("regular", float(number))
    last = 3 * SETS * WAYS - 1
    assert suspected.news_s("regular") == suspected.news_s(str(last)) == last
    assert suspected.news_s("0") == suspected.news_s("nobody") == float("-inf")


@pytest.mark.parametrize(("which", "count"), [("off", 0), ("suspected", 1), ("all", 21)])
def test_the_configuration_says_which_calls_are_told(spool: Spool, which: str, count: int) -> None:
    summaries = CallSummaries(Collector(call_summaries=which, call_sample=0), spool, lambda: True)
    for number in range(20):
        summaries.take(honest(number), NOBODY, NOW_NS)
    summaries.take(call_line(50), NOBODY, NOW_NS)
    assert len(told(spool)) == count


def test_nothing_is_kept_for_a_collector_that_there_is_not(spool: Spool) -> None:
    summaries = CallSummaries(Collector(call_summaries="all"), spool, lambda: False)
    summaries.take(call_line(1), NOBODY, NOW_NS)
    assert told(spool) == []


def test_a_suspected_call_that_the_desk_allows_is_not_told(spool: Spool) -> None:
    entry = ListEntry(list="allow", value="192.0.2.0/24", added_by="desk", added_ns=0, why="ours", expires_ns="never")
    allowed = AllowList([entry])
    summaries = CallSummaries(Collector(), spool, lambda: True)
    summaries.take(call_line(1), allowed, NOW_NS)
    summaries.take(call_line(1, source="198.51.100.7:5060"), allowed, NOW_NS)
    assert [one.source for one in told(spool)] == ["198.51.100.7:5060"]


def test_the_recorder_tells_of_a_call_once_when_it_is_over(spool: Spool, tmp_path) -> None:
    store = Store(tmp_path / "findings.sqlite", 1 << 30, 1 << 62)
    summaries = CallSummaries(Collector(call_summaries="all"), spool, lambda: True)
    recorder = Recorder(store, spool, summaries=summaries)
    recorder.start()
    recorder.outlet.alert(call_line(1, "watch") + b"\n")
    recorder.outlet.calls(call_line(1) + b"\n" + honest(2) + b"\n")
    recorder.stop()
    recorder.join()
    store.close()
    found = [decode_report(payload) for _, payload in spool.batch(1 << 24, 100).records]
    assert [type(one).__name__ for one in found] == ["CallLine", "CallLine", "CallSummary", "CallSummary"]
    assert [one.call_id for one in found[2:]] == ["call-1@192.0.2.1", "call-2@192.0.2.1"]


def test_summaries_are_worth_the_least_in_the_spool() -> None:
    assert CALL_SUMMARY == 0
