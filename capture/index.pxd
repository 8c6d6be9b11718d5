# cython: language_level=3
"""A bounded open-addressing index from 64-bit keys to slot numbers of a fixed table.

The key is a keyed 64-bit hash (capture/hashing.pxd) and is taken for the identity: two live keys of a
million collide with probability 3e-8. Linear probing at a load of at most two thirds; deletion shifts back,
so there are no tombstones and probes stay short for ever. Key 0 marks an empty entry; `index_key` maps a
hash of 0 to 1.

Where an entry lies is salted with a number drawn when the index is made, and nothing that the appliance says
depends on it. So a replay can use a known key for its hashes, and give the same answers every time, and still
nobody can write a capture whose keys all fall on one place.
"""
from libc.stdint cimport int32_t, uint32_t, uint64_t

from capture.hashing cimport hash_mix
from capture.memory cimport table_calloc, table_free

cdef extern from "sys/random.h" nogil:
    ssize_t getrandom(void* buffer, size_t length, unsigned int flags)

cdef extern from *:
    void prefetch "__builtin_prefetch"(const void* address) noexcept nogil

cdef enum:
    NO_SLOT = -1

cdef struct IndexEntry:
    uint64_t key
    int32_t slot

cdef struct Index:
    IndexEntry* entries
    uint64_t mask
    uint64_t salt
    uint32_t used          # entries in use
    uint32_t capacity      # the most that may be in use; the owner evicts before it inserts more


cdef inline int index_init(Index* index, uint32_t capacity) noexcept nogil:
    """Room for `capacity` keys. 0 when done, -1 when memory is refused."""
    cdef uint64_t size = 16
    while size < capacity + <uint64_t>capacity // 2:
        size <<= 1
    index.entries = <IndexEntry*>table_calloc(size, sizeof(IndexEntry))
    index.mask = size - 1
    if getrandom(&index.salt, sizeof(index.salt), 0) != sizeof(index.salt):
        index.salt = <uint64_t>index.entries    # no entropy to be had: where memory lies is the next best
    index.used = 0
    index.capacity = capacity
    return 0 if index.entries != NULL else -1


cdef inline void index_free(Index* index) noexcept nogil:
    table_free(index.entries)
    index.entries = NULL


cdef inline uint64_t index_key(uint64_t hashed) noexcept nogil:
    return hashed if hashed != 0 else 1


cdef inline uint64_t index_home(const Index* index, uint64_t key) noexcept nogil:
    return hash_mix(key, index.salt) & index.mask


cdef inline void index_prefetch(const Index* index, uint64_t key) noexcept nogil:
    """Has memory bring the place of a key while there is other work to do."""
    prefetch(&index.entries[index_home(index, key)])


cdef inline int32_t index_find(const Index* index, uint64_t key) noexcept nogil:
    """The slot of `key`, or NO_SLOT."""
    cdef uint64_t at = index_home(index, key)
    while index.entries[at].key != 0:
        if index.entries[at].key == key:
            return index.entries[at].slot
        at = (at + 1) & index.mask
    return NO_SLOT


cdef inline void index_insert(Index* index, uint64_t key, int32_t slot) noexcept nogil:
    """Adds a key that is absent. The caller has made sure that `used < capacity`."""
    cdef uint64_t at = index_home(index, key)
    while index.entries[at].key != 0:
        at = (at + 1) & index.mask
    index.entries[at].key = key
    index.entries[at].slot = slot
    index.used += 1


cdef inline void index_remove(Index* index, uint64_t key) noexcept nogil:
    """Removes `key` when present, moving later entries of its run back over the gap."""
    cdef uint64_t gap = index_home(index, key)
    cdef uint64_t at, home
    while index.entries[gap].key != key:
        if index.entries[gap].key == 0:
            return
        gap = (gap + 1) & index.mask
    at = gap
    while True:
        at = (at + 1) & index.mask
        if index.entries[at].key == 0:
            break
        home = index_home(index, index.entries[at].key)
        if ((at - home) & index.mask) >= ((at - gap) & index.mask):
            index.entries[gap] = index.entries[at]
            gap = at
    index.entries[gap].key = 0
    index.used -= 1
