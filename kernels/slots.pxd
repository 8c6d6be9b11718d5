# cython: language_level=3
"""Which slot of a fixed table belongs to which key, and whose slot is taken when the table is full.

Eviction is CLOCK with lives, a generalised second chance (Smith 1978): the hand takes the first slot without
lives and costs every other one that it passes a life. A key earns lives by evidence, one for each event from
EARNING_EVENTS on up to MAX_LIVES, and none before. A flood of keys that come once therefore reuses its own slots: the
watched ones fall only when the hand has gone around MAX_LIVES times without a sign of them. One search is at
most SEARCH_STEPS long and then takes the poorest slot it saw, so that a table full of watched keys costs no
more than any other. Nothing depends on chance or on a clock: the same events leave the same slots.

All memory is of table_calloc (capture/memory.pxd): slots that were never used are zero, and cost address space only
unless the process keeps its tables resident.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from capture.index cimport (
    NO_SLOT, Index, index_find, index_free, index_init, index_insert, index_key, index_prefetch, index_remove, prefetch,
)
from capture.memory cimport table_calloc, table_free

cdef enum:
    EARNING_EVENTS = 4
    MAX_LIVES = 15
    SEARCH_STEPS = 64
    CACHE_LINE = 64

cdef struct SlotTable:
    Index index
    uint64_t* keys
    uint32_t* generations       # 1, 2, 3, ...: how many keys the slot has had; 0 when none yet
    uint8_t* lives
    uint32_t capacity
    uint32_t used               # slots 0..used - 1 have had a key
    uint32_t hand
    uint64_t evicted


cdef inline int slots_init(SlotTable* table, uint32_t capacity) noexcept nogil:
    """Room for `capacity` keys. 0 when done, -1 when memory is refused (free it all the same)."""
    memset(table, 0, sizeof(SlotTable))
    table.capacity = capacity
    table.keys = <uint64_t*>table_calloc(capacity, sizeof(uint64_t))
    table.generations = <uint32_t*>table_calloc(capacity, sizeof(uint32_t))
    table.lives = <uint8_t*>table_calloc(capacity, sizeof(uint8_t))
    if index_init(&table.index, capacity) != 0 or not (table.keys and table.generations and table.lives):
        return -1
    return 0


cdef inline void slots_free(SlotTable* table) noexcept nogil:
    index_free(&table.index)
    table_free(table.keys)
    table_free(table.generations)
    table_free(table.lives)
    memset(table, 0, sizeof(SlotTable))


cdef inline void slots_prefetch(const SlotTable* table, uint64_t key) noexcept nogil:
    """Has memory bring the place of a key while there is other work to do."""
    index_prefetch(&table.index, index_key(key))


cdef inline void prefetch_all(const void* data, size_t size) noexcept nogil:
    """The same of all cache lines of a profile."""
    cdef size_t i
    for i in range((size + CACHE_LINE - 1) // CACHE_LINE):
        prefetch(<const char*>data + i * CACHE_LINE)


cdef inline int32_t slots_find(const SlotTable* table, uint64_t key) noexcept nogil:
    """The slot of a key, or NO_SLOT."""
    return index_find(&table.index, index_key(key))


cdef inline bint slots_holds(const SlotTable* table, int32_t slot, uint32_t generation) noexcept nogil:
    """Whether a slot still belongs to the key that had it at that generation."""
    return 0 <= slot < <int64_t>table.used and table.generations[slot] == generation


cdef inline bint slots_fresh(const SlotTable* table, int32_t slot) noexcept nogil:
    """Whether the key of a slot is its first: memory of calloc that goes with it is still all zero."""
    return table.generations[slot] == 1


cdef inline void slots_earn(SlotTable* table, int32_t slot, uint32_t events) noexcept nogil:
    """The key of a slot was seen, for the `events`-th time."""
    if events >= EARNING_EVENTS:
        table.lives[slot] = <uint8_t>(events if events < MAX_LIVES else MAX_LIVES)


cdef inline uint32_t slots_victim(SlotTable* table) noexcept nogil:
    cdef int _step
    cdef uint32_t slot
    cdef uint32_t poorest = table.hand
    for _step in range(SEARCH_STEPS):
        slot = table.hand
        table.hand = slot + 1 if slot + 1 < table.capacity else 0
        if table.lives[slot] == 0:
            return slot
        table.lives[slot] -= 1
        if table.lives[slot] < table.lives[poorest]:
            poorest = slot
    return poorest


cdef inline int32_t slots_take(SlotTable* table, uint64_t key) noexcept nogil:
    """A slot for a key that is absent: a fresh one, or another key's, whose data the caller must clear."""
    cdef uint32_t slot = table.used
    key = index_key(key)
    if slot < table.capacity:
        table.used += 1
    else:
        slot = slots_victim(table)
        index_remove(&table.index, table.keys[slot])
        table.evicted += 1
    table.keys[slot] = key
    table.lives[slot] = 0
    table.generations[slot] += 1
    if table.generations[slot] == 0:        # after 2^32 keys: 0 stays the mark of a slot that had none
        table.generations[slot] = 1
    index_insert(&table.index, key, <int32_t>slot)
    return <int32_t>slot
