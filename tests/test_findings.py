"""Findings about parties: which are told, in which order, and how many at a time."""

import msgspec
import pytest

from appliance import report
from appliance.findings import FINDING_BYTES, Findings
from models.verdict import FLAG, WATCH

SECRET = 7


def seen(findings, *numbers, verdict=WATCH):
    for time_ns, number in enumerate(numbers, 1):
        slot, _ = findings.add_number(number, 1, time_ns, 1, verdict, 0.5, 1)
    return slot


def numbers(lines):
    return [report.decode(line).caller for line in lines]


def told(findings, at_most):
    return numbers(findings.tell(at_most))


def test_news_are_told_once_a_few_at_a_time_and_the_oldest_first():
    findings = Findings(10, SECRET)
    seen(findings, "a", "b", "a", "c")
    assert findings.untold == 3
    assert told(findings, 2) == ["a", "b"]
    seen(findings, "b")
    assert told(findings, 10) == ["c", "b"]
    assert told(findings, 10) == []


def test_what_an_alert_has_said_meanwhile_is_not_told_again():
    findings = Findings(10, SECRET)
    alerted = seen(findings, "a")
    seen(findings, "b")
    findings.line(alerted)
    assert told(findings, 10) == ["b"]
    seen(findings, "a", verdict=FLAG)
    assert told(findings, 10) == ["a"]


def test_one_that_made_room_was_told_then_and_is_not_told_again():
    findings = Findings(2, SECRET)
    seen(findings, "a", "b", "c")
    assert numbers(findings.take_given_up()) == ["a"]
    assert findings.take_given_up() == []
    assert told(findings, 10) == ["b", "c"]


def test_a_finding_adds_up_what_was_seen_of_its_party():
    findings = Findings(10, SECRET)
    findings.add_number("+4930123456", 10_000, 20_000, 3, WATCH, 0.5, 1)
    assert findings.add_number("+4930123456", 15_000, 30_000, 9, FLAG, 0.25, 4) == (0, WATCH)
    (line,) = findings.lines()
    assert msgspec.json.decode(line) == {
        "type": "source", "source": None, "caller": "+4930123456", "callee": None,
        "first": "1970-01-01T00:00:00.000010Z", "last": "1970-01-01T00:00:00.000030Z",
        "flagged_at": "1970-01-01T00:00:00.000020Z", "requests": 9, "verdict": "flag", "score": 0.5,
        "fraud_types": ["goip_gateway", "robocall"], "reasons": [],
    }  # fmt: skip


def test_all_are_listed_in_the_order_in_which_they_were_first_suspected():
    findings = Findings(10, SECRET)
    seen(findings, "a", "b", "c", "b", "a")
    assert numbers(findings.lines()) == ["a", "b", "c"]


def test_news_that_a_snapshot_brings_back_are_told():
    before, after = Findings(10, SECRET), Findings(10, SECRET)
    seen(before, "a", "b")
    told(before, 1)
    after.restore(before.copy(0, 10))
    assert told(after, 10) == ["b"]
    assert list(after.lines()) == list(before.lines())


def test_of_a_party_that_was_copied_twice_the_later_copy_counts():
    before, after = Findings(10, SECRET), Findings(10, SECRET)
    seen(before, "a", "b")
    early = before.copy(0, 1)
    seen(before, "c", "b", "a", verdict=FLAG)
    after.restore(before.copy(0, 10) + early)
    assert [report.decode(line).verdict for line in after.lines()] == ["flag", "flag", "flag"]


def test_of_more_findings_than_there_is_room_for_the_latest_are_put_back():
    before, after = Findings(10, SECRET), Findings(2, SECRET)
    seen(before, "a", "b", "c")
    after.restore(before.copy(0, 10))
    assert numbers(after.lines()) == ["b", "c"]
    assert numbers(after.take_given_up()) == ["a"]


@pytest.mark.parametrize("copied", [b"\xff" * FINDING_BYTES, bytes(FINDING_BYTES), bytes(FINDING_BYTES - 1)])
def test_what_is_no_finding_is_not_put_back(copied):
    findings = Findings(10, SECRET)
    with pytest.raises(ValueError, match="finding"):
        findings.restore(copied)
    assert len(findings) == 0


def test_news_that_nobody_asks_for_take_no_more_than_the_findings_themselves():
    findings = Findings(10, SECRET)
    seen(findings, *map(str, range(1000)))
    assert (len(findings), findings.untold, findings.evicted) == (10, 10, 990)
    assert told(findings, 100) == [str(number) for number in range(990, 1000)]
