# cython: language_level=3
"""Noting members of crowds, and the Python face."""
import numpy as np

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memset

from capture.hashing cimport hash_mix
from capture.memory cimport table_calloc, table_free
from kernels.behaviour cimport WINDOW_DAY_NS
from kernels.distinct cimport distinct_add, distinct_advance, distinct_count, distinct_seen
from kernels.slots cimport prefetch_all

CROWD_BYTES = sizeof(Crowd)
SET = CROWDS_A_SET


cdef int crowds_init(CrowdTable* table, uint64_t crowds) noexcept nogil:
    cdef uint64_t sets = 1
    while sets * CROWDS_A_SET < crowds:
        sets <<= 1
    table.mask = sets - 1
    table.crowds = <Crowd*>table_calloc(sets * CROWDS_A_SET, sizeof(Crowd))
    return 0 if table.crowds != NULL else -1


cdef void crowds_free(CrowdTable* table) noexcept nogil:
    table_free(table.crowds)
    memset(table, 0, sizeof(CrowdTable))


cdef Crowd* crowd_of(CrowdTable* table, uint64_t key, int64_t now_ns) noexcept nogil:
    """The crowd of a key, which is made when it is not there."""
    cdef Crowd* crowds = table.crowds + (key & table.mask) * CROWDS_A_SET
    cdef Crowd* least = crowds
    cdef double seen, least_seen = -1.0
    cdef int i
    for i in range(CROWDS_A_SET):
        if crowds[i].key == key:
            return &crowds[i]
    for i in range(CROWDS_A_SET):
        seen = distinct_seen(&crowds[i].members, now_ns, WINDOW_DAY_NS) if crowds[i].key else 0.0
        if least_seen < 0.0 or seen < least_seen or (
                seen == least_seen and crowds[i].members.start_ns < least.members.start_ns):
            least = &crowds[i]
            least_seen = seen
    table.evicted += least_seen > 1.0
    memset(least, 0, sizeof(Crowd))
    least.key = key
    return least


cdef inline uint64_t crowd_key(CrowdKind kind, uint64_t key) noexcept nogil:
    cdef uint64_t mixed = hash_mix(key, <uint64_t>kind)
    return mixed if mixed else 1


cdef void crowd_prefetch(const CrowdTable* table, CrowdKind kind, uint64_t key) noexcept nogil:
    prefetch_all(table.crowds + (crowd_key(kind, key) & table.mask) * CROWDS_A_SET, CROWDS_A_SET * sizeof(Crowd))


cdef float crowd_note(CrowdTable* table, CrowdKind kind, uint64_t key, uint64_t member, int64_t now_ns) noexcept nogil:
    cdef Crowd* crowd = crowd_of(table, crowd_key(kind, key), now_ns)
    distinct_advance(&crowd.members, now_ns, WINDOW_DAY_NS)
    distinct_add(&crowd.members, member)
    return <float>distinct_count(&crowd.members, now_ns, WINDOW_DAY_NS)


cdef class Crowds:
    """Crowds(crowds=4096): the table by itself, for tests. Raises MemoryError."""
    cdef CrowdTable table

    def __cinit__(self, uint64_t crowds=4096):
        if crowds_init(&self.table, crowds) != 0:
            raise MemoryError(f"no memory for {crowds} crowds")

    def __dealloc__(self):
        crowds_free(&self.table)

    @property
    def evicted(self):
        """Crowds that had been seen more than once and made room."""
        return self.table.evicted

    def note(self, const uint64_t[::1] keys, const uint64_t[::1] members, const int64_t[::1] times_ns):
        """How many members each key has had after each note: float32 [n]. Raises ValueError when lengths differ."""
        cdef Py_ssize_t i
        cdef float[::1] found = np.empty(keys.shape[0], np.float32)
        if not keys.shape[0] == members.shape[0] == times_ns.shape[0]:
            raise ValueError("keys, members and times_ns must be of one length")
        for i in range(keys.shape[0]):
            found[i] = crowd_note(&self.table, CROWD_STYLE, keys[i], members[i], times_ns[i])
        return np.asarray(found)
