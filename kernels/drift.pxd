# cython: language_level=3
"""Whether features or scores are still those a model was taught on: the population stability index.

PSI = sum over bins of (observed - expected) * ln(observed / expected), shares of a fixed histogram (Siddiqi 2006);
it is the symmetrised Kullback-Leibler divergence. Below 0.1 is usually taken for no change and above 0.25 for one that
needs a look. Both histograms are smoothed by DRIFT_PRIOR events in each bin, so that an empty bin gives no infinity.
"""
from libc.math cimport log
from libc.stdint cimport uint64_t

cdef extern from *:
    """
    /* Events that each bin begins with: the prior of Jeffreys. */
    #define SW_DRIFT_PRIOR 0.5
    """
    const double DRIFT_PRIOR "SW_DRIFT_PRIOR"


cdef inline int drift_bin(float value, const float* knots, int count) noexcept nogil:
    """0 below the first of `count` ascending knots .. count from the last on, and count + 1 for NaN."""
    cdef int i, below = 0
    if value != value:
        return count + 1
    for i in range(count):
        below += value >= knots[i]
    return below


cdef inline double drift_psi(const double* expected, const double* observed, int bins) noexcept nogil:
    """Of two histograms of counts, 0..; counts are finite and not negative."""
    cdef double expected_total = 0.0
    cdef double observed_total = 0.0
    cdef double sum = 0.0
    cdef double p, q
    cdef int i
    for i in range(bins):
        expected_total += expected[i] + DRIFT_PRIOR
        observed_total += observed[i] + DRIFT_PRIOR
    for i in range(bins):
        p = (expected[i] + DRIFT_PRIOR) / expected_total
        q = (observed[i] + DRIFT_PRIOR) / observed_total
        sum += (q - p) * log(q / p)
    return sum


# Counts the rows, [rows, features], into histograms, [features, knots + 2].
cdef void drift_count(const float* rows, Py_ssize_t row_count, int features, const float* knots, int count,
                      double* histograms) noexcept nogil

cdef class Drift:
    cdef readonly object knots          # float32 [features, knots]
    cdef readonly object counts         # float64 [features, knots + 2]
    cdef const float[:, ::1] knots_view
    cdef double[:, ::1] counts_view
