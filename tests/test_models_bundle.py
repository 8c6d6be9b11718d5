"""Bundles that are refused, each with a message that says which file and why."""

import hashlib
import json
import math
import shutil
import tomllib
from pathlib import Path

import pytest

from models.bundle import SCHEMAS, SHIPPED, Bundle
from models.errors import BundleError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped call bundle, to be damaged."""
    shutil.copytree(SHIPPED / "call", tmp_path / "call")
    return tmp_path / "call"


def edit(folder: Path, old: str, new: str) -> None:
    card = folder / "bundle.toml"
    text = card.read_text()
    assert text.count(old) >= 1
    card.write_text(text.replace(old, new, 1))


def edit_numbers(folder: Path, **changes) -> None:
    """Changes numbers.json, and its digest in the card."""
    path = folder / "numbers.json"
    before = path.read_bytes()
    after = json.dumps(json.loads(before) | changes).encode()
    path.write_bytes(after)
    edit(folder, hashlib.sha256(before).hexdigest(), hashlib.sha256(after).hexdigest())


def refusal(folder: Path) -> str:
    with pytest.raises(BundleError) as caught:
        Bundle.load(folder)
    return str(caught.value)


def test_the_shipped_bundles_load():
    for name in ("call", "source"):
        bundle = Bundle.shipped(name)
        assert bundle.card.rows == name
        assert bundle.label == f"{name}@{bundle.card.version}"
        assert bundle.card.licence == "Apache-2.0"


def test_every_class_of_a_shipped_bundle_needs_evidence_before_a_flag():
    for name in ("call", "source"):
        assert all(one.evidence is not None for one in Bundle.shipped(name).card.classes)


def test_the_user_agent_is_only_held_against_the_rest_of_the_signalling():
    """What it says is never a feature: only whether it contradicts the INVITE around it, or changes while it stays."""
    read = {feature for name in ("call", "source") for feature in Bundle.shipped(name).card.features}
    assert {feature for feature in read if "agent" in feature} == {
        "agent_contradicted",
        "agent_change_ratio",
        "source_agent_change_ratio",
    }


def test_a_missing_folder_is_named(tmp_path):
    assert refusal(tmp_path / "none") == f"{tmp_path / 'none' / 'bundle.toml'}: No such file or directory"


def test_a_missing_model_is_named(folder):
    (folder / "model.tflite").unlink()
    assert refusal(folder) == f"{folder / 'model.tflite'}: No such file or directory"


def test_broken_toml_is_named_with_its_line(folder):
    edit(folder, "name = ", "name ")
    message = refusal(folder)
    assert message.startswith(f"{folder / 'bundle.toml'}: ")
    assert "line 1" in message


def test_bytes_that_are_no_text_are_named(folder):
    (folder / "bundle.toml").write_bytes(b"\xff\xfe\x00")
    assert str(folder / "bundle.toml") in refusal(folder)


def test_a_value_of_the_wrong_type_is_named_by_its_key(folder):
    edit(folder, 'licence = "Apache-2.0"', "licence = 2")
    assert refusal(folder) == f"{folder / 'bundle.toml'}: Expected `str`, got `int` - at `$.licence`"


def test_a_missing_key_is_named(folder):
    edit(folder, 'licence = "Apache-2.0"\n', "")
    assert "missing required field `licence`" in refusal(folder)


def test_an_unknown_key_is_named(folder):
    edit(folder, "licence = ", 'colour = "red"\nlicence = ')
    assert "unknown field `colour`" in refusal(folder)


def test_another_schema_is_refused_by_a_message_that_names_both(folder):
    ours = SCHEMAS["call"][1]
    edit(folder, ours, "0123456789abcdef")
    message = refusal(folder)
    assert "0123456789abcdef" in message
    assert ours in message


def test_other_features_under_the_same_schema_are_refused(folder):
    edit(folder, '"caller_burstiness"', '"caller_calmness"')
    assert "features: they are not those of schema" in refusal(folder)


def test_a_model_cut_short_is_refused(folder):
    model = folder / "model.tflite"
    whole = model.read_bytes()
    model.write_bytes(whole[:1000])
    assert refusal(folder) == f"{model}: 1000 bytes, bundle.toml says {len(whole)}: cut short or replaced"


def test_a_model_with_another_digest_is_refused(folder):
    model = folder / "model.tflite"
    changed = bytearray(model.read_bytes())
    changed[-100] ^= 1
    model.write_bytes(changed)
    assert hashlib.sha256(changed).hexdigest() in refusal(folder)


def test_numbers_that_were_changed_are_refused(folder):
    numbers = folder / "numbers.json"
    numbers.write_bytes(numbers.read_bytes() + b"\n")
    assert refusal(folder).startswith(f"{numbers}: sha256 is ")


def test_a_number_of_the_wrong_type_is_named_by_its_file_and_key(folder):
    edit_numbers(folder, typical="none")
    assert refusal(folder) == f"{folder / 'numbers.json'}: Expected `array`, got `str` - at `$.typical`"


def test_a_list_that_does_not_fit_the_features_is_refused(folder):
    typical = Bundle.load(folder).numbers.typical
    edit_numbers(folder, typical=typical[1:])
    assert f"typical: {len(typical) - 1} entries for {len(typical)} features" in refusal(folder)


def test_knots_that_fall_are_refused(folder):
    knots = Bundle.load(folder).numbers.knots
    edit_numbers(folder, knots=[[1e9, *knots[0][1:]], *knots[1:]])
    assert "knots: caller_calls_minute: they must be finite and must not fall" in refusal(folder)


def test_a_reference_of_other_bins_is_refused(folder):
    edit_numbers(folder, reference={"features": [[0, 1]], "score": [0]})
    assert "reference: it does not have the bins" in refusal(folder)


def test_what_no_honest_row_knows_is_not_a_number(folder):
    typical = Bundle.load(folder).typical
    edit_numbers(folder, typical=[None, *typical[1:]])
    bundle = Bundle.load(folder)
    assert math.isnan(bundle.typical[0])
    assert bundle.typical[1:] == typical[1:]


def test_an_unknown_fraud_type_is_refused(folder):
    edit(folder, 'fraud_type = "wangiri"', 'fraud_type = "rudeness"')
    assert "'rudeness' is not a fraud type" in refusal(folder)


def test_a_threshold_that_is_no_probability_is_refused(folder):
    watch = tomllib.loads((folder / "bundle.toml").read_text())["classes"][0]["watch"]
    edit(folder, f"watch = {watch}", "watch = 1.5")
    assert "$.classes[0].watch" in refusal(folder)


def test_a_watch_threshold_above_the_flag_threshold_is_refused(folder):
    watch = tomllib.loads((folder / "bundle.toml").read_text())["classes"][0]["watch"]
    edit(folder, f"watch = {watch}", "watch = 1.0")
    assert "`watch` lies above `flag`" in refusal(folder)


def test_evidence_of_an_unknown_feature_is_refused(folder):
    edit(folder, 'feature = "source_seen"', 'feature = "luck"')
    assert "evidence: no feature 'luck'" in refusal(folder)
