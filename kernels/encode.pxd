# cython: language_level=3
"""Feature rows to int8 model input, by a monotone piecewise-linear function of each feature.

The code of a value says where it lies among the `count` ascending finite knots of its feature, spread evenly over
-128..127: below the first knot -128, above the last 127, between two knots linear; where knots are equal, the
uppermost of them, which a value that is below it by less than KNOT_TOLERANCE has reached. NaN has a code of its own.
"""
from libc.stdint cimport int8_t

cdef enum:
    CODE_SPAN = 255             # codes are -128..127
    CODE_LOW = -128

cdef struct Tables:             # of one encoder, for `padded` features: those of a row and some more, never read out
    int features
    int padded                  # a whole number of LANES
    int count                   # knots of a feature
    const float* across         # [count, padded]: where the first knot of every feature is reached, the second, ...
    const float* knots          # [padded, count]
    const double* slopes        # [padded, count]: codes a unit from a knot to the next; finite
    double step                 # codes from a knot to the next
    const int8_t* missing       # [padded]

# Rows are one after the other; so are the codes.
cdef void encode_rows(const Tables* tables, const float* rows, Py_ssize_t row_count, int8_t* codes) noexcept nogil

cdef class Encoder:
    cdef readonly object knots              # float32 [features, knots], ascending in each row
    cdef readonly object missing            # int8 [features]
    cdef Tables tables
    cdef tuple held                         # the arrays that the tables point into
