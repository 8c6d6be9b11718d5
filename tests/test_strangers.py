"""Numbers that call once: of a campaign that shows another at each call there is one finding, about the address."""

from pathlib import Path

import numpy as np
import pytest

from appliance.config import Config
from appliance.pipeline import Pipeline, load_scorers
from appliance.report import SourceLine, decode
from models.fraud_types import BIT_OF
from models.scorer import Scorer, Scores
from models.verdict import FLAG, WATCH
from tests.campaigns import GERMAN, Script, anywhere

ABROAD = anywhere(2, 40, "+2526123", 5)
AT_HOME = anywhere(1, 200, "+49301", 7)


class Suspicious(Scorer):
    """International calls are robocalls, all others honest, and of addresses nothing is known."""

    verdict = FLAG

    def score(self, rows: np.ndarray) -> Scores:
        names = self.bundle.card.features
        suspect = rows[:, names.index("call_international")] == 1 if "call_international" in names else rows[:, 0] < 0
        return Scores(
            suspect.astype(np.float32) * np.float32(0.9),
            suspect.astype(np.uint8) * np.uint8(self.verdict),
            suspect.astype(np.uint32) * np.uint32(BIT_OF["robocall"]),
        )


@pytest.fixture
def scorers() -> dict[str, Scorer]:
    return {kind: Suspicious(scorer.bundle) for kind, scorer in load_scorers(None).items()}


def screened(script: Script, scorers: dict[str, Scorer], folder: Path) -> list[SourceLine]:
    lines: list[bytes] = []
    pipeline = Pipeline(Config(), scorers=scorers)
    pipeline.screen_file(script.write(folder / "calls.pcap"), lines.append)
    pipeline.finish(lines.append)
    found = [decode(line) for block in lines for line in block.splitlines()]
    findings = [line for line in found if isinstance(line, SourceLine)]
    calls = [line for line in found if not isinstance(line, SourceLine)]
    assert pipeline.summary()["flagged"] == sum(
        line.verdict == "flag" for line in [*calls, *(one for one in findings if one.caller is None)]
    )
    return findings


def rotating(count: int, every_s: float = 5.0) -> Script:
    script = Script()
    for k, (caller, callee) in enumerate(zip(AT_HOME, ABROAD, strict=False)):
        if k < count:
            script.call(k * every_s, caller, callee, 486)
    return script


def test_a_campaign_of_numbers_that_call_once_is_one_finding_about_its_address(scorers, tmp_path):
    (finding,) = screened(rotating(20), scorers, tmp_path)
    assert (finding.source, finding.caller, finding.requests) == ("192.0.2.10", None, 20)
    assert (finding.verdict, finding.fraud_types) == ("flag", ["robocall"])
    assert finding.first < finding.flagged_at < finding.last
    assert finding.reasons


def test_it_is_watched_when_its_calls_are(scorers, tmp_path):
    scorers["call"].verdict = WATCH
    (finding,) = screened(rotating(20), scorers, tmp_path)
    assert (finding.caller, finding.verdict) == (None, "watch")


def test_a_few_numbers_that_call_once_make_no_finding(scorers, tmp_path):
    assert screened(rotating(7), scorers, tmp_path) == []


def test_numbers_that_call_once_in_a_whole_day_make_no_finding(scorers, tmp_path):
    assert screened(rotating(20, every_s=4000.0), scorers, tmp_path) == []


def test_a_busy_trunk_is_not_suspect_for_a_small_part_of_its_calls(scorers, tmp_path):
    script = rotating(20)
    for k, (caller, callee) in enumerate(zip(AT_HOME[40:140], AT_HOME[100:200], strict=True)):
        script.call(k * 1.0 + 0.5, caller, callee, 200, ring_s=3.0, talk_s=40.0)
    assert screened(script, scorers, tmp_path) == []


def test_a_caller_is_a_finding_of_its_own_from_its_second_suspect_call_on(scorers, tmp_path):
    script = Script()
    script.call(0.0, GERMAN, ABROAD[0], 486)
    script.call(60.0, AT_HOME[0], ABROAD[1], 486)
    script.call(120.0, GERMAN, AT_HOME[1], 486)
    script.call(180.0, GERMAN, ABROAD[2], 486)
    (finding,) = screened(script, scorers, tmp_path)
    assert (finding.caller, finding.verdict, finding.requests) == (GERMAN, "flag", 3)


def test_one_call_is_no_second_one_however_often_it_is_judged(scorers, tmp_path):
    script = Script()
    script.call(0.0, GERMAN, ABROAD[0], 200, ring_s=3.0, talk_s=60.0)  # at its setup, answer and end
    assert screened(script, scorers, tmp_path) == []


def test_a_snapshot_remembers_who_called_once(scorers, tmp_path):
    before, after = (Pipeline(Config(), scorers=scorers) for _ in range(2))
    before.screen_file(rotating(7).write(tmp_path / "first.pcap"), lambda _: None)
    before.finish(lambda _: None)
    after.findings.restore(before.findings.copy(0, 100))
    script = Script()
    script.call(40.0, AT_HOME[7], ABROAD[7], 486)
    script.call(45.0, AT_HOME[8], ABROAD[8], 486)
    script.call(50.0, AT_HOME[0], ABROAD[9], 486)
    after.screen_file(script.write(tmp_path / "second.pcap"), lambda _: None)
    after.finish(lambda _: None)
    assert [decode(line).caller for line in after.findings.lines()] == [AT_HOME[0], None]
