"""`sipwarden model` as its users meet it."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from appliance.cli import app
from kernels.reference_subscriber import COLUMNS
from models.bundle import SHIPPED
from models.training.subscriber_population import simulate


def sipwarden(*arguments: object):
    return CliRunner().invoke(app, ["model", *map(str, arguments)])


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Simulated lines in the form of the real set, with labels and months."""
    statistics, fraud, _ = simulate(11, 30)
    path = tmp_path_factory.mktemp("table") / "lines.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*COLUMNS, "month_ids", "label"])
        for index, (row, label) in enumerate(zip(statistics, fraud, strict=True)):
            writer.writerow([*row.tolist(), 8 if index % 2 else 3, int(label)])
    return path


def columns_of(path: Path, out: Path, keep) -> Path:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if keep(name)]
    with out.open("w", newline="") as file:
        csv.writer(file).writerows([names, *([row[name] for name in names] for row in rows)])
    return out


def test_evaluate_gives_one_object_of_figures(table):
    done = sipwarden("evaluate", "subscriber", table, "--json")
    figures = json.loads(done.stdout)
    assert done.exit_code == 0
    assert figures["rows"] == 60
    assert figures["rows_full_window"] == 30
    assert figures["bundle"] == "subscriber@0.1.0"
    for key in ("auc", "average_precision", "tpr_at_fpr_0.01", "tpr_at_fpr_0.001", "ece", "auc_full_window"):
        assert 0 <= figures[key] <= 1, key


def test_without_labels_each_row_has_a_score(table, tmp_path):
    path = columns_of(table, tmp_path / "unlabelled.csv", lambda name: name != "label")
    lines = [json.loads(line) for line in sipwarden("evaluate", "subscriber", path, "--json").stdout.splitlines()]
    assert [line["row"] for line in lines] == list(range(60))
    assert all(0 <= line["score"] <= 1 and line["bundle"] == "subscriber@0.1.0" for line in lines)


def test_without_months_the_full_window_is_not_known(table, tmp_path):
    path = columns_of(table, tmp_path / "short.csv", lambda name: name != "month_ids")
    assert json.loads(sipwarden("evaluate", "subscriber", path, "--json").stdout)["auc_full_window"] is None


def test_a_missing_column_is_said_with_the_file(table, tmp_path):
    path = columns_of(table, tmp_path / "cut.csv", lambda name: name != "call_dur_mean")
    done = sipwarden("evaluate", "subscriber", path, "--json")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == f"sipwarden: {path}: column 'call_dur_mean' is missing\n"


def test_a_file_that_is_not_there_or_no_text_is_said_by_name(tmp_path):
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00,\x80")
    for name in ("none.csv", "binary.csv"):
        done = sipwarden("evaluate", "subscriber", tmp_path / name)
        assert done.exit_code == 3
        assert str(tmp_path / name) in done.stderr


def test_an_empty_file_and_one_without_rows_are_refused(table, tmp_path):
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "header.csv").write_text(table.read_text().splitlines()[0] + "\n")
    for name in ("empty.csv", "header.csv"):
        done = sipwarden("evaluate", "subscriber", tmp_path / name)
        assert done.exit_code == 2
        assert str(tmp_path / name) in done.stderr


def test_a_bundle_of_another_kind_is_refused(table):
    done = sipwarden("evaluate", "subscriber", table, "--bundle", SHIPPED / "call")
    assert done.exit_code == 2
    assert "scores call rows, not subscribers" in done.stderr


def test_training_without_labels_or_without_tensorflow_says_what_is_missing(table, tmp_path):
    path = columns_of(table, tmp_path / "unlabelled.csv", lambda name: name != "label")
    done = sipwarden("train", "subscriber", path, "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert "make train-env" in done.stderr or "column 'label' is missing" in done.stderr
    assert not (tmp_path / "out").exists()


def test_list_names_the_shipped_bundles():
    lines = [json.loads(line) for line in sipwarden("list", "--json").stdout.splitlines()]
    assert [line["rows"] for line in lines] == ["call", "source", "subscriber"]
    assert "subscriber@0.1.0" in sipwarden("list").stdout


def test_show_gives_the_card():
    card = json.loads(sipwarden("show", "subscriber", "--json").stdout)
    assert card["rows"] == "subscriber"
    assert card["training"]["data"] == "simulated only"
    assert "simulated only" in sipwarden("show", SHIPPED / "subscriber").stdout


def test_show_of_what_is_no_bundle_is_refused(tmp_path):
    done = sipwarden("show", tmp_path / "nothing")
    assert done.exit_code == 2
    assert str(tmp_path / "nothing") in done.stderr


def test_verify_passes_whole_bundles_and_refuses_a_damaged_one(tmp_path):
    assert sipwarden("verify").exit_code == 0
    shutil.copytree(SHIPPED, tmp_path / "bundles")
    model = tmp_path / "bundles" / "call" / "model.tflite"
    model.write_bytes(model.read_bytes()[:-1] + b"\x01\x02")
    done = sipwarden("verify", tmp_path / "bundles", "--json")
    valid = {Path(line["path"]).name: line["valid"] for line in map(json.loads, done.stdout.splitlines())}
    assert done.exit_code == 2
    assert valid == {"call": False, "source": True, "subscriber": True}


def test_a_capture_is_screened_with_another_bundle_for_subscribers(tmp_path):
    capture = tmp_path / "none.pcap"
    capture.write_bytes(b"")
    done = CliRunner().invoke(app, ["screen", str(capture), "--bundle", str(SHIPPED / "subscriber")])
    assert "bundle" not in done.stderr
