"""The list of features: held to the compiled order, to the priors, and to the documentation."""

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kernels import replay, schema
from kernels.profiles import Profiles

ROOT = Path(__file__).resolve().parent.parent
ROWS = {"CALL_FEATURES": schema.CALL_FEATURES, "SOURCE_FEATURES": schema.SOURCE_FEATURES}
ALL = schema.CALL_FEATURES + schema.SOURCE_FEATURES


@pytest.mark.parametrize("name", ROWS)
def test_the_compiled_order_is_that_of_the_schema(name):
    text = (ROOT / "kernels" / "features.pxd").read_text()
    block = re.search(rf"cdef enum:\s+# of {name}\n((?:    \w+\n)+)", text).group(1)
    compiled = [line.strip().lower() for line in block.splitlines()]
    assert compiled[:-1] == [feature.name for feature in ROWS[name]]
    assert compiled[-1].endswith("_feature_count")


def test_rows_have_as_many_entries_as_the_schema():
    profiles = Profiles(2, 2)
    assert replay.replay_calls(profiles, np.zeros(0, replay.CALL)).shape[2] == len(schema.CALL_FEATURES)
    assert replay.replay_requests(profiles, np.zeros(0, replay.REQUEST))[0].shape[1] == len(schema.SOURCE_FEATURES)


def test_names_are_unique():
    assert len({feature.name for feature in ALL}) == len(ALL)


def test_a_caller_without_a_profile_is_given_the_unseen_values():
    call = np.zeros(1, replay.CALL)
    call["invite_ns"], call["caller"] = 1, b"anonymous"
    row = replay.replay_calls(Profiles(2, 2), call)[0, 0]
    for feature, value in zip(schema.CALL_FEATURES, row, strict=True):
        if feature.source not in ("source", "route"):  # this call is of them
            assert value == pytest.approx(feature.unseen, nan_ok=True), feature.name


def test_every_feature_says_a_sentence_with_its_value_and_the_typical_one():
    for feature in ALL:
        sentence = feature.sentence(feature.high, feature.low)
        assert feature.text(feature.high) in sentence and feature.text(feature.low) in sentence
        assert "not known" in feature.sentence(math.nan, feature.low)
        assert feature.low <= feature.high
        assert math.isnan(feature.unseen) or feature.low <= feature.unseen <= feature.high


def test_a_reason_reads_like_one():
    by_name = {feature.name: feature for feature in schema.CALL_FEATURES}
    assert by_name["caller_callees_hour"].sentence(213.7, 2.02) == (
        "called 214 different numbers within the hour; typical is 2"
    )
    assert by_name["caller_cancel_ratio_hour"].sentence(0.934, 0.15) == (
        "hung up before an answer in 93 % of the calls of the last hours; typical is 15 %"
    )
    assert by_name["ring_s"].sentence(1.23, 12.0) == "it rang 1.2 s; typical is 12.0 s"
    assert by_name["callee_price_class"].text(3.0) == "premium rate"
    assert by_name["caller_anonymous"].text(1.0) == "yes"


def test_the_hash_changes_with_order_and_meaning_and_not_with_wording():
    features = schema.CALL_FEATURES
    assert schema.schema_hash(features) == schema.CALL_SCHEMA_HASH
    assert schema.schema_hash(features[::-1]) != schema.CALL_SCHEMA_HASH
    assert schema.schema_hash((replace(features[0], revision=2), *features[1:])) != schema.CALL_SCHEMA_HASH
    assert schema.schema_hash((replace(features[0], reason="{value}"), *features[1:])) == schema.CALL_SCHEMA_HASH
    assert schema.CALL_SCHEMA_HASH != schema.SOURCE_SCHEMA_HASH


def test_the_documentation_is_fresh():
    assert (ROOT / "docs" / "FEATURES.md").read_text() == schema.documentation() + "\n", (
        "run `python -m kernels.schema > docs/FEATURES.md`"
    )
