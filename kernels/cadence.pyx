# cython: language_level=3
"""The Python face of cadence."""
from libc.string cimport memset

import numpy as np

MEMORY = CADENCE_MEMORY


cdef void read_each(const double[::1] intervals_s, double[:, ::1] out) noexcept nogil:
    cdef Cadence cadence
    cdef Py_ssize_t i
    memset(&cadence, 0, sizeof(Cadence))
    for i in range(intervals_s.shape[0]):
        cadence_add(&cadence, intervals_s[i])
        out[i, 0] = cadence_mean(&cadence)
        out[i, 1] = cadence_cv(&cadence)
        out[i, 2] = cadence_burstiness(&cadence)


def cadence(intervals_s):
    """Running mean (s), coefficient of variation and burstiness of intervals.

    intervals_s: float64 [n], seconds; entries that are negative, NaN or not below 1e12 are left out.
    Returns float64 [n, 3]: mean (NaN before the first interval), cv and burstiness (NaN before the second).
    Raises ValueError on another shape, TypeError on another dtype.
    """
    intervals_s = np.ascontiguousarray(intervals_s)
    if intervals_s.dtype != np.float64:
        raise TypeError(f"intervals_s: expected float64, got {intervals_s.dtype}")
    if intervals_s.ndim != 1:
        raise ValueError(f"intervals_s: expected shape [n], got {list(intervals_s.shape)}")
    out = np.empty((len(intervals_s), 3), np.float64)
    read_each(intervals_s, out)
    return out
