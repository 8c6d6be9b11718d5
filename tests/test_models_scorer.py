"""Scores, verdicts and types of rows, and the reasons given for them."""

import math
import random
from itertools import chain

import msgspec
import numpy as np
import pytest

from kernels.schema import CALL_FEATURES
from models.bundle import SCHEMAS, Bundle, Evidence, LowerBar
from models.errors import BundleError
from models.fraud_types import BIT_OF, FRAUD_TYPES, names_of
from models.reason import Reason
from models.reasons import explain, told
from models.scorer import Scorer
from models.verdict import FLAG, PASS, WATCH

NAMES = [feature.name for feature in CALL_FEATURES]


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer(Bundle.shipped("call"))


def any_rows(scorer: Scorer, count: int, seed: int = 5) -> np.ndarray:
    """Rows whose values are drawn from the knots, so that all of the encoding is in use; one in ten is not known."""
    rng = np.random.default_rng(seed)
    knots = np.array(scorer.bundle.numbers.knots, np.float32)
    rows = knots[np.arange(len(knots)), rng.integers(0, knots.shape[1], (count, len(knots)))]
    rows[rng.random(rows.shape) < 0.1] = np.nan
    return rows


def changed(bundle: Bundle, **changes) -> Scorer:
    return Scorer(Bundle(bundle.path, msgspec.structs.replace(bundle.card, **changes), bundle.numbers, bundle.model))


def with_classes(bundle: Bundle, **changes) -> Scorer:
    return changed(bundle, classes=[msgspec.structs.replace(one, **changes) for one in bundle.card.classes])


def test_a_score_is_made_of_the_calibrated_outputs(scorer):
    """An independent computation from the interpreter's outputs, by the formulas of bundle.toml."""
    rows = any_rows(scorer, 500)
    outputs = scorer.interpreter.run(scorer.encode(rows)).astype(float)
    real = (outputs - scorer.interpreter.output_zero) * scorer.interpreter.output_scale
    classes = scorer.bundle.card.classes
    probability = np.stack([1 / (1 + np.exp(-(c.slope * real[:, i] + c.intercept))) for i, c in enumerate(classes)])
    verdict, types = np.zeros(len(rows), int), np.zeros(len(rows), int)
    for p, one in zip(probability, classes, strict=True):
        level = (p >= one.watch) * WATCH
        for flag, evidence in one.bars():
            has = [rows[:, NAMES.index(asked.feature)] >= asked.minimum for asked in evidence]
            level[(p >= flag) & np.all(has, axis=0)] = FLAG
        verdict = np.maximum(verdict, level)
        types |= np.where(level > PASS, BIT_OF[one.fraud_type], 0)
    scores = scorer.score(rows)
    assert np.allclose(scores.score, 1 - np.prod(1 - probability, axis=0), atol=1e-6)
    assert np.array_equal(scores.verdict, verdict)
    assert np.array_equal(scores.types, types)
    assert set(verdict) == {PASS, WATCH, FLAG}  # or the test shows little


def test_scores_do_not_depend_on_how_rows_are_split(scorer):
    rows = any_rows(scorer, 700)
    whole = scorer.score(rows)
    chance = random.Random(3)
    at = 0
    while at < len(rows):
        size = chance.randrange(1, 300)
        part = scorer.score(rows[at : at + size])
        for field in ("score", "verdict", "types"):
            assert np.array_equal(getattr(part, field), getattr(whole, field)[at : at + size])
        at += size


def test_scores_have_the_types_the_engine_takes(scorer):
    scores = scorer.score(any_rows(scorer, 3))
    assert (scores.score.dtype, scores.verdict.dtype, scores.types.dtype) == (np.float32, np.uint8, np.uint32)


def test_no_rows_give_no_scores(scorer):
    scores = scorer.score(np.empty((0, len(NAMES)), np.float32))
    assert len(scores.score) == len(scores.verdict) == len(scores.types) == 0


