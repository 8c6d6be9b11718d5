# cython: language_level=3
"""Who called whom within the last day: a table of fixed size, which answers whether a call is a call-back, and how
many calls of one to the other there were, each soon after the one before.

A pair is in one of `buckets` buckets, told apart there by 32 bits of its hash; a full bucket gives up the pair that
was heard of longest ago. So a pair that was never seen is found with a probability of at most
PAIR_ENTRIES * 2^-32 = 2e-9, and one that was seen within PAIR_MEMORY is missed only when eight others came to its
bucket since. A pair is read in both directions by two look-ups: (a, b) and (b, a) are different keys.
"""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from capture.hashing cimport hash_mix

cdef extern from *:
    void prefetch "__builtin_prefetch"(const void* address) noexcept nogil

cdef enum:
    PAIR_ENTRIES = 8            # a bucket is one cache line
    PAIR_TICK_BITS = 32         # a tick is 2^32 ns, 4.3 s
    PAIR_TICKS = 1 << 24        # after two years ticks begin anew
    PAIR_MEMORY = 20117         # ticks: one day
    PAIR_PAUSE = 70             # ticks, five minutes: who has waited longer does not go on, but begins again
    PAIR_RUN = 63               # stands for more

cdef enum PairFlag:
    PAIR_ANSWERED = 1           # the latest call of the pair was answered
    PAIR_RETURNED = 2           # it was returned

cdef struct PairEntry:
    uint32_t fingerprint        # 0 for none
    uint32_t state              # ticks << 8 | calls of the run << 2 | PairFlag

cdef struct PairTable:
    PairEntry* entries
    uint64_t mask               # of buckets

# Room for at least `pairs` pairs. 0 when done, -1 when memory is refused (free it all the same).
cdef int pairs_init(PairTable* table, uint64_t pairs) noexcept nogil
cdef void pairs_free(PairTable* table) noexcept nogil
# The entry of a pair that was noted within PAIR_MEMORY, or NULL. Valid until the next pair is noted.
cdef PairEntry* pairs_find(const PairTable* table, uint64_t pair, int64_t now_ns) noexcept nogil
# Notes a call, which is neither answered nor returned: how many there were by now, none more than PAIR_PAUSE after the
# one before; at most PAIR_RUN.
cdef uint8_t pairs_note(PairTable* table, uint64_t pair, int64_t now_ns) noexcept nogil


cdef inline uint64_t pair_key(uint64_t caller_key, uint64_t callee_key) noexcept nogil:
    return hash_mix(caller_key, callee_key)


cdef inline void pair_set(PairEntry* entry, PairFlag flag) noexcept nogil:
    entry.state |= flag


cdef inline void pairs_prefetch(const PairTable* table, uint64_t pair) noexcept nogil:
    """Has memory bring the bucket of a pair while there is other work to do."""
    prefetch(&table.entries[(pair & table.mask) * PAIR_ENTRIES])
