# cython: language_level=3
"""Noting and finding pairs, and their Python face."""
import numpy as np

from libc.string cimport memset

from capture.memory cimport table_calloc, table_free

ENTRIES = PAIR_ENTRIES
MEMORY_S = PAIR_MEMORY * 2.0**PAIR_TICK_BITS * 1e-9


cdef int pairs_init(PairTable* table, uint64_t pairs) noexcept nogil:
    cdef uint64_t buckets = 1
    while buckets * PAIR_ENTRIES < pairs:
        buckets <<= 1
    table.mask = buckets - 1
    table.entries = <PairEntry*>table_calloc(buckets * PAIR_ENTRIES, sizeof(PairEntry))
    return 0 if table.entries != NULL else -1


cdef void pairs_free(PairTable* table) noexcept nogil:
    table_free(table.entries)
    memset(table, 0, sizeof(PairTable))


cdef inline PairEntry* bucket_of(const PairTable* table, uint64_t pair) noexcept nogil:
    return table.entries + (pair & table.mask) * PAIR_ENTRIES


cdef inline uint32_t fingerprint_of(uint64_t pair) noexcept nogil:
    return <uint32_t>(pair >> 32) if pair >> 32 else 1


cdef inline uint32_t ticks_of(int64_t time_ns) noexcept nogil:
    return <uint32_t>((<uint64_t>time_ns >> PAIR_TICK_BITS) & (PAIR_TICKS - 1))


cdef inline uint32_t ticks_since(const PairEntry* entry, uint32_t now) noexcept nogil:
    """0 when time went back by less than a day."""
    cdef uint32_t age = (now - (entry.state >> 8)) & (PAIR_TICKS - 1)
    return age if age < PAIR_TICKS - PAIR_MEMORY else 0


cdef inline uint8_t run_of(const PairEntry* entry) noexcept nogil:
    return <uint8_t>((entry.state >> 2) & PAIR_RUN)


cdef PairEntry* pairs_find(const PairTable* table, uint64_t pair, int64_t now_ns) noexcept nogil:
    cdef PairEntry* bucket = bucket_of(table, pair)
    cdef uint32_t fingerprint = fingerprint_of(pair)
    cdef int i
    for i in range(PAIR_ENTRIES):
        if bucket[i].fingerprint == fingerprint:
            return &bucket[i] if ticks_since(&bucket[i], ticks_of(now_ns)) <= PAIR_MEMORY else NULL
    return NULL


cdef uint8_t pairs_note(PairTable* table, uint64_t pair, int64_t now_ns) noexcept nogil:
    cdef PairEntry* bucket = bucket_of(table, pair)
    cdef PairEntry* place = bucket
    cdef uint32_t fingerprint = fingerprint_of(pair)
    cdef uint32_t now = ticks_of(now_ns)
    cdef uint8_t run = 1
    cdef int i
    for i in range(PAIR_ENTRIES):
        if bucket[i].fingerprint == fingerprint:
            place = &bucket[i]
            if ticks_since(place, now) <= PAIR_PAUSE:
                run = min(run_of(place) + 1, PAIR_RUN)
            break
        if bucket[i].fingerprint == 0:
            if place.fingerprint != 0:
                place = &bucket[i]
        elif place.fingerprint != 0 and ticks_since(&bucket[i], now) > ticks_since(place, now):
            place = &bucket[i]
    place.fingerprint = fingerprint
    place.state = now << 8 | <uint32_t>run << 2
    return run


cdef class Pairs:
    """Pairs(pairs=1024): who called whom, for tests and for other users than profiles.

    pairs: how many are remembered at least when they are spread evenly, 1..2^28; 8 bytes each.
    Raises ValueError on another size, MemoryError when memory is refused.
    """

    cdef PairTable table

    def __cinit__(self, uint64_t pairs=1024):
        if not 1 <= pairs <= 1 << 28:
            raise ValueError(f"pairs: expected 1..{1 << 28}, got {pairs}")
        if pairs_init(&self.table, pairs) != 0:
            raise MemoryError(f"pairs: no memory for {pairs}")

    def __dealloc__(self):
        pairs_free(&self.table)

    def call_backs(self, callers, callees, times_ns):
        """Which of the calls go to someone who had called the caller within the last day.

        callers, callees: uint64 [n], uniform hashes. times_ns: int64 [n], ns since the epoch. Calls are noted in order.
        Returns bool [n]. Raises ValueError on another shape, TypeError on another dtype.
        """
        callers, callees, times_ns = (np.ascontiguousarray(x) for x in (callers, callees, times_ns))
        if callers.dtype != np.uint64 or callees.dtype != np.uint64 or times_ns.dtype != np.int64:
            raise TypeError("expected uint64 callers and callees, and int64 times")
        if callers.ndim != 1 or not callers.shape == callees.shape == times_ns.shape:
            raise ValueError("callers, callees, times_ns: expected three arrays [n] of one length")
        found = np.zeros(len(callers), np.uint8)
        self._note(callers, callees, times_ns, found)
        return found.astype(bool)

    cdef void _note(self, const uint64_t[::1] callers, const uint64_t[::1] callees, const int64_t[::1] times_ns,
                    uint8_t[::1] found) noexcept:
        cdef Py_ssize_t i
        for i in range(callers.shape[0]):
            found[i] = pairs_find(&self.table, pair_key(callees[i], callers[i]), times_ns[i]) != NULL
            pairs_note(&self.table, pair_key(callers[i], callees[i]), times_ns[i])
