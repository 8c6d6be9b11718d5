# cython: language_level=3
"""How evenly events are spread over a few bins: the entropy of a small histogram that forgets.

Shannon's entropy in bits with the correction of Miller and Madow for few events, + (filled bins - 1) / (2 n) nats
(Miller 1955), at most that of an even spread. At SPREAD_MEMORY events all counts are halved, so that the latest
hundred or so are what counts. The sum over bins of n log2 n is kept in whole numbers: reading takes no logarithm, and
adding and taking away leaves no error. The entropy of the hours of the day does not depend on the time zone: another
zone only gives the hours other names.
"""
from libc.math cimport NAN
from libc.stdint cimport int64_t, uint8_t, uint32_t

cdef extern from *:
    """
    #define SW_HOUR_NS (3600LL * 1000000000)
    #define SW_DAY_NS (24 * SW_HOUR_NS)
    """
    const int64_t HOUR_NS "SW_HOUR_NS"
    const int64_t DAY_NS "SW_DAY_NS"

cdef enum:
    SPREAD_BINS = 24            # hours of a day
    SPREAD_MEMORY = 128         # events; halved then
    SPREAD_LEAST = 4            # fewer events say nothing
    SPREAD_UNIT = 65536         # of the logarithms in tables

cdef struct Spread:             # all zero is the empty one
    uint8_t counts[SPREAD_BINS]
    uint8_t events              # sum of the counts, below SPREAD_MEMORY
    uint8_t filled              # bins that are not zero
    uint32_t logarithms         # sum over bins of n log2 n, in units of 1 / SPREAD_UNIT

# Halves all counts.
cdef void spread_halve(Spread* spread) noexcept nogil
# Notes an event of a bin, 0..SPREAD_BINS - 1.
cdef void spread_add(Spread* spread, int bin) noexcept nogil
# Bits, 0..log2(SPREAD_BINS); NaN below SPREAD_LEAST events.
cdef double spread_entropy(const Spread* spread) noexcept nogil


cdef inline int hour_of_day(int64_t time_ns) noexcept nogil:
    """0..23, UTC; for times before 1970, too."""
    cdef int64_t since_midnight_ns = time_ns % DAY_NS
    if since_midnight_ns < 0:
        since_midnight_ns += DAY_NS
    return <int>(since_midnight_ns // HOUR_NS)
