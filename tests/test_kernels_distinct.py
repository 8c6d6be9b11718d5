"""Sketches of distinct keys against their twin and against exact counts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import reference
from kernels.distinct import distinct_counts

WINDOW_NS = 1000
KEYS = st.lists(st.tuples(st.integers(0, 2**64 - 1), st.integers(-500, 1500)), max_size=40)


def random_keys(n, seed=1):
    return np.random.default_rng(seed).integers(0, 2**64, n, dtype=np.uint64)


def last_count(keys):
    return distinct_counts(keys, np.zeros(len(keys), np.int64), WINDOW_NS)[-1]


@given(KEYS)
def test_running_counts_are_those_of_the_twin_whatever_the_steps_of_time(steps):
    keys = np.array([key for key, _ in steps], np.uint64)
    times = np.cumsum([0, *(step for _, step in steps)])[1:].astype(np.int64)
    np.testing.assert_allclose(
        distinct_counts(keys, times, WINDOW_NS), reference.distinct_counts(keys, times, WINDOW_NS), rtol=1e-9
    )


@pytest.mark.parametrize("n", [10, 30, 100, 300, 1000, 10_000, 100_000])
def test_the_error_is_that_of_64_registers(n):
    errors = np.array([last_count(random_keys(n, seed)) / n - 1 for seed in range(100)])
    assert abs(errors.mean()) < 0.05
    assert errors.std() < 1.3 * 1.04 / 8


@pytest.mark.parametrize("n", range(1, 6))
def test_a_handful_of_keys_is_counted_to_within_one(n):
    counts = np.array([last_count(random_keys(n, seed)) for seed in range(200)])
    assert (abs(counts - n) < 1.1).mean() > 0.95


def test_a_key_that_comes_again_does_not_count_again():
    keys = np.repeat(random_keys(1), 1000)
    assert last_count(keys) == pytest.approx(1, abs=0.02)


def test_what_is_older_than_two_windows_is_forgotten():
    keys = random_keys(101)
    times = np.append(np.zeros(100, np.int64), 2 * WINDOW_NS)
    assert distinct_counts(keys, times, WINDOW_NS)[-1] == pytest.approx(1, abs=0.02)


def test_the_window_before_still_counts():
    keys = random_keys(101)
    times = np.append(np.zeros(100, np.int64), WINDOW_NS)
    counts = distinct_counts(keys, times, WINDOW_NS)
    assert counts[-1] >= counts[-2] > 70


def test_a_time_that_goes_back_counts_to_the_present_window():
    keys = random_keys(2)
    assert distinct_counts(keys, np.array([10**9, 0]), WINDOW_NS)[-1] == pytest.approx(2, abs=0.1)


def test_extreme_times_and_keys_are_finite():
    keys = np.array([0, 2**64 - 1, 2**58 - 1, 2**58], np.uint64)
    times = np.array([-(2**63), 2**63 - 1, 0, 2**63 - 1])
    assert np.isfinite(distinct_counts(keys, times, WINDOW_NS)).all()


def test_no_keys_give_no_counts():
    assert distinct_counts(np.array([], np.uint64), np.array([], np.int64), WINDOW_NS).shape == (0,)


def test_other_shapes_dtypes_and_windows_are_refused():
    keys, times = random_keys(2), np.zeros(2, np.int64)
    with pytest.raises(TypeError, match="uint64 keys"):
        distinct_counts(keys.astype(np.int64), times, WINDOW_NS)
    with pytest.raises(ValueError, match="one length"):
        distinct_counts(keys, times[:1], WINDOW_NS)
    with pytest.raises(ValueError, match="window_ns"):
        distinct_counts(keys, times, 0)
