# cython: language_level=3
"""A snapshot put back into a fresh engine (kernels/snapshot.pyx says what is in one, and what has to be mended)."""
import json

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from capture.hashing cimport hash_mix
from capture.index cimport NO_SLOT, index_find, index_insert, index_remove
from kernels.behaviour cimport one_more
from kernels.calls cimport (
    AGENT_BYTES, CALL_EXPIRED, CALL_ID_BYTES, CALL_TRANSACTIONS, PHASE_ENDED, STAGE_END, TOLD_END, TRANSPORT_WS,
    USER_BYTES, Call, CallTable,
)
from kernels.engine cimport Engine
from kernels.profiles cimport Profiles
from kernels.regions cimport CALLS, MAX_REGIONS, TOTALS, Column, Frame, Region, describe, entry_bytes, set_totals
from kernels.slots cimport SlotTable, slots_holds


cdef class EngineRestore:
    """Puts a snapshot back into a fresh engine of the same layout (`layout`), chunk by chunk as `step` gave them.

    Raises ValueError when the engine is in use. When `feed` or `finish` raises ValueError, for a chunk that `step`
    never made, the engine is of no more use.
    """

    cdef Engine engine
    cdef Region[MAX_REGIONS] regions
    cdef int region_count
    cdef int32_t* order             # slots of calls in the order of their queues
    cdef uint32_t call_count
    cdef bint complete

    def __cinit__(self, Engine engine):
        if engine.calls.total or engine.packets:
            raise ValueError("a snapshot goes into a fresh engine only")
        self.engine = engine
        self.region_count = describe(engine, self.regions)
        self.order = <int32_t*>malloc(self.regions[CALLS].entries * sizeof(int32_t))
        if self.order == NULL:
            raise MemoryError("no memory for the order of calls")

    def __dealloc__(self):
        free(self.order)

    def feed(self, const uint8_t[::1] chunk):
        cdef Frame frame
        cdef const Region* region
        cdef size_t at = 0, size, end = chunk.shape[0]
        while at < end:
            if end - at < sizeof(Frame):
                raise ValueError("a frame without its head")
            memcpy(&frame, &chunk[at], sizeof(Frame))
            at += sizeof(Frame)
            if frame.region == TOTALS:
                self._totals(bytes(chunk[at:]))
                return
            if frame.region >= <uint32_t>self.region_count:
                raise ValueError(f"a frame of region {frame.region}")
            region = &self.regions[frame.region]
            if <uint64_t>frame.first + frame.count > region.entries or frame.count == 0:
                raise ValueError(f"{region.name.decode()}: entries {frame.first} + {frame.count} of {region.entries}")
            size = entry_bytes(region) + (sizeof(int32_t) if frame.region == CALLS else 0)
            if end - at < frame.count * size:
                raise ValueError(f"{region.name.decode()}: a frame is cut")
            if frame.region == CALLS:
                self._take_calls(&chunk[at], frame.count)
            else:
                self._take_entries(region, &frame, &chunk[at])
            at += frame.count * size

    def finish(self):
        """After the last chunk: builds the indices and the queues, and mends what the steps tore apart."""
        cdef int i
        if not self.complete:
            raise ValueError("the totals are missing")
        for i in range(self.region_count):
            if self.regions[i].table != NULL:
                self._index(self.regions[i].table)
        self._queue_calls()
        self._count_open_calls()

    cdef int _totals(self, bytes said) except -1:
        try:
            set_totals(self.engine, self.regions, self.region_count, json.loads(said))
        except (KeyError, TypeError, OverflowError) as error:
            raise ValueError(f"totals: {error!r}") from error
        self.complete = True
        return 0

    cdef int _take_calls(self, const uint8_t* data, uint32_t count) except -1:
        cdef CallTable calls = self.engine.calls
        cdef const uint8_t* copies = data + count * sizeof(int32_t)
        cdef Call* call
        cdef int32_t slot
        cdef uint32_t i
        for i in range(count):
            memcpy(&slot, data + i * sizeof(int32_t), sizeof(int32_t))
            if not 0 <= slot < <int64_t>self.regions[CALLS].entries or calls.calls[slot].key != 0:
                raise ValueError(f"calls: a call in slot {slot}")
            if calls.live == calls.capacity:
                raise ValueError(f"calls: more than {calls.capacity}")
            call = &calls.calls[slot]
            memcpy(call, copies + i * sizeof(Call), sizeof(Call))
            if not is_call(call) or index_find(&calls.index, call.key) != NO_SLOT:
                raise ValueError(f"calls: what is in slot {slot} is no call")
            index_insert(&calls.index, call.key, slot)
            self.order[self.call_count] = slot
            self.call_count += 1
            calls.live += 1
        return 0

    cdef int _take_entries(self, const Region* region, const Frame* frame, const uint8_t* data) except -1:
        cdef const Column* column
        cdef int i
        if region.table != NULL:
            if frame.first > region.table.used:
                raise ValueError(f"{region.name.decode()}: slots before {frame.first} are missing")
            region.table.used = max(region.table.used, frame.first + frame.count)
        for i in range(region.column_count):
            column = &region.columns[i]
            memcpy(column.data + frame.first * column.entry_bytes, data, frame.count * column.entry_bytes)
            data += frame.count * column.entry_bytes
        return 0

    cdef void _index(self, SlotTable* table) noexcept nogil:
        cdef uint32_t slot
        cdef int32_t earlier
        cdef uint64_t key
        for slot in range(table.used):
            key = table.keys[slot]
            earlier = index_find(&table.index, key) if key else NO_SLOT
            if earlier != NO_SLOT:
                index_remove(&table.index, key)
                self._disown(table, earlier)
            if key:
                index_insert(&table.index, key, <int32_t>slot)
            else:
                self._disown(table, <int32_t>slot)

    cdef void _disown(self, SlotTable* table, int32_t slot) noexcept nogil:
        """Gives a slot a key that nobody has, so that it can be taken as any other, and soon is."""
        cdef uint64_t key = hash_mix(<uint64_t>slot + 1, table.index.salt)
        while key == 0 or index_find(&table.index, key) != NO_SLOT:
            key = hash_mix(key, table.index.salt)
        table.keys[slot] = key
        table.lives[slot] = 0
        index_insert(&table.index, key, slot)

    cdef void _queue_calls(self) noexcept:
        """Chains the calls as they were, and puts all other slots back on the stack of free ones."""
        cdef CallTable calls = self.engine.calls
        cdef uint32_t i
        cdef uint32_t slots = self.regions[CALLS].entries
        cdef int64_t slot
        cdef Call* call
        for i in range(self.call_count):
            call = &calls.calls[self.order[i]]
            call.newer = NO_SLOT
            call.older = calls.tail[call.phase]
            if call.older == NO_SLOT:
                calls.head[call.phase] = self.order[i]
            else:
                calls.calls[call.older].newer = self.order[i]
            calls.tail[call.phase] = self.order[i]
            if calls.calls[calls.head[call.phase]].queue_due_ns < calls.next_due_ns:
                calls.next_due_ns = calls.calls[calls.head[call.phase]].queue_due_ns
        calls.free_count = 0
        for slot in range(<int64_t>slots - 1, -1, -1):
            if calls.calls[slot].key == 0:
                calls.free_slots[calls.free_count] = <int32_t>slot
                calls.free_count += 1

    cdef void _count_open_calls(self) noexcept:
        cdef Profiles profiles = self.engine.profiles
        cdef uint32_t i
        cdef Call* call
        for i in range(profiles.callers.used):
            profiles.caller_profiles[i].open_calls = 0
        for i in range(profiles.callees.used):
            profiles.callee_profiles[i].open_calls = 0
        for i in range(profiles.sources.used):
            profiles.source_profiles[i].open_calls = 0
        for i in range(self.call_count):
            call = &self.engine.calls.calls[self.order[i]]
            if not slots_holds(&profiles.callers, call.caller_profile, call.caller_generation):
                call.caller_profile = NO_SLOT
            if not slots_holds(&profiles.callees, call.callee_profile, call.callee_generation):
                call.callee_profile = NO_SLOT
            if not slots_holds(&profiles.sources, call.source_profile, call.source_generation):
                call.source_profile = NO_SLOT
            if not slots_holds(&profiles.relations.routes, call.route, call.route_generation):
                call.route = NO_SLOT
            if call.seen & TOLD_END:
                continue
            if call.caller_profile != NO_SLOT:
                open_one(&profiles.caller_profiles[call.caller_profile].open_calls)
            if call.callee_profile != NO_SLOT:
                open_one(&profiles.callee_profiles[call.callee_profile].open_calls)
            if call.source_profile != NO_SLOT:
                open_one(&profiles.source_profiles[call.source_profile].open_calls)


cdef inline void open_one(uint32_t* count) noexcept nogil:
    count[0] = one_more(count[0])


cdef bint is_call(const Call* call) noexcept nogil:
    """Whether nothing in it leads out of a table."""
    return (
        call.key != 0 and call.serial != 0 and call.phase <= PHASE_ENDED and call.state <= CALL_EXPIRED
        and call.transport <= TRANSPORT_WS and call.verdict <= 2 and call.flagged_stage <= STAGE_END
        and call.transaction_count <= CALL_TRANSACTIONS and call.caller_length <= USER_BYTES
        and call.callee_length <= USER_BYTES and call.agent_length <= AGENT_BYTES
        and call.call_id_length <= CALL_ID_BYTES
    )
