"""Entropy of small histograms against its twin, and against cases that are known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import entropy, reference_behaviour

HOUR_NS = 3600 * 10**9
BINS = st.lists(st.integers(0, entropy.BINS - 1), max_size=300)


@given(BINS)
def test_running_entropies_are_those_of_the_twin(bins):
    bins = np.array(bins, np.uint8)
    np.testing.assert_allclose(entropy.entropies(bins), reference_behaviour.entropies(bins), rtol=1e-4, atol=1e-4)


@given(BINS, st.integers(1, 23))
def test_another_time_zone_changes_nothing(bins, shift):
    bins = np.array(bins, np.uint8)
    np.testing.assert_array_equal(entropy.entropies(bins), entropy.entropies((bins + shift).astype(np.uint8) % 24))


def test_one_bin_has_no_entropy():
    ends = entropy.entropies(np.full(200, 7, np.uint8))
    assert np.isnan(ends[:3]).all()
    assert ends[3:] == pytest.approx(0, abs=1e-5)


def test_an_even_spread_has_the_most():
    assert entropy.entropies(np.tile(np.arange(24, dtype=np.uint8), 5))[-1] == pytest.approx(np.log2(24))


def test_few_events_are_corrected_as_miller_and_madow_say():
    rng = np.random.default_rng(1)
    ends = [entropy.entropies(rng.integers(0, 4, 12).astype(np.uint8))[-1] for _ in range(2000)]
    plain = [ends_of(rng.integers(0, 4, 12)) for _ in range(2000)]
    assert abs(np.mean(ends) - 2) < 0.05
    assert np.mean(plain) < 1.85


def ends_of(bins):
    shares = np.unique(bins, return_counts=True)[1] / len(bins)
    return -np.sum(shares * np.log2(shares))


def test_a_caller_who_changes_his_ways_is_seen_to():
    bins = np.concatenate([np.random.default_rng(1).integers(0, 24, 2000), np.full(500, 3)]).astype(np.uint8)
    ends = entropy.entropies(bins)
    assert ends[1999] > 4.2
    assert ends[-1] < 1.0


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=20))
def test_the_hour_is_that_of_the_day_at_all_times(times):
    want = [time // HOUR_NS % 24 for time in times]
    assert entropy.hours_of_day(np.array(times, np.int64)).tolist() == want


def test_other_shapes_and_dtypes_are_refused():
    with pytest.raises(TypeError, match="uint8"):
        entropy.entropies(np.zeros(3))
    with pytest.raises(ValueError, match="below 24"):
        entropy.entropies(np.array([24], np.uint8))
    with pytest.raises(TypeError, match="int64"):
        entropy.hours_of_day(np.zeros(3))
