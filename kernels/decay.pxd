# cython: language_level=3
"""Exponentially decayed counters at three half-lives, lazily decayed.

A block of n counters is float32 [HALF_LIVES, n]: counts[h * n + i] is counter i at half-life h. An event of
amount a at time t is worth a * 2^-((now - t) / half_life) at `now`. The whole block shares one time, so that
three powers bring all its counters up to date, and a ratio of two counters is not moved by silence.
"""
from libc.math cimport exp2
from libc.stdint cimport int64_t, uint64_t

cdef extern from *:
    """
    #define SW_HALF_LIFE_MINUTE_S 60.0
    #define SW_HALF_LIFE_HOUR_S 3600.0
    #define SW_HALF_LIFE_DAY_S 86400.0
    /* Less than this is nothing. Keeps counters that fade out of the slow subnormal numbers. */
    #define SW_COUNT_FLOOR 1e-12f
    """
    const double HALF_LIFE_MINUTE_S "SW_HALF_LIFE_MINUTE_S"
    const double HALF_LIFE_HOUR_S "SW_HALF_LIFE_HOUR_S"
    const double HALF_LIFE_DAY_S "SW_HALF_LIFE_DAY_S"
    const float COUNT_FLOOR "SW_COUNT_FLOOR"

cdef enum:                      # half-lives
    MINUTE = 0
    HOUR = 1
    DAY = 2
    HALF_LIVES = 3


cdef inline void decay_scale(float* counts, int n, float factor) noexcept nogil:
    cdef int i
    cdef float count
    for i in range(n):
        count = counts[i] * factor
        counts[i] = count if count >= COUNT_FLOOR else 0.0


cdef inline void decay_factors(int64_t from_ns, int64_t to_ns, float* factors) noexcept nogil:
    """What is left of an event of `from_ns` at `to_ns`, for each half-life. All of it when time goes back.

    A day has 24 hours and an hour 60 minutes: one power and twelve products give what three powers would, to 1e-13.
    """
    cdef double elapsed_s, day, hour, power
    if to_ns <= from_ns:
        factors[MINUTE] = factors[HOUR] = factors[DAY] = 1.0
        return
    elapsed_s = <double>(<uint64_t>to_ns - <uint64_t>from_ns) * 1e-9    # unsigned: no overflow at any pair
    day = exp2(-elapsed_s / HALF_LIFE_DAY_S)
    power = day * day * day
    power *= power
    power *= power
    hour = power * power                                # day^24
    power = hour * hour
    power = power * power * hour
    power *= power * power
    power *= power                                      # hour^30
    factors[MINUTE] = <float>(power * power)
    factors[HOUR] = <float>hour
    factors[DAY] = <float>day


cdef inline void decay_counts(float* counts, int n, int64_t from_ns, int64_t to_ns) noexcept nogil:
    """Brings counts that were right at `from_ns` to `to_ns`. A time that goes back changes nothing."""
    cdef float[HALF_LIVES] factors
    if to_ns <= from_ns:
        return
    decay_factors(from_ns, to_ns, factors)
    decay_scale(counts, n, factors[MINUTE])
    decay_scale(counts + n, n, factors[HOUR])
    decay_scale(counts + 2 * n, n, factors[DAY])


cdef inline void decay_add(float* counts, int n, int which, float amount) noexcept nogil:
    """Notes an event of counter `which` at all half-lives; the block is up to date."""
    counts[which] += amount
    counts[n + which] += amount
    counts[2 * n + which] += amount
