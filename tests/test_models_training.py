"""The parts of training that need no TensorFlow, and the shipped bundles on a short form of the judgement."""

import msgspec
import numpy as np
import pytest

from models.bundle import Bundle
from models.measures import auc, expected_calibration_error
from models.scorer import Scorer
from models.training.calibration import MAX_FALSE_FLAGS, MAX_FALSE_WATCHES, platt, thresholds
from models.training.collect import collect
from models.training.evaluation import evaluate
from models.training.regimes import CALIBRATION, HELD_OUT, TRAINING, WORLDS, shipped_judgement
from models.training.rows import Rows, case_maxima
from simulator.scenario import load


def rows_of(types, case, actor=None, population="homes") -> Rows:
    count = len(types)
    return Rows(
        np.zeros((count, 2), np.float32),
        np.array(types, np.uint32),
        np.array([population] * count),
        np.array(case),
        np.array(case if actor is None else actor),
        np.arange(count),
    )


def test_cases_of_different_parts_stay_different():
    whole = Rows.concatenate([rows_of([0, 0], [0, 1]), rows_of([0, 0, 1], [0, 0, 1])])
    assert whole.case.tolist() == [0, 1, 2, 2, 3]
    assert whole.actor.tolist() == [0, 1, 2, 2, 3]


def test_rows_come_back_from_a_file(tmp_path):
    rows = rows_of([0, 3], [4, 5])
    rows.save(tmp_path / "rows.npz")
    again = Rows.load(tmp_path / "rows.npz")
    assert all(np.array_equal(getattr(rows, name), getattr(again, name)) for name in Rows.__slots__)


def test_a_case_counts_with_its_highest_value():
    cases, highest = case_maxima(np.array([1.0, 5.0, 2.0, 3.0]), np.array([7, 2, 7, 2]))
    assert cases.tolist() == [2, 7]
    assert highest.tolist() == [5.0, 2.0]


def test_platt_scaling_finds_the_sigmoid_that_made_the_labels():
    rng = np.random.default_rng(1)
    outputs = rng.normal(0, 2, 200_000)
    truth = rng.random(len(outputs)) < 1 / (1 + np.exp(-(1.7 * outputs - 0.4)))
    share = truth.mean()
    slope, intercept = platt(outputs, truth, prevalence=share)
    assert slope == pytest.approx(1.7, rel=0.03)
    assert intercept == pytest.approx(-0.4, abs=0.05)


def test_platt_scaling_shifts_to_the_prevalence_of_the_field():
    rng = np.random.default_rng(2)
    outputs = rng.normal(0, 2, 50_000)
    truth = rng.random(len(outputs)) < 1 / (1 + np.exp(-outputs))
    even, rare = platt(outputs, truth, 0.5), platt(outputs, truth, 0.01)
    assert rare[0] == even[0]
    assert rare[1] - even[1] == pytest.approx(np.log(0.01 / 0.99))


def test_separable_labels_do_not_break_platt_scaling():
    slope, intercept = platt(np.array([-3.0, -2.0, 2.0, 3.0]), np.array([False, False, True, True]), 0.5)
    assert 0 < slope < 10
    assert abs(intercept) < 1e-6


def test_platt_scaling_needs_both_kinds():
    with pytest.raises(ValueError, match="cases of the type"):
        platt(np.array([1.0, 2.0]), np.array([True, True]), 0.5)


def test_thresholds_let_no_more_honest_cases_through_than_allowed():
    rng = np.random.default_rng(3)
    probability = np.concatenate([rng.random(20_000), rng.random(5_000)]) ** 0.2  # honest calls that look bad
    honest = np.arange(25_000) < 20_000
    case = np.arange(25_000) // 2
    watch, flag = thresholds(probability, honest, case, 20)
    _, highest = case_maxima(probability[honest], case[honest])
    assert (highest >= flag).mean() <= MAX_FALSE_FLAGS
    assert (highest >= watch).mean() <= MAX_FALSE_WATCHES
    assert (highest >= watch).any()


