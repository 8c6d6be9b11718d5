"""Drift against its twin, and the index against what is known of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from kernels import reference_behaviour
from kernels.drift import Drift, population_stability

COUNTS = arrays.arrays(np.float64, (3, 5), elements=st.floats(0, 1e9))
KNOTS = np.array([[0.0, 1.0, 1.0, 4.0], [-5.0, -1.0, 0.0, 7.5]], np.float32)
VALUES = st.one_of(st.floats(-10, 10, width=32), st.sampled_from([np.nan, np.inf, -np.inf, 1.0, 7.5]))


@given(COUNTS, COUNTS)
def test_the_index_is_that_of_the_twin(expected, observed):
    want = reference_behaviour.population_stability(expected, observed)
    np.testing.assert_allclose(population_stability(expected, observed), want, rtol=1e-9, atol=1e-12)


@given(arrays.arrays(np.float32, st.tuples(st.integers(0, 30), st.just(2)), elements=VALUES))
def test_histograms_are_those_of_the_twin(rows):
    drift = Drift(KNOTS)
    drift.add(rows)
    np.testing.assert_array_equal(drift.counts, reference_behaviour.drift_counts(KNOTS, rows))


@given(COUNTS, COUNTS)
def test_the_index_is_symmetric_and_not_negative(expected, observed):
    index = population_stability(expected, observed)
    assert (index >= -1e-12).all()
    np.testing.assert_allclose(index, population_stability(observed, expected), rtol=1e-9, atol=1e-12)


def moved(by):
    """The index of 20 000 normal values that moved, against deciles of others that did not."""
    rng = np.random.default_rng(1)
    taught = rng.normal(size=(20_000, 1)).astype(np.float32)
    knots = np.quantile(taught, np.linspace(0, 1, 11)[1:-1], axis=0).T.astype(np.float32)
    before, after = Drift(knots), Drift(knots)
    before.add(taught)
    after.add((rng.normal(size=(20_000, 1)) + by).astype(np.float32))
    return after.stability(before.counts)[0]


def test_what_has_not_moved_is_below_a_tenth_and_what_has_above_a_quarter():
    assert moved(0.0) < 0.005
    assert moved(0.1) < 0.1
    assert moved(0.6) > 0.25


def test_an_empty_histogram_has_an_index():
    assert population_stability(np.zeros((1, 4)), np.zeros((1, 4)))[0] == 0
    assert np.isfinite(population_stability(np.zeros((1, 4)), np.array([[1e12, 0, 0, 0]]))).all()


def test_older_rows_fade():
    drift = Drift(KNOTS)
    drift.add(np.zeros((8, 2), np.float32))
    drift.forget(0.25)
    assert drift.counts.sum() == 12
    drift.forget(1.0)
    assert drift.counts.sum() == 0


def test_other_shapes_and_dtypes_are_refused():
    with pytest.raises(TypeError, match="float64"):
        population_stability(np.zeros((1, 2), np.float32), np.zeros((1, 2)))
    with pytest.raises(ValueError, match="one shape"):
        population_stability(np.zeros((1, 2)), np.zeros((1, 3)))
    with pytest.raises(ValueError, match="not negative"):
        population_stability(np.zeros((1, 2)), np.array([[1.0, np.nan]]))
    with pytest.raises(TypeError, match="knots: expected float32"):
        Drift(KNOTS.astype(np.float64))
    with pytest.raises(ValueError, match="ascending"):
        Drift(KNOTS[:, ::-1])
    with pytest.raises(ValueError, match="knots: expected shape"):
        Drift(KNOTS[0])
    with pytest.raises(ValueError, match="rows: expected shape"):
        Drift(KNOTS).add(np.zeros((2, 3), np.float32))
    with pytest.raises(TypeError, match="rows: expected float32"):
        Drift(KNOTS).add(np.zeros((2, 2)))
    with pytest.raises(ValueError, match="share"):
        Drift(KNOTS).forget(1.5)
