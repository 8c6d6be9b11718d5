"""Numbers as people read them, against Python's own formatting."""

import math

from hypothesis import given
from hypothesis import strategies as st

from kernels.wording import rounded, shortened, text

VALUES = st.one_of(
    st.floats(width=32, allow_nan=False, allow_infinity=False),
    st.floats(0, 10, width=32),
    st.floats(-1, 1, width=32),
    st.integers(0, 2**20).map(lambda number: number / 2**9),  # many ties
    st.sampled_from([0.0, 0.5, 1.5, 2.5, 9.95, 9.5, 99.95, 99.5, 100.0, 999.95, 9999.5, 1e5, 12345.0]),
)


@given(VALUES)
def test_values_are_written_as_python_writes_them(value):
    assert text("ratio", (), value) == f"{100 * value:.0f} %"
    assert text("", (), value) == f"{value:.2f}"
    assert text("s", (), value) == (f"{value:.1f} s" if value < 100 else f"{value:.0f} s")
    assert text("calls", (), value) == (f"{value:.1f}".removesuffix(".0") if value < 10 else f"{value:.0f}")


@given(VALUES)
def test_four_digits_are_those_of_python(value):
    assert shortened(value) == float(f"{value:.4g}")


@given(st.floats(0, 1))
def test_six_digits_behind_the_point_are_those_of_python(value):
    assert math.isclose(rounded(value), round(value, 6), abs_tol=1.1e-6)  # one step where it is a tie
    assert rounded(value) == float(f"{rounded(value):.6f}")


def test_words_stand_for_the_values_of_a_flag_or_class():
    words = ("no", "perhaps", "yes")
    assert [text("class", words, value) for value in (-1.0, 0.4, 1.0, 7.0)] == ["no", "no", "perhaps", "yes"]


def test_what_is_not_known_has_no_value():
    assert shortened(math.nan) is None
    assert text("s", (), math.nan) == text("flag", ("no", "yes"), math.nan) == "not known"
