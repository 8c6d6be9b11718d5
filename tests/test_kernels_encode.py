"""The input encoding against its twin, and what every encoding must hold to."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kernels import reference
from kernels.encode import Encoder

FINITE = st.floats(-(2.0**100), 2.0**100, width=32)
VALUES = st.one_of(FINITE, st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -0.0]))


@st.composite
def cases(draw):
    features, count, n = draw(st.integers(1, 4)), draw(st.integers(2, 17)), draw(st.integers(0, 6))
    knots = np.sort(draw(hnp.arrays(np.float32, (features, count), elements=FINITE)), axis=1)
    missing = draw(hnp.arrays(np.int8, features))
    values = st.one_of(VALUES, st.sampled_from(knots.ravel().tolist()))
    return knots, missing, draw(hnp.arrays(np.float32, (n, features), elements=values))


@given(cases())
def test_codes_are_those_of_the_twin(case):
    knots, missing, rows = case
    assert (Encoder(knots, missing).encode(rows) == reference.encode(rows, knots, missing)).all()


@given(cases())
def test_a_greater_value_never_has_a_smaller_code(case):
    knots, missing, rows = case
    ordered = np.sort(np.nan_to_num(rows), axis=0)
    assert (np.diff(Encoder(knots, missing).encode(ordered).astype(int), axis=0) >= 0).all()


def test_knots_are_spread_evenly_and_between_them_it_is_linear():
    encoder = Encoder(np.array([[0, 10, 1000, 1001]], np.float32), np.array([0], np.int8))
    rows = np.array([[-5], [0], [5], [10], [1000], [1001], [2000]], np.float32)
    assert encoder.encode(rows).ravel().tolist() == [-128, -128, -85, -43, 42, 127, 127]


def test_nan_has_the_code_that_the_model_chose_for_it():
    encoder = Encoder(np.array([[0, 1], [0, 1]], np.float32), np.array([-7, 99], np.int8))
    assert encoder.encode(np.full((1, 2), np.nan, np.float32)).tolist() == [[-7, 99]]


def test_infinities_are_clipped_to_the_ends():
    encoder = Encoder(np.array([[0, 1]], np.float32), np.array([0], np.int8))
    assert encoder.encode(np.array([[np.inf], [-np.inf]], np.float32)).ravel().tolist() == [127, -128]


def test_equal_knots_stand_for_the_uppermost_of_them():
    encoder = Encoder(np.array([[0, 0, 0, 0, 1]], np.float32), np.array([0], np.int8))
    assert encoder.encode(np.array([[0], [-1e-9]], np.float32)).ravel().tolist() == [63, -128]


def test_what_is_below_a_knot_by_less_than_a_sketch_can_tell_has_reached_it():
    encoder = Encoder(np.array([[0, 1.0079603, 1.0079603, 1.0079603, 9]], np.float32), np.array([0], np.int8))
    rows = np.array([[1.0078315], [1.0079603], [1.0080432], [0.99]], np.float32)
    assert encoder.encode(rows).ravel().tolist() == [63, 63, 63, -65]


def test_codes_can_be_written_to_an_array_at_hand():
    encoder = Encoder(np.array([[0, 1]], np.float32), np.array([0], np.int8))
    out = np.zeros((2, 1), np.int8)
    assert encoder.encode(np.ones((2, 1), np.float32), out) is out
    assert (out == 127).all()


def test_tables_that_are_not_monotone_and_finite_are_refused():
    missing = np.array([0], np.int8)
    for knots in ([[1, 0]], [[0, np.nan]], [[0, np.inf]]):
        with pytest.raises(ValueError, match="ascending"):
            Encoder(np.array(knots, np.float32), missing)
    with pytest.raises(ValueError, match="n >= 2"):
        Encoder(np.array([[0]], np.float32), missing)
    with pytest.raises(ValueError, match="missing"):
        Encoder(np.array([[0, 1], [0, 1]], np.float32), missing)
    with pytest.raises(TypeError, match="float32 knots"):
        Encoder(np.array([[0, 1]]), missing)


def test_rows_and_outputs_of_another_shape_or_dtype_are_refused():
    encoder = Encoder(np.array([[0, 1]], np.float32), np.array([0], np.int8))
    with pytest.raises(ValueError, match=r"rows: expected shape \[n, 1\], got \[1, 2\]"):
        encoder.encode(np.zeros((1, 2), np.float32))
    with pytest.raises(TypeError, match="rows: expected float32"):
        encoder.encode(np.zeros((1, 1)))
    with pytest.raises(ValueError, match="out: expected shape"):
        encoder.encode(np.zeros((2, 1), np.float32), np.zeros((1, 1), np.int8))
    with pytest.raises(TypeError, match="out: expected int8"):
        encoder.encode(np.zeros((2, 1), np.float32), np.zeros((2, 1), np.uint8))
