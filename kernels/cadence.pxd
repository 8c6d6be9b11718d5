# cython: language_level=3
"""The rhythm of events: running mean and spread of the intervals between them, and how bursty it is.

Welford 1962 while there are few intervals; from CADENCE_MEMORY on each new one weighs 1 / CADENCE_MEMORY
and older ones fade (West 1979), so that a caller who changes his ways is seen to. Burstiness is Goh and
Barabasi's B = (r - 1) / (r + 1), r = standard deviation / mean, with the correction for few events of Kim and
Jo 2016 (Physical Review E 94, 032311, equation 22): -1 regular like a clock, 0 as by chance, 1 bursts.
"""
from libc.math cimport NAN, sqrt
from libc.stdint cimport uint32_t

cdef enum:
    CADENCE_MEMORY = 32         # intervals; enough to tell chance from a clock, few enough to forget older ways

cdef struct Cadence:            # all zero is the empty one
    double mean_s
    double variance             # of the population, s^2
    uint32_t intervals          # at most CADENCE_MEMORY


cdef inline void cadence_add(Cadence* cadence, double interval_s) noexcept nogil:
    """Takes an interval in seconds. What is negative, infinite or NaN is not an interval and is left out."""
    cdef double weight, delta
    if not 0.0 <= interval_s < 1e12:
        return
    if cadence.intervals < CADENCE_MEMORY:
        cadence.intervals += 1
    weight = 1.0 / cadence.intervals
    delta = interval_s - cadence.mean_s
    cadence.mean_s += weight * delta
    cadence.variance = (1.0 - weight) * (cadence.variance + weight * delta * delta)


cdef inline double cadence_mean(const Cadence* cadence) noexcept nogil:
    """Seconds; NaN without an interval."""
    return cadence.mean_s if cadence.intervals else NAN


cdef inline double cadence_cv(const Cadence* cadence) noexcept nogil:
    """Standard deviation / mean, 0..sqrt(CADENCE_MEMORY - 1); NaN below two intervals, 0 when all are 0 s."""
    if cadence.intervals < 2:
        return NAN
    return sqrt(cadence.variance) / cadence.mean_s if cadence.mean_s > 0.0 else 0.0


cdef inline double cadence_burstiness(const Cadence* cadence) noexcept nogil:
    """-1..1; NaN below two intervals, -1 when all are 0 s."""
    cdef double r = cadence_cv(cadence)
    cdef double more = sqrt(cadence.intervals + 1.0)
    cdef double less = sqrt(cadence.intervals - 1.0)
    return (more * r - less) / ((more - 2.0) * r + less)
