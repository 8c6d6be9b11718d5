# cython: language_level=3
"""The voice statistics of one subscriber in fixed memory, call by call: see kernels/reference_subscriber.py.

Exact: counts, sums, shares, shortest and longest call, hours and days. Approximate, with the error to expect:

- Median duration: by a histogram of log-spaced bins, 12 % apart; within 6 % of the exact value when calls are many.
- Counterparts: exact up to SAMPLE of them. Beyond, those with the lowest hashes are kept as a sample with exact calls
  and seconds each (Bar-Yossef et al. 2002: bottom-k): their number, and means per counterpart, have a standard error of
  1 / sqrt(SAMPLE - 2) = 16 %; medians per counterpart are those of the sample.
- The most calls, and the most seconds, with one counterpart: Space-Saving (Metwally et al. 2005) with HEAVY entries,
  less what an entry inherited. Never above the truth, and below it by at most 1 / HEAVY of all calls or seconds.

Counts are floats, which stop growing at 2^24 calls; the modes' counts are exact until one passes 65535.

What is older fades: `subscriber_fade` halves all, and is called once a half-life.
"""
from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t

cdef enum:
    SAMPLE = 40                 # counterparts
    HEAVY = 10
    DURATION_BINS = 72          # 12 % apart from 1 s: up to about an hour, and all that is longer
    HOURS = 24
    DAYS = 31
    STATISTICS = 19             # len(COLUMNS) of kernels/reference_subscriber.py

cdef struct Counterpart:        # empty: no calls
    uint32_t key                # the upper half of its hash
    float calls
    float seconds

cdef struct HeavyEntry:         # empty: amount 0
    uint32_t key
    float amount                # calls or seconds, with those inherited
    float inherited             # from the entry whose place it took

cdef struct Subscriber:         # all zero is the empty one; 1000 bytes
    double seconds
    float calls
    float outgoing
    float shortest_s
    float longest_s
    uint32_t limit              # the sample holds the counterparts with keys below; 0: all
    uint32_t sampled            # entries of `sample` in use: a heap, the greatest key first
    uint16_t hours[HOURS]       # relative weights: halved together before one would overflow
    uint16_t days[DAYS]         # of the month
    uint16_t durations[DURATION_BINS]
    Counterpart sample[SAMPLE]
    HeavyEntry most_calls[HEAVY]
    HeavyEntry most_seconds[HEAVY]

# A finished call. `counterpart` is a uniform 64-bit hash; `local_s` is local time, seconds since the Unix epoch. A
# duration below 0 is taken for 0.
cdef void subscriber_add(Subscriber* subscriber, uint64_t counterpart, bint outgoing, double duration_s,
                         int64_t local_s) noexcept nogil
# Halves what was seen; what falls below half a call is forgotten.
cdef void subscriber_fade(Subscriber* subscriber) noexcept nogil
# Writes STATISTICS values in the order of COLUMNS; NaN for all but the number of calls when there was none.
cdef void subscriber_statistics(const Subscriber* subscriber, double* values) noexcept nogil
