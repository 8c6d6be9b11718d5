"""When a fraud is noticed, and what an ablation takes away."""

import numpy as np
import pytest

from models.bundle import Bundle
from models.scorer import Scorer
from models.training.ablations import BLINDFOLDS, WHOLE, blinded, figures, table
from models.training.evaluation import precision
from models.training.rows import Rows
from models.training.timing import TOWN_GAP_NS, by_case_number, campaigns, case_numbers, timing, towns

SECOND = 10**9


def rows_of(case, time_s, population="robocall/a", actor=None):
    count = len(case)
    return Rows(
        np.zeros((count, 2), np.float32),
        np.ones(count, np.uint32),
        np.array([population] * count if isinstance(population, str) else population),
        np.array(case),
        np.array(actor if actor is not None else [0] * count),
        np.array(time_s) * SECOND,
        np.zeros(count, np.int64),
        np.zeros(count, np.int64),
    )


def test_towns_are_told_apart_by_their_dates():
    day = TOWN_GAP_NS // SECOND
    rows = rows_of([0, 1, 2, 3], [0, day - 1, 3 * day, 100], population=["a/1", "a/1", "a/1", "a/2"])
    assert towns(rows).tolist() == [0, 0, 1, 2]
    assert len(set(campaigns(rows).tolist())) == 3


def test_cases_are_numbered_in_the_order_of_their_first_rows():
    rows = rows_of([5, 5, 9, 5, 7], [0, 1, 2, 3, 4], actor=[1, 1, 1, 1, 2])
    assert case_numbers(rows, rows.actor).tolist() == [1, 1, 2, 1, 1]


def test_time_to_a_flag_is_counted_from_the_first_row_of_the_group():
    rows = rows_of([0, 1, 2, 3], [10, 20, 40, 50], actor=[0, 0, 0, 1])
    found = timing(rows, np.array([False, False, True, False]), rows.actor)
    assert found == {"count": 2, "share": 0.5, "median_seconds": 30.0, "median_cases": 3.0}
    shares = by_case_number(rows, np.array([False, False, True, False]), rows.actor)
    assert shares == {"1": 0.0, "2": 0.0, "3": 1.0}


def test_precision_follows_from_prevalence():
    assert precision(0.01, 0.5, 0.0005) == pytest.approx(0.005 / (0.005 + 0.99 * 0.0005))
    assert precision(0.001, 0.0, 0.1) == 0
    assert np.isnan(precision(0.001, 0.0, 0.0))


@pytest.mark.parametrize("kind", ["call", "source"])
def test_what_a_blindfold_names_is_a_feature_of_a_row(kind):
    every = {name for other in ("call", "source") for name in Bundle.shipped(other).card.features}
    assert {name for one in BLINDFOLDS.values() for name in one} <= every


def test_a_blindfold_hides_what_it_names_and_leaves_the_rows_alone():
    scorer = Scorer(Bundle.shipped("call"))
    features = scorer.bundle.card.features
    rows = rows_of([0, 1, 2], [0, 1, 2])
    rows.features = np.ones((3, len(features)), np.float32)
    rows.types = np.array([0, 0, 1], np.uint32)
    hidden = blinded(rows, features, BLINDFOLDS["no identity headers"])
    assert np.isnan(hidden.features[:, features.index("verstat")]).all()
    assert (rows.features == 1).all()
    found = figures(scorer, hidden)
    assert found["cases"] == 3
    assert "| honest_flagged |" in table({WHOLE: found, "other": found})
