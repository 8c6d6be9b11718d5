"""Space-Saving with forgetting against its twin, and its bounds against exact sums."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import heavy, reference_behaviour

SECOND = 10**9
# whole half-lives, so that every amount is exact and ties fall as in the twin
STEPS = st.lists(st.tuples(st.integers(1, 14), st.sampled_from([0, 0, 0, 1, 2, 50])), max_size=120)


def stream(steps):
    keys = np.array([key for key, _ in steps], np.uint32)
    return keys, np.cumsum(np.array([8 * SECOND * step for _, step in steps], np.int64))


def exact(keys, times_ns, key=None):
    """The decayed sum of a key, or of all, as of the last time."""
    weights = np.exp2(-(times_ns[-1] - times_ns) * 1e-9 / 8.0)
    return weights[keys == key].sum() if key is not None else weights.sum()


@given(STEPS)
def test_running_amounts_are_those_of_the_twin(steps):
    keys, times_ns = stream(steps)
    want = reference_behaviour.heavy_hitters(keys, times_ns, 8.0)
    np.testing.assert_allclose(heavy.heavy_hitters(keys, times_ns, 8.0), want, rtol=1e-6, atol=1e-11)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=300), st.lists(st.integers(0, 20), min_size=1, max_size=300))
def test_no_key_is_given_more_than_it_has_and_a_heavy_one_little_less(keys, steps):
    n = min(len(keys), len(steps))
    keys, times_ns = np.array(keys[:n], np.uint32), np.cumsum(np.array(steps[:n], np.int64) * SECOND)
    count, most, total = heavy.heavy_hitters(keys, times_ns, 8.0)[-1]
    true = exact(keys, times_ns, keys[-1])
    assert total == pytest.approx(exact(keys, times_ns), rel=1e-3)
    assert count <= true * (1 + 1e-3)
    assert count >= true - total / heavy.ENTRIES - 1e-3
    assert most >= count


def test_a_range_that_draws_a_fifth_of_the_calls_is_found_among_thousands():
    rng = np.random.default_rng(1)
    keys = np.where(rng.random(5000) < 0.2, 7, rng.integers(100, 10_000, 5000)).astype(np.uint32)
    keys[-1] = 7
    times_ns = np.arange(5000) * SECOND
    count, most, total = heavy.heavy_hitters(keys, times_ns, 3600.0)[-1]
    assert count == most
    assert 0.05 < count / total < 0.22


def test_what_was_heavy_yesterday_is_forgotten():
    keys = np.array([1] * 100 + [2, 2, 2], np.uint32)
    times_ns = np.array([0] * 100 + [10**6 * SECOND] * 3, np.int64)
    assert heavy.heavy_hitters(keys, times_ns, 3600.0)[-1].tolist() == [3, 3, 3]


def test_time_that_goes_back_takes_nothing_away():
    keys, times_ns = np.array([1, 1, 1], np.uint32), np.array([10**12, 0, -(2**63)], np.int64)
    assert heavy.heavy_hitters(keys, times_ns, 60.0)[:, 0].tolist() == [1, 2, 3]


def test_other_shapes_and_dtypes_are_refused():
    keys, times_ns = np.ones(3, np.uint32), np.zeros(3, np.int64)
    with pytest.raises(TypeError, match="uint32"):
        heavy.heavy_hitters(np.ones(3), times_ns, 1.0)
    with pytest.raises(ValueError, match="no key 0"):
        heavy.heavy_hitters(np.zeros(3, np.uint32), times_ns, 1.0)
    with pytest.raises(ValueError, match="one length"):
        heavy.heavy_hitters(keys, times_ns[:2], 1.0)
    for half_life_s in (0.0, -1.0, np.nan):
        with pytest.raises(ValueError, match="half_life_s"):
            heavy.heavy_hitters(keys, times_ns, half_life_s)
