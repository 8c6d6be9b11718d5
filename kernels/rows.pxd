# cython: language_level=3
"""Feature rows: what profiles and a call say, in the order of kernels/features.pxd.

Each writes its part of a row, float32. Profiles are read as of `now_ns` and not changed.
"""
from libc.stdint cimport int64_t, uint64_t

from kernels.behaviour cimport CallerProfile, SourceProfile
from kernels.calls cimport Call

cdef extern from *:
    """
    /* Seconds are clipped there, in rows and in sums. */
    #define SW_MOST_SECONDS 86400.0
    """
    const double MOST_SECONDS "SW_MOST_SECONDS"

cdef void caller_features(const CallerProfile* profile, int64_t now_ns, float* row) noexcept nogil
cdef void call_source_features(const SourceProfile* profile, int64_t now_ns, float* row) noexcept nogil
cdef void call_features(const Call* call, int stage, int64_t now_ns, float* row) noexcept nogil
cdef void source_features(const SourceProfile* profile, int64_t now_ns, float* row) noexcept nogil


cdef inline double seconds_between(int64_t from_ns, int64_t to_ns) noexcept nogil:
    """Not negative: packets out of order give 0."""
    return <double>(<uint64_t>to_ns - <uint64_t>from_ns) * 1e-9 if to_ns > from_ns else 0.0


cdef inline float clipped(double value, double most) noexcept nogil:
    return <float>(most if value > most else value)     # NaN stays