def test_a_value_that_is_not_known_counts_as_the_typical_one(scorer):
    rows = any_rows(scorer, 200)
    filled = np.where(np.isnan(rows), np.array(scorer.bundle.typical, np.float32), rows)
    assert np.array_equal(scorer.score(rows).score, scorer.score(filled).score)


def test_without_the_evidence_a_row_is_watched_and_not_flagged(scorer):
    rows = any_rows(scorer, 2000)
    never = Evidence("caller_evidence", 33.0)  # 32 is the most
    strict = with_classes(scorer.bundle, evidence=never, lower=[])
    free = with_classes(scorer.bundle, evidence=None, lower=[])
    flagged = free.score(rows).verdict == FLAG
    assert flagged.any()
    assert set(strict.score(rows).verdict[flagged]) == {WATCH}


def test_with_more_evidence_a_lower_probability_is_flagged(scorer):
    rows = any_rows(scorer, 2000)
    much = (rows[:, NAMES.index("caller_evidence")] >= 20) & (rows[:, NAMES.index("callee_plausible")] >= 1)
    bar = LowerBar([Evidence("caller_evidence", 20.0), Evidence("callee_plausible", 1.0)], 0.9)
    lower = with_classes(scorer.bundle, flag=1.0, lower=[bar]).score(rows).verdict
    plain = with_classes(scorer.bundle, flag=0.9, evidence=None, lower=[]).score(rows).verdict
    assert (plain[much] == FLAG).any() and (plain[~much] == FLAG).any()
    assert np.array_equal(lower == FLAG, (plain == FLAG) & much)


def test_with_evidence_that_nobody_honest_has_what_is_not_even_watched_is_flagged(scorer):
    rows = any_rows(scorer, 2000)
    much = rows[:, NAMES.index("caller_evidence")] >= 20
    bar = LowerBar([Evidence("caller_evidence", 20.0)], 0.5)
    one = with_classes(scorer.bundle, watch=1.0, flag=1.0, lower=[bar]).score(rows)
    likelier = with_classes(scorer.bundle, watch=0.5, flag=1.0, lower=[]).score(rows).verdict >= WATCH
    assert (likelier & much).any() and (likelier & ~much).any()
    assert np.array_equal(one.verdict == FLAG, likelier & much)
    assert ((one.types > 0) == (one.verdict > PASS)).all()


def test_evidence_that_is_not_known_is_too_little(scorer):
    rows = any_rows(scorer, 2000)
    for one in scorer.bundle.card.classes:
        for _, evidence in one.bars():
            for asked in evidence:
                rows[:, NAMES.index(asked.feature)] = np.nan
    assert FLAG not in scorer.score(rows).verdict


def test_log_odds_are_those_of_the_score(scorer):
    rows = any_rows(scorer, 500)
    score = scorer.score(rows).score.astype(float)
    middling = (score > 0.01) & (score < 0.99)
    expected = np.log(score[middling] / (1 - score[middling]))
    alone = scorer.leave_one_out(scorer.encode(rows))[0]
    assert np.allclose(alone[middling], expected, atol=1e-3)


def test_a_model_of_another_shape_than_its_card_says_is_refused(scorer):
    with pytest.raises(BundleError, match="2 classes"):
        changed(scorer.bundle, classes=scorer.bundle.card.classes[:2])
    source = Bundle.shipped("source")
    with pytest.raises(BundleError, match=r"model\.tflite is"):
        Scorer(Bundle(scorer.bundle.path, scorer.bundle.card, scorer.bundle.numbers, source.model))


def test_fraud_types_are_named_by_their_bits():
    assert names_of(0) == []
    assert names_of(BIT_OF["wangiri"] | BIT_OF["goip_gateway"]) == ["goip_gateway", "wangiri"]
    assert [BIT_OF[name] for name in FRAUD_TYPES] == [1 << position for position in range(14)]


# --- reasons


