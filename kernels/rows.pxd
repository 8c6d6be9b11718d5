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
    /* Counts are clipped there. */
    #define SW_MOST_EVENTS 1e6
    /* Events. */
    #define SW_PRIOR_WEIGHT 2.0f
    #define SW_USUAL_DISTINCT_RATIO 0.5f
    """
    const double MOST_SECONDS "SW_MOST_SECONDS"
    const double MOST_EVENTS "SW_MOST_EVENTS"
    const float PRIOR_WEIGHT "SW_PRIOR_WEIGHT"
    const float USUAL_DISTINCT_RATIO "SW_USUAL_DISTINCT_RATIO"

cdef enum:
    MAX_EVIDENCE = 32           # calls or requests; more is no news, and would tell how long one was watched

cdef void caller_features(const CallerProfile* profile, int64_t now_ns, float* row) noexcept nogil
cdef void call_source_features(const SourceProfile* profile, int64_t now_ns, float* row) noexcept nogil
cdef void call_features(const Call* call, int stage, int64_t now_ns, float* row) noexcept nogil
cdef void source_features(const SourceProfile* profile, int64_t now_ns, float* row) noexcept nogil


cdef inline double seconds_between(int64_t from_ns, int64_t to_ns) noexcept nogil:
    """Not negative: packets out of order give 0."""
    return <double>(<uint64_t>to_ns - <uint64_t>from_ns) * 1e-9 if to_ns > from_ns else 0.0


cdef inline float clipped(double value, double most) noexcept nogil:
    return <float>(most if value > most else value)     # NaN stays


cdef inline float shrunk(float part, float whole, float usual) noexcept nogil:
    return (part + PRIOR_WEIGHT * usual) / (whole + PRIOR_WEIGHT)


cdef inline float share(const float* counts, int part, int whole, float left, float usual) noexcept nogil:
    """Of two counters of one half-life, of which `left` is left since they were up to date."""
    return shrunk(counts[part] * left, counts[whole] * left, usual)


cdef inline float distinct_ratio(double different, double seen) noexcept nogil:
    return shrunk(<float>min(different, seen), <float>seen, USUAL_DISTINCT_RATIO)
