# cython: language_level=3
"""Numbers of feature rows as people read them. A flagged call has four reasons, so this is near the packet path."""
from libc.math cimport fabs, floor, isnan, log10, rint, signbit

cdef double[23] POWERS_OF_TEN      # those that a double holds exactly


for _i in range(23):
    POWERS_OF_TEN[_i] = 10.0 ** _i


cdef inline bint is_near_tie(double scaled) noexcept nogil:
    """Halfway between two whole numbers, or so near that the product may be on the wrong side. Below 1e8 it is nearer
    to the exact one than this by far."""
    return fabs(fabs(scaled - rint(scaled)) - 0.5) < 1e-6


cdef inline str decimal(double value, int digits):
    """`value` with so many digits behind the point, as format() has it."""
    cdef double scaled = fabs(value) * POWERS_OF_TEN[digits]
    cdef long whole
    if not scaled < 1e8 or is_near_tie(scaled):
        return f"{value:.{digits}f}"
    whole = <long>rint(scaled)
    sign = "-" if signbit(value) else ""
    if digits == 0:
        return f"{sign}{whole}"
    if digits == 1:
        return f"{sign}{whole // 10}.{whole % 10}"
    return f"{sign}{whole // 100}.{whole % 100:02}"


cpdef str text(str unit, tuple words, double value):
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


cpdef double rounded(double value):
    """To six digits behind the point, as round() has it."""
    cdef double scaled = value * POWERS_OF_TEN[6]
    if not fabs(scaled) < 1e8 or is_near_tie(scaled):
        return round(value, 6)
    return rint(scaled) / POWERS_OF_TEN[6]


cpdef object shortened(double value):
    """Four significant digits: sketches and decayed counts are no more exact than that. None for NaN, not known."""
    cdef double scaled
    cdef int below
    if isnan(value):
        return None
    if not 1e-6 < fabs(value) < 1e6:    # 0 and what features hardly hold
        return float(f"{value:.4g}")
    below = 3 - <int>floor(log10(fabs(value)))      # of the last of the four; a power of ten may be taken for less
    scaled = value * POWERS_OF_TEN[below] if below >= 0 else value / POWERS_OF_TEN[-below]
    if is_near_tie(scaled):
        return float(f"{value:.4g}")
    return rint(scaled) / POWERS_OF_TEN[below] if below >= 0 else rint(scaled) * POWERS_OF_TEN[-below]