def suspects(scorer: Scorer, count: int = 40) -> np.ndarray:
    rows = any_rows(scorer, 3000)
    return rows[scorer.score(rows).verdict > PASS][:count]


def reasons_of(scorer: Scorer, rows: np.ndarray) -> list[list[Reason]]:
    return [told(reasons) for reasons in explain(scorer, rows)]


def test_the_effect_is_how_far_the_score_falls_with_the_feature_put_back(scorer):
    for row in suspects(scorer):
        for reason in reasons_of(scorer, row[None])[0]:
            back = row.copy()
            back[NAMES.index(reason.feature)] = scorer.bundle.typical[NAMES.index(reason.feature)]
            fall = scorer.score(row[None]).score[0] - scorer.score(back[None]).score[0]
            assert reason.effect == pytest.approx(fall, abs=2e-6)
            assert fall >= 0


def test_reasons_come_strongest_first_and_none_is_stronger_than_they_are(scorer):
    typical = scorer.bundle.typical
    for row in suspects(scorer):
        reasons = reasons_of(scorer, row[None])[0]
        effects = [reason.effect for reason in reasons]
        assert effects == sorted(effects, reverse=True)
        assert 1 <= len(reasons) <= 4
        backs = np.repeat(row[None], len(row), axis=0)
        np.fill_diagonal(backs, typical)
        falls = scorer.score(row[None]).score[0] - scorer.score(backs).score
        assert falls.max() == pytest.approx(effects[0], abs=2e-6)


@pytest.mark.parametrize("features", [features for features, _ in SCHEMAS.values()], ids=SCHEMAS)
def test_a_sentence_says_its_value_once_and_in_words_that_json_need_not_escape(features):
    for feature in features:
        assert feature.reason.count("{value}") == 1
        said = [feature.text(value) for value in (*range(len(feature.words)), 0.0, 0.5, 99.95, 1e6, np.nan)]
        assert [msgspec.json.encode(words) for words in said] == [f'"{words}"'.encode() for words in said]


def test_reasons_by_another_bundle_say_its_typical_values(scorer):
    rows = suspects(scorer, 10)
    other = changed(scorer.bundle)
    other.bundle.typical = [2 * typical + 1 for typical in scorer.bundle.typical]
    before, after = reasons_of(scorer, rows), reasons_of(other, rows)
    assert reasons_of(scorer, rows) == before
    for one, the_other in zip(chain(*before), chain(*after), strict=True):
        assert (one.feature, one.value, one.effect) == (the_other.feature, the_other.value, the_other.effect)
        assert one.typical is None or one.typical != the_other.typical


def test_reasons_do_not_depend_on_the_rows_beside(scorer):
    rows = suspects(scorer)
    assert reasons_of(scorer, rows) == [reasons_of(scorer, row[None])[0] for row in rows]


def test_a_reason_says_value_and_typical_value_in_a_sentence(scorer):
    row = np.array([scorer.bundle.typical], np.float32)
    row[0, NAMES.index("caller_callees_hour")] = 214.4
    reasons = reasons_of(with_classes(scorer.bundle, watch=0.0), row)[0]
    named = {reason.feature for reason in reasons}
    typical = CALL_FEATURES[NAMES.index("caller_callees_hour")].text(
        scorer.bundle.typical[NAMES.index("caller_callees_hour")]
    )
    assert named <= {"caller_callees_hour"}
    for reason in reasons:
        assert reason.value == 214.4
        assert reason.text == f"called 214 different numbers within the hour; typical is {typical}"


def test_a_typical_row_has_no_reasons(scorer):
    assert reasons_of(scorer, np.array([scorer.bundle.typical], np.float32)) == [[]]


def test_a_value_that_is_not_known_is_never_a_reason(scorer):
    rows = suspects(scorer)
    for row, reasons in zip(rows, reasons_of(scorer, rows), strict=True):
        unknown = {name for name, value in zip(NAMES, row, strict=True) if math.isnan(value)}
        assert not unknown & {reason.feature for reason in reasons}
