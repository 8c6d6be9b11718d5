"""Cadence against its twin, and burstiness against the cases that define it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import cadence, reference

INTERVALS = st.lists(st.one_of(st.floats(0, 1e6), st.sampled_from([0.0, -1.0, np.nan, np.inf, 1e-9])), max_size=150)


@given(INTERVALS)
def test_running_values_are_those_of_the_twin(intervals):
    intervals = np.array(intervals, np.float64)
    got, want = cadence.cadence(intervals), reference.cadence(intervals)
    assert (np.isnan(got) == np.isnan(want)).all()
    np.testing.assert_allclose(got[:, 0], want[:, 0], rtol=1e-9, atol=1e-12)
    # the spread of equal intervals is nothing but rounding: half the digits of a double are left of it
    np.testing.assert_allclose(got[:, 1:], want[:, 1:], rtol=1e-6, atol=1e-6)


@given(INTERVALS)
def test_values_stay_in_their_ranges(intervals):
    mean, cv, burstiness = cadence.cadence(np.array(intervals, np.float64)).T
    assert (mean[~np.isnan(mean)] >= 0).all()
    assert ((cv[~np.isnan(cv)] >= 0) & (cv[~np.isnan(cv)] <= np.sqrt(cadence.MEMORY - 1) + 1e-9)).all()
    assert (abs(burstiness[~np.isnan(burstiness)]) <= 1 + 1e-9).all()


def test_while_few_the_mean_and_spread_are_those_of_all_intervals():
    intervals = np.random.default_rng(1).exponential(3.0, cadence.MEMORY)
    mean, cv, _ = cadence.cadence(intervals)[-1]
    assert mean == pytest.approx(intervals.mean())
    assert cv == pytest.approx(intervals.std() / intervals.mean())


def test_a_clock_has_burstiness_minus_one():
    assert cadence.cadence(np.full(30, 60.0))[-1].tolist() == [60, 0, -1]


def test_calls_by_chance_have_burstiness_around_zero():
    ends = [cadence.cadence(np.random.default_rng(seed).exponential(5.0, 60))[-1, 2] for seed in range(200)]
    assert abs(np.mean(ends)) < 0.03


def test_one_pause_among_calls_at_once_has_burstiness_one():
    assert cadence.cadence(np.append(np.zeros(20), 100.0))[-1, 2] == pytest.approx(1)


def test_calls_all_at_once_are_regular():
    assert cadence.cadence(np.zeros(5))[-1].tolist() == [0, 0, -1]


def test_a_caller_who_changes_his_ways_is_seen_to():
    intervals = np.concatenate([np.random.default_rng(1).exponential(600.0, 500), np.full(400, 5.0)])
    mean, cv, _ = cadence.cadence(intervals)[-1]
    assert mean == pytest.approx(5, rel=0.5)
    assert cv < cadence.cadence(intervals)[499, 1]


def test_too_few_intervals_are_not_known():
    assert np.isnan(cadence.cadence(np.array([np.nan]))).all()
    one = cadence.cadence(np.array([2.0]))[0]
    assert one[0] == 2
    assert np.isnan(one[1:]).all()
    assert cadence.cadence(np.array([])).shape == (0, 3)


def test_other_shapes_and_dtypes_are_refused():
    with pytest.raises(TypeError, match="float64"):
        cadence.cadence(np.ones(3, np.float32))
    with pytest.raises(ValueError, match=r"shape \[n\]"):
        cadence.cadence(np.ones((3, 1)))
