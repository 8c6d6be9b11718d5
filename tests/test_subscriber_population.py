"""Simulated subscribers: repeatable, whole, and as their habits say."""

import numpy as np
import pytest

from kernels.reference_subscriber import COLUMNS, DAY_S
from models.training.subscriber_population import MOST_CALLS, POPULATIONS, calls_of, drawn_habits, simulate

PARTS = [part for side in ("honest", "fraud") for part in POPULATIONS[side]]


def calls(habits: dict, seed: int = 1):
    return calls_of(drawn_habits(habits, seed), np.random.default_rng(seed))


def test_the_same_seed_gives_the_same_subscribers_and_another_does_not():
    one, again, other = (simulate(seed, 6)[0] for seed in (5, 5, 6))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


def test_half_are_fraud_and_every_population_has_a_name_of_its_own():
    _, fraud, names = simulate(7, 40)
    assert (len(fraud), fraud.sum()) == (80, 40)
    assert len({part["name"] for part in PARTS}) == len(PARTS)
    assert set(names) <= {part["name"] for part in PARTS}


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part["name"])
def test_a_population_says_only_what_all_subscribers_have(part):
    assert set(part) - set(POPULATIONS["shared"]) == {"name", "weight"}


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part["name"])
def test_calls_are_whole_and_bounded(part):
    for seed in range(5):
        made = calls(part, seed)
        assert 1 <= len(made.time_s) <= MOST_CALLS
        assert len({len(column) for column in made}) == 1
        assert (made.duration_s >= 1).all()
        assert (made.duration_s == np.round(made.duration_s)).all()


def test_a_line_that_is_never_used_still_has_one_call():
    made = calls({"contact_calls": 0.0, "stranger_calls": 0.0, "work_calls": 0.0})
    assert len(made.time_s) == 1


def test_work_in_a_spell_stays_within_it():
    habits = {"contact_calls": 0.0, "stranger_calls": 0.0, "work_calls": 50.0, "days": 100, "active_ratio": 1.0}
    short, long = (calls(habits | {"work_span": span}).time_s // DAY_S for span in (0.05, 1.0))
    # five days, and calls that are tried again on the next
    assert np.ptp(short) <= 7
    assert np.ptp(long) > 80


def test_callbacks_are_the_incoming_share_of_work():
    habits = {"contact_calls": 0.0, "stranger_calls": 0.0, "work_calls": 100.0, "work_repeats": 0.0}
    made = calls(habits | {"work_callbacks": 0.25, "days": 50})
    assert np.mean(made.outgoing) == pytest.approx(1 / 1.25, abs=0.02)


def test_closer_contacts_are_called_more_by_whoever_has_some():
    habits = {"stranger_calls": 0.0, "contact_calls": 20.0, "contacts": 10, "days": 100}
    even, skewed = (np.bincount(calls(habits | {"contact_skew": skew}).counterpart).max() for skew in (0.0, 2.0))
    assert skewed > 3 * even


def test_honest_and_fraud_lines_are_both_seen_for_days_and_for_months():
    statistics, fraud, _ = simulate(9, 150)
    days = statistics[:, COLUMNS.index("voc_day_nunique")]
    for kind in (fraud, ~fraud):
        assert (days[kind] <= 7).any()
        assert (days[kind] >= 28).any()