def test_thresholds_follow_the_costs_where_honest_cases_are_far_away():
    probability = np.array([0.01] * 1000 + [0.99] * 10)
    assert thresholds(probability, probability < 0.5, np.arange(1010), 20) == (0.5, pytest.approx(20 / 21))


def test_auc_is_the_share_of_pairs_in_order():
    rng = np.random.default_rng(4)
    score, truth = rng.integers(0, 20, 300), rng.random(300) < 0.3
    pairs = [(a > b) + (a == b) / 2 for a in score[truth] for b in score[~truth]]
    assert auc(score, truth) == pytest.approx(np.mean(pairs))


def test_a_calibrated_score_has_no_calibration_error_and_a_bold_one_has():
    score = np.repeat(np.linspace(0.05, 0.95, 10), 1000)
    truth = np.tile(np.arange(1000), 10) < score * 1000
    assert expected_calibration_error(score, truth) == pytest.approx(0, abs=1e-9)
    assert expected_calibration_error(np.sqrt(score), truth) > 0.1


def test_a_regime_draws_the_same_scenarios_again():
    assert msgspec.json.encode(HELD_OUT.draw()) == msgspec.json.encode(HELD_OUT.draw())


def test_training_and_judgement_share_no_seed_country_or_fraud_variant():
    assert len({TRAINING.seed, CALIBRATION.seed, HELD_OUT.seed}) == 3
    taught, judged = WORLDS[TRAINING.world], WORLDS[HELD_OUT.world]
    assert not set(taught["countries"]) & set(judged["countries"])
    variants = [{(part["kind"], part["variant"]) for part in world["frauds"]} for world in (taught, judged)]
    assert not variants[0] & variants[1]
    assert {scenario.regime for scenario in [*HELD_OUT.draw(), *shipped_judgement()]} == {"eval"}
    assert {scenario.regime for scenario in [*TRAINING.draw(), *CALIBRATION.draw()]} == {"train"}


# --- the shipped bundles, judged again on the first half hour of the simulator's scenarios for judging


@pytest.fixture(scope="module")
def half_hours():
    names = ("eval_business", "eval_irsf", "eval_robocall", "eval_scans", "eval_wangiri")
    return collect([msgspec.structs.replace(load(name), duration_s=1800.0) for name in names])


def test_the_call_bundle_finds_in_half_hours_what_its_card_says(half_hours):
    bundle = Bundle.shipped("call")
    said = bundle.card.metrics["judgement"]
    found = evaluate(Scorer(bundle), half_hours["call"])
    # One call centre with a bad start is 0.003 of so few calls; over whole scenarios the share is far smaller.
    assert found["honest_flagged"] <= 0.005
    for name in ("robocall", "wangiri", "irsf"):
        # A half hour has fewer calls of each caller than the whole, so that more of them lack the evidence.
        assert found[name]["auc"] >= said[name]["auc"] - 0.06
        assert found[name]["recall_watched_or_flagged"] >= said[name]["recall_watched_or_flagged"] - 0.15
        assert found[name]["actors"] > 0


def test_the_source_bundle_finds_every_scanner_in_half_hours_and_flags_no_one_else(half_hours):
    found = evaluate(Scorer(Bundle.shipped("source")), half_hours["source"])
    assert found["honest_flagged"] == 0
    assert found["registration_scan"]["recall_named"] == 1
    assert found["options_scan"]["recall_named"] == 1


def test_rows_of_a_scenario_are_the_same_again():
    scenario = msgspec.structs.replace(load("eval_scans"), duration_s=200.0)
    first, second = collect([scenario]), collect([scenario])
    for kind, rows in first.items():
        for name in Rows.__slots__:
            assert np.array_equal(getattr(rows, name), getattr(second[kind], name), equal_nan=name == "features"), name
