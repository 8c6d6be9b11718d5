"""Findings about parties: which are told, in which order, and how many at a time."""

from appliance.findings import Findings
from models.verdict import FLAG, WATCH


def seen(findings, *callers, verdict=WATCH):
    for time_ns, caller in enumerate(callers, 1):
        finding = findings.of("192.0.2.1", caller, first_ns=1, time_ns=time_ns)
        finding.add(time_ns, 1, verdict, 0.5, 1)


def told(findings, at_most):
    found = list(findings.tell(at_most))
    for finding in found:
        finding.line()
    return [finding.caller for finding in found]


def test_news_are_told_once_a_few_at_a_time_and_the_oldest_first():
    findings = Findings(10, lambda _: None)
    seen(findings, "a", "b", "a", "c")
    assert findings.untold == 3
    assert told(findings, 2) == ["a", "b"]
    seen(findings, "b")
    assert told(findings, 10) == ["c", "b"]
    assert told(findings, 10) == []


def test_what_an_alert_has_said_meanwhile_is_not_told_again():
    findings = Findings(10, lambda _: None)
    seen(findings, "a", "b")
    findings.of("192.0.2.1", "a", first_ns=1, time_ns=1).line()
    assert told(findings, 10) == ["b"]
    seen(findings, "a", verdict=FLAG)
    assert told(findings, 10) == ["a"]


def test_one_that_made_room_was_told_then_and_is_not_told_again():
    given_up = []
    findings = Findings(2, lambda finding: given_up.append(finding.line().caller))
    seen(findings, "a", "b", "c")
    assert given_up == ["a"]
    assert told(findings, 10) == ["b", "c"]


def test_news_that_a_snapshot_brings_back_are_told():
    before = Findings(10, lambda _: None)
    seen(before, "a", "b")
    told(before, 1)
    after = Findings(10, lambda _: None)
    after.restore(before.kept())
    assert told(after, 10) == ["b"]


def test_news_that_nobody_asks_for_take_no_more_than_the_findings_themselves():
    findings = Findings(10, lambda _: None)
    seen(findings, *map(str, range(1000)))
    assert (len(findings), findings.untold, findings.evicted) == (10, 10, 990)
    assert told(findings, 100) == [str(caller) for caller in range(990, 1000)]
