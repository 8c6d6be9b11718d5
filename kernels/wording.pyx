# cython: language_level=3
"""Numbers of feature rows as people read them. A flagged call has four reasons, so this is near the packet path."""
from libc.math cimport fabs, floor, isnan, log10, rint, signbit

cdef double[23] POWERS_OF_TEN      # those that a double holds exactly


for _i in range(23):
    POWERS_OF_TEN[_i] = 10.0 ** _i


cdef inline str decimal(double value, int digits):
    """`value` with so many digits behind the point, as format() has it: ties to even."""
    cdef long scaled
    if not fabs(value) < 1e9:           # beyond any feature
        return f"{value:.{digits}f}"
    scaled = <long>rint(fabs(value) * POWERS_OF_TEN[digits])
    sign = "-" if signbit(value) else ""
    if digits == 0:
        return f"{sign}{scaled}"
    if digits == 1:
        return f"{sign}{scaled // 10}.{scaled % 10}"
    return f"{sign}{scaled // 100}.{scaled % 100:02}"


def text(str unit, tuple words, double value) -> str:
    """A value of a feature with such a unit, and such words for its values when it is a flag or class."""
    if isnan(value):
        return "not known"
    if words:
        return words[min(max(<int>rint(min(max(value, 0.0), 1e6)), 0), len(words) - 1)]
    if unit == "ratio":
        return decimal(100 * value, 0) + " %"
    if unit == "s":
        return decimal(value, 1 if value < 100 else 0) + " s"
    if unit == "":
        return decimal(value, 2)
    return decimal(value, 1).removesuffix(".0") if value < 10 else decimal(value, 0)


def rounded(double value, int digits=6) -> float:
    """To so many digits behind the point."""
    return rint(value * POWERS_OF_TEN[digits]) / POWERS_OF_TEN[digits]


def shortened(double value) -> float | None:
    """Four significant digits: sketches and decayed counts are no more exact than that. None for NaN, not known."""
    cdef int below
    if isnan(value):
        return None
    if not 1e-6 < fabs(value) < 1e6:    # 0 and what features hardly hold
        return float(f"{value:.4g}")
    below = 3 - <int>floor(log10(fabs(value)))      # of the last of the four; a power of ten may be taken for less
    if below >= 0:
        return rint(value * POWERS_OF_TEN[below]) / POWERS_OF_TEN[below]
    return rint(value / POWERS_OF_TEN[-below]) * POWERS_OF_TEN[-below]
