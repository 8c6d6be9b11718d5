"""`sipwarden model report`: how often the box was right, from the labels that people gave."""

import json

import pytest
from typer.testing import CliRunner

from appliance.cli import app
from appliance.precision import precisions, wilson
from appliance.store import Store
from appliance.store_labels import STORE_FILE, FindingLabel
from tests.test_store import finding, party


def label(n, value, *, verdict="flag", types=("wangiri",), bundle="call@1"):
    return FindingLabel(
        finding=n,
        label=value,
        labelled_by="ann",
        time_ns=n,
        kind="call",
        verdict=verdict,
        score=0.9,
        fraud_types=list(types),
        bundle=bundle,
    )


@pytest.mark.parametrize(
    ("successes", "trials", "expected"),
    [  # R: prop.test(x, n, correct = FALSE)$conf.int
        (0, 10, (0.0, 0.2775328)),
        (10, 10, (0.7224672, 1.0)),
        (90, 100, (0.8256343, 0.9447709)),
        (1, 1, (0.2065493, 1.0)),
    ],
)
def test_the_interval_is_that_of_wilson(successes, trials, expected):
    assert wilson(successes, trials) == pytest.approx(expected, abs=1e-6)


def test_each_bundle_verdict_and_fraud_type_has_figures_of_its_own():
    found = precisions(
        [
            label(1, "fraud"),
            label(2, "honest", types=("wangiri", "flash_call")),
            label(3, "fraud", verdict="watch"),
            label(4, "fraud", bundle="call@2"),
            label(5, "honest", bundle=None, types=()),
        ]
    )
    assert [(one.bundle, one.verdict, one.fraud_type, one.fraud, one.labelled) for one in found] == [
        ("call@1", "flag", None, 1, 2),
        ("call@1", "flag", "wangiri", 1, 2),
        ("call@1", "flag", "flash_call", 0, 1),
        ("call@1", "watch", None, 1, 1),
        ("call@1", "watch", "wangiri", 1, 1),
        ("call@2", "flag", None, 1, 1),
        ("call@2", "flag", "wangiri", 1, 1),
        ("parties", "flag", None, 0, 1),
    ]
    assert found[0].precision == 0.5


def test_the_command_reads_the_store_of_the_state_folder_also_while_it_is_in_use(tmp_path):
    store = Store(tmp_path / STORE_FILE, 1 << 24, 1 << 62)
    store.put([finding(1), party()])
    store.label(1, "fraud", "ann", 1)
    store.label(2, "honest", "ann", 1)
    outcome = CliRunner().invoke(app, ["model", "report", "--state-dir", str(tmp_path), "--json"])
    store.close()
    assert outcome.exit_code == 0
    lines = [json.loads(line) for line in outcome.stdout.splitlines()]
    assert [(line["bundle"], line["fraud_type"], line["precision"]) for line in lines] == [
        ("call@3", None, 1.0),
        ("call@3", "wangiri", 1.0),
        ("parties", None, 0.0),
        ("parties", "wangiri", 0.0),
    ]
    text = CliRunner().invoke(app, ["model", "report", "--state-dir", str(tmp_path)]).stdout
    assert "1 of      1 were fraud: 100.0%  (95 %: 20.7% to 100.0%)" in text


def test_a_folder_without_a_store_is_named(tmp_path):
    outcome = CliRunner().invoke(app, ["model", "report", "--state-dir", str(tmp_path)])
    assert outcome.exit_code == 2
    assert str(tmp_path / STORE_FILE) in outcome.output
