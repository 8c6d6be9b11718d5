"""Decayed counters against their NumPy twin and the definition of a half-life."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kernels import decay, reference

TIMES = st.integers(-(2**62), 2**62 - 1)
COUNTS = hnp.arrays(np.float32, (3, 5), elements=st.floats(0, 2.0**60, width=32))


@given(COUNTS, TIMES, st.integers(-(10**15), 10**15))
def test_counts_decay_as_the_twin_says(counts, from_ns, elapsed_ns):
    to_ns = min(from_ns + elapsed_ns, 2**63 - 1)
    got = decay.decay(counts[None], np.array([from_ns]), np.array([to_ns]))
    want = reference.decay(counts[None], [from_ns], [to_ns])
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-11)


@pytest.mark.parametrize("h", range(3))
def test_half_is_left_after_a_half_life(h):
    counts = np.full((1, 3, 1), 8, np.float32)
    after = decay.decay(counts, np.array([0]), np.array([int(decay.HALF_LIVES_S[h] * 1e9)]))
    assert after[0, h, 0] == pytest.approx(4, rel=1e-6)


def test_a_time_that_goes_back_changes_nothing():
    counts = np.arange(6, dtype=np.float32).reshape(1, 3, 2)
    assert (decay.decay(counts, np.array([1000]), np.array([5])) == counts).all()


def test_the_widest_gap_between_two_times_does_not_overflow():
    counts = np.ones((1, 3, 1), np.float32)
    assert not decay.decay(counts, np.array([-(2**63)]), np.array([2**63 - 1])).any()


def test_a_count_that_fades_becomes_nothing_and_never_subnormal():
    counts = np.ones((1, 3, 1), np.float32)
    for minute in range(200):
        counts = decay.decay(counts, np.array([minute * 60 * 10**9]), np.array([(minute + 1) * 60 * 10**9]))
        assert counts[0, 0, 0] == 0 or counts[0, 0, 0] >= np.finfo(np.float32).tiny
    assert counts[0, 0, 0] == 0


def test_nan_does_not_survive():
    counts = np.full((1, 3, 1), np.nan, np.float32)
    assert not decay.decay(counts, np.array([0]), np.array([1])).any()


def test_no_blocks_and_no_counters_are_allowed():
    none = np.array([], np.int64)
    assert decay.decay(np.empty((0, 3, 4), np.float32), none, none).shape == (0, 3, 4)
    assert decay.decay(np.empty((1, 3, 0), np.float32), np.array([0]), np.array([9])).shape == (1, 3, 0)


def test_the_argument_is_not_written_to():
    counts = np.ones((1, 3, 1), np.float32)
    decay.decay(counts, np.array([0]), np.array([10**12]))
    assert (counts == 1).all()


def test_other_shapes_and_dtypes_are_refused():
    time = np.array([0])
    with pytest.raises(TypeError, match="counts: expected float32, got float64"):
        decay.decay(np.ones((1, 3, 1)), time, time)
    with pytest.raises(TypeError, match="to_ns: expected int64"):
        decay.decay(np.ones((1, 3, 1), np.float32), time, np.array([0.0]))
    with pytest.raises(ValueError, match=r"\[blocks, 3, counters\]"):
        decay.decay(np.ones((1, 2, 1), np.float32), time, time)
    with pytest.raises(ValueError, match="one time for each block"):
        decay.decay(np.ones((2, 3, 1), np.float32), time, time)
