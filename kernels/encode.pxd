# cython: language_level=3
"""Feature rows to int8 model input, by a monotone piecewise-linear function of each feature."""
from libc.stdint cimport int8_t

cdef enum:
    CODE_SPAN = 255             # codes are -128..127
    CODE_LOW = -128


cdef inline int8_t encode_value(float value, const float* knots, int count, int8_t missing) noexcept nogil:
    """The code of one value: where it lies among `count` ascending finite knots, spread evenly over -128..127.

    Below the first knot -128, above the last 127, between two knots linear; where knots are equal, the uppermost
    of them. NaN gives `missing`. Counting all knots has no branch to mispredict.
    """
    cdef int i, below = 0
    cdef double position
    if value != value:
        return missing
    for i in range(count):
        below += value >= knots[i]
    if below == 0:
        return CODE_LOW
    if below == count:
        return CODE_LOW + CODE_SPAN
    position = (<double>value - knots[below - 1]) / (<double>knots[below] - knots[below - 1]) + (below - 1)
    return <int8_t>(<int>(position * CODE_SPAN / (count - 1) + 0.5) + CODE_LOW)     # not negative: rounds to nearest


# Only codes are written, row after row; `knots` is [features, count].
cdef void encode_rows(const float* rows, Py_ssize_t row_count, int features, const float* knots, int count,
                      const int8_t* missing, int8_t* codes) noexcept nogil

cdef class Encoder:
    cdef readonly object knots              # float32 [features, knots], ascending in each row
    cdef readonly object missing            # int8 [features]
    cdef const float[:, ::1] knots_view
    cdef const int8_t[::1] missing_view
