# cython: language_level=3
"""What an engine remembers, copied out between its blocks and put back into a fresh one.

Kept are the profiles of callers, callees and sources and the routes with the order in which they would be evicted, the
pairs, the called ranges, crowds and bindings, the open calls with their queues, and the totals. Left out is what the next seconds bring back: media streams and
what they are expected to be, TCP streams, fragments. Indices are built anew: where an entry lies is salted by each engine.

Theory of operation
-------------------
A snapshot is taken in steps, so that the packets wait only for one at a time. A step copies frames: entries of one region,
each with its columns side by side. An entry is whole, since a step falls between two blocks, but the engine goes on
between two steps. What that can tear apart is mended when it is put back:

- a call that has ended meanwhile is left out: the first steps note which calls there are, in the order of their queues;
- a call that points to a slot which another key has taken since points to none (slots carry a generation);
- a key that has moved between slots is found in the later copy; the earlier slot gets a key that nobody has;
- how many calls of a party are open is counted from the calls that were put back.

Between steps with no block in between nothing is torn: an engine that goes on from there says what the first one would
have said.
"""
import json

from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_FromStringAndSize
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

from capture.hashing cimport hash_mix
from capture.index cimport NO_SLOT, index_find, index_insert, index_remove
from kernels.behaviour cimport CalleeProfile, CallerProfile, SourceProfile, one_more
from kernels.bindings cimport BINDINGS_A_SET, Binding
from kernels.calls cimport (
    AGENT_BYTES, CALL_EXPIRED, CALL_ID_BYTES, CALL_TRANSACTIONS, PHASE_ENDED, PHASE_RELEASED, PHASES,
    STAGE_END, TOLD_END, TRANSPORT_WS, USER_BYTES, Call, CallTable,
)
from kernels.crowds cimport CROWDS_A_SET, Crowd
from kernels.engine cimport Engine
from kernels.groups cimport Group
from kernels.heavy cimport Heavy
from kernels.pairs cimport PAIR_ENTRIES, PairEntry
from kernels.profiles cimport RANGE_TABLES, Profiles
from kernels.relations cimport Relations
from kernels.signalling cimport Style
from kernels.slots cimport SlotTable, slots_holds

from kernels.schema import CALL_SCHEMA_HASH, SOURCE_SCHEMA_HASH

# Raised with each change of meaning that neither the sizes of the structs nor the hashes of the features show.
FORMAT = 1
LEAST_STEP_BYTES = 1 << 16

cdef enum:
    MAX_REGIONS = 16
    MAX_COLUMNS = 6
    STRETCH_BYTES = 4096        # of a sparse region: what is all zero is not copied
    SEARCH_BYTES = 1 << 22      # looked through at once for what is not
    STEP_NOTES = 4096           # calls whose place is noted in a step: a cache miss or two each
    CALLS = 0                   # the region of the open calls, which is read by its queues
    TOTALS = 0xffffffff         # the last frame

cdef struct Column:
    char* data
    size_t entry_bytes

cdef struct Region:
    const char* name
    SlotTable* table            # whose slots it is about; NULL for a plain array
    uint32_t entries            # at most
    int column_count
    Column columns[MAX_COLUMNS]

cdef struct Frame:              # followed by column after column of its entries
    uint32_t region
    uint32_t first
    uint32_t count
    uint32_t reserved

cdef struct Place:              # of a call in its queue when it was noted
    uint64_t serial
    int64_t queue_due_ns
    int32_t slot
    uint8_t phase


# -- what there is --------------------------------------------------------------------------------------------

cdef void add_column(Region* region, void* data, size_t entry_bytes) noexcept nogil:
    region.columns[region.column_count].data = <char*>data
    region.columns[region.column_count].entry_bytes = entry_bytes
    region.column_count += 1


cdef Region* add_table(Region* regions, int* count, const char* name, SlotTable* table) noexcept nogil:
    cdef Region* region = &regions[count[0]]
    count[0] += 1
    region.name = name
    region.table = table
    region.entries = table.capacity
    add_column(region, table.keys, sizeof(uint64_t))
    add_column(region, table.generations, sizeof(uint32_t))
    add_column(region, table.lives, sizeof(uint8_t))
    return region


cdef void add_array(Region* regions, int* count, const char* name, void* data, size_t entry_bytes,
                    uint32_t entries) noexcept nogil:
    cdef Region* region = &regions[count[0]]
    count[0] += 1
    region.name = name
    region.entries = entries
    add_column(region, data, entry_bytes)


cdef int describe(Engine engine, Region* regions) noexcept:
    """Everything that is kept but the totals: how many regions."""
    cdef Profiles profiles = engine.profiles
    cdef Relations relations = profiles.relations
    cdef int count = 0
    memset(regions, 0, MAX_REGIONS * sizeof(Region))
    add_array(regions, &count, b"calls", engine.calls.calls, sizeof(Call),
              engine.calls.capacity + 1 + engine.calls.released_capacity)
    add_column(add_table(regions, &count, b"callers", &profiles.callers), profiles.caller_profiles,
               sizeof(CallerProfile))
    add_column(add_table(regions, &count, b"callees", &profiles.callees), profiles.callee_profiles,
               sizeof(CalleeProfile))
    cdef Region* sources = add_table(regions, &count, b"sources", &profiles.sources)
    add_column(sources, profiles.source_profiles, sizeof(SourceProfile))
    add_column(sources, profiles.styles, sizeof(Style))
    add_column(sources, relations.groups, 2 * sizeof(Group))
    add_column(add_table(regions, &count, b"routes", &relations.routes), relations.route_groups, sizeof(Group))
    add_array(regions, &count, b"crowds", relations.crowds.crowds, sizeof(Crowd),
              <uint32_t>((relations.crowds.mask + 1) * CROWDS_A_SET))
    add_array(regions, &count, b"bindings", relations.bindings.bindings, sizeof(Binding),
              <uint32_t>((relations.bindings.mask + 1) * BINDINGS_A_SET))
    add_array(regions, &count, b"pairs", profiles.pairs.entries, sizeof(PairEntry),
              <uint32_t>((profiles.pairs.mask + 1) * PAIR_ENTRIES))
    add_array(regions, &count, b"ranges", profiles.ranges, sizeof(Heavy), RANGE_TABLES)
    return count


cdef size_t entry_bytes(const Region* region) noexcept nogil:
    cdef size_t size = 0
    cdef int i
    for i in range(region.column_count):
        size += region.columns[i].entry_bytes
    return size


def layout(Engine engine):
    """What a snapshot of an engine like this one looks like: only one of the same layout can be put back."""
    cdef Region[MAX_REGIONS] regions
    cdef int i, j, count = describe(engine, regions)
    said = {"format": FORMAT, "call features": CALL_SCHEMA_HASH, "source features": SOURCE_SCHEMA_HASH}
    for i in range(count):
        sizes = "+".join([str(regions[i].columns[j].entry_bytes) for j in range(regions[i].column_count)])
        said[regions[i].name.decode()] = f"{regions[i].entries} of {sizes} bytes"
    return said


cdef dict totals_of(Engine engine):
    cdef Profiles profiles = engine.profiles
    return {
        "clock_ns": engine.clock_ns,
        "offset_ns": engine.offset_ns,
        "corrected": engine.corrected,
        "first_ns": engine.first_ns,
        "last_ns": engine.last_ns,
        "packets": engine.packets,
        "bytes": engine.bytes,
        "sip_requests": engine.sip_requests,
        "sip_responses": engine.sip_responses,
        "malformed": engine.malformed,
        "evicted": engine.evicted,
        "flagged": engine.flagged,
        "watched": engine.watched,
        "calls": engine.calls.total,
        "next_due_ns": engine.calls.next_due_ns,
        "rtp_packets": engine.media.rtp_packets,
        "rtcp_packets": engine.media.rtcp_packets,
        "rtp_streams": engine.media.rtp_streams,
        "media_evicted": engine.media.evicted,
        "media_expired": engine.media.expired,
        "tcp_evicted": engine.streams.totals.evicted,
        "fragments_evicted": engine.decoder.fragments.counters.evicted,
        "gateway_signs": profiles.gateway_signs,
        "callers_hand": profiles.callers.hand,
        "callers_evicted": profiles.callers.evicted,
        "callees_hand": profiles.callees.hand,
        "callees_evicted": profiles.callees.evicted,
        "sources_hand": profiles.sources.hand,
        "sources_evicted": profiles.sources.evicted,
        "routes_hand": profiles.relations.routes.hand,
        "routes_evicted": profiles.relations.routes.evicted,
    }


cdef uint32_t hand_of(object said, const SlotTable* table) except? 0:
    hand = said
    if not 0 <= hand < table.capacity:
        raise ValueError(f"a hand at {hand} of {table.capacity} slots")
    return hand


cdef int set_totals(Engine engine, dict said) except -1:
    cdef Profiles profiles = engine.profiles
    engine.clock_ns = said["clock_ns"]
    engine.offset_ns = said["offset_ns"]
    engine.corrected = said["corrected"]
    engine.first_ns = said["first_ns"]
    engine.last_ns = said["last_ns"]
    engine.packets = said["packets"]
    engine.block_end = engine.packets + engine.block_packets
    engine.bytes = said["bytes"]
    engine.sip_requests = said["sip_requests"]
    engine.sip_responses = said["sip_responses"]
    engine.malformed = said["malformed"]
    engine.evicted = said["evicted"]
    engine.flagged = said["flagged"]
    engine.watched = said["watched"]
    engine.calls.total = said["calls"]
    engine.calls.next_due_ns = said["next_due_ns"]
    engine.media.rtp_packets = said["rtp_packets"]
    engine.media.rtcp_packets = said["rtcp_packets"]
    engine.media.rtp_streams = said["rtp_streams"]
    engine.media.evicted = said["media_evicted"]
    engine.media.expired = said["media_expired"]
    engine.streams.totals.evicted = said["tcp_evicted"]
    engine.decoder.fragments.counters.evicted = said["fragments_evicted"]
    profiles.gateway_signs = said["gateway_signs"]
    profiles.callers.hand = hand_of(said["callers_hand"], &profiles.callers)
    profiles.callers.evicted = said["callers_evicted"]
    profiles.callees.hand = hand_of(said["callees_hand"], &profiles.callees)
    profiles.callees.evicted = said["callees_evicted"]
    profiles.sources.hand = hand_of(said["sources_hand"], &profiles.sources)
    profiles.sources.evicted = said["sources_evicted"]
    profiles.relations.routes.hand = hand_of(said["routes_hand"], &profiles.relations.routes)
    profiles.relations.routes.evicted = said["routes_evicted"]
    return 0


# -- taking one -----------------------------------------------------------------------------------------------

cdef class EngineSnapshot:
    """A snapshot of an engine, begun between two of its blocks.

    Raises ValueError in the middle of a block: its verdicts have not gone back to their calls. MemoryError.
    """

    cdef Engine engine
    cdef Region[MAX_REGIONS] regions
    cdef int region_count
    cdef int region                 # at hand
    cdef uint32_t position          # in it
    cdef Place* places
    cdef uint32_t place_count
    cdef uint32_t places_capacity
    cdef uint8_t* copied            # by slot: the call was, so that one that has changed queues is not copied twice
    cdef int phase                  # whose queue is noted
    cdef bint ended

    def __cinit__(self, Engine engine):
        cdef uint32_t slots
        if engine.call_rows_count or engine.source_rows_count or engine.calls.released_count:
            raise ValueError("a snapshot has to be begun between two blocks")
        self.engine = engine
        self.region_count = describe(engine, self.regions)
        slots = self.regions[CALLS].entries
        self.places_capacity = 2 * slots
        self.places = <Place*>malloc(self.places_capacity * sizeof(Place))
        self.copied = <uint8_t*>calloc(slots, 1)
        if self.places == NULL or self.copied == NULL:
            raise MemoryError(f"no memory for the places of {slots} calls")

    def __dealloc__(self):
        free(self.places)
        free(self.copied)

    cdef bint _note_calls(self) noexcept:
        """Notes some more of the calls. True when all are noted."""
        cdef CallTable calls = self.engine.calls
        cdef uint32_t end = min(self.places_capacity, self.place_count + STEP_NOTES)
        cdef int32_t slot
        cdef Place* place
        while self.phase < PHASES:
            slot = self._next_in_queue()
            while slot != NO_SLOT:
                if self.place_count == end:
                    return end == self.places_capacity
                place = &self.places[self.place_count]
                self.place_count += 1
                place.slot = slot
                place.serial = calls.calls[slot].serial
                place.queue_due_ns = calls.calls[slot].queue_due_ns
                place.phase = self.phase
                slot = calls.calls[slot].newer
            self.phase += 1
        return True

    cdef int32_t _next_in_queue(self) noexcept:
        """Where the noting goes on in the queue at hand: behind the last noted call that still stands where it stood."""
        cdef CallTable calls = self.engine.calls
        cdef const Call* call
        cdef const Place* place
        cdef int64_t i
        for i in range(<int64_t>self.place_count - 1, -1, -1):
            place = &self.places[i]
            if place.phase != self.phase:
                break
            call = &calls.calls[place.slot]
            if call.serial == place.serial and call.phase == place.phase and call.queue_due_ns == place.queue_due_ns:
                return call.newer
        return calls.head[self.phase]

    def step(self, size_t max_bytes=1 << 20):
        """The next frames as a bytearray of at most `max_bytes`, at least LEAST_STEP_BYTES, or of none yet; None behind
        the last. Call it between two blocks.
        """
        cdef size_t size
        cdef char* out
        if self.ended:
            return None
        if not self._note_calls():
            return bytearray()
        max_bytes = max(max_bytes, <size_t>LEAST_STEP_BYTES)
        chunk = PyByteArray_FromStringAndSize(NULL, max_bytes)
        out = PyByteArray_AS_STRING(chunk)
        with nogil:
            size = self._fill(out, max_bytes)
        if size:
            del chunk[size:]
            return chunk
        self.ended = True
        said = json.dumps(totals_of(self.engine)).encode()
        cdef Frame frame = Frame(region=TOTALS, first=0, count=len(said), reserved=0)
        return bytearray((<char*>&frame)[:sizeof(Frame)] + said)

    cdef size_t _fill(self, char* out, size_t room) noexcept nogil:
        cdef size_t size, used = 0
        while self.region < self.region_count:
            if self.region == CALLS:
                size = self._copy_calls(out + used, room - used)
            else:
                size = self._copy_entries(out + used, room - used)
            used += size
            if self.position < self._entries():
                if size == 0:
                    break                           # no room for an entry more
                continue
            self.region += 1
            self.position = 0
        return used

    cdef uint32_t _entries(self) noexcept nogil:
        cdef const Region* region = &self.regions[self.region]
        if self.region == CALLS:
            return self.place_count
        return region.table.used if region.table != NULL else region.entries

    cdef size_t _copy_calls(self, char* out, size_t room) noexcept nogil:
        """One frame of calls that are still there: their slots, then they."""
        cdef uint32_t most = <uint32_t>((room - sizeof(Frame)) // (sizeof(int32_t) + sizeof(Call))) if (
            room > sizeof(Frame)) else 0
        cdef uint32_t at = self.position
        cdef uint32_t end = min(self.place_count, at + most)
        cdef uint32_t i, count = 0
        cdef int32_t* slots = <int32_t*>(out + sizeof(Frame))
        cdef const Call* call
        cdef Frame frame
        for i in range(at, end):
            call = &self.engine.calls.calls[self.places[i].slot]
            if (call.serial == self.places[i].serial and call.phase != PHASE_RELEASED
                    and not self.copied[self.places[i].slot]):
                self.copied[self.places[i].slot] = True
                slots[count] = self.places[i].slot
                count += 1
        self.position = end
        if count == 0:
            return 0
        for i in range(count):
            memcpy(<char*>(slots + count) + i * sizeof(Call), &self.engine.calls.calls[slots[i]], sizeof(Call))
        frame = Frame(region=CALLS, first=0, count=count, reserved=0)
        memcpy(out, &frame, sizeof(Frame))
        return sizeof(Frame) + count * (sizeof(int32_t) + sizeof(Call))

    cdef size_t _copy_entries(self, char* out, size_t room) noexcept nogil:
        """One frame of entries in a row, as many as there is room for."""
        cdef const Region* region = &self.regions[self.region]
        cdef size_t each = entry_bytes(region)
        cdef uint32_t entries = self._entries()
        cdef uint32_t count
        cdef size_t used = sizeof(Frame)
        cdef Frame frame
        cdef int i
        if region.table == NULL:
            self._skip_zeros(region, entries)
        if room < sizeof(Frame) + each or self.position == entries:
            return 0
        count = <uint32_t>min((room - sizeof(Frame)) // each, <size_t>(entries - self.position))
        if region.table == NULL:
            count = min(count, <uint32_t>max(STRETCH_BYTES // each, <size_t>1))
        frame = Frame(region=self.region, first=self.position, count=count, reserved=0)
        memcpy(out, &frame, sizeof(Frame))
        for i in range(region.column_count):
            memcpy(out + used, region.columns[i].data + self.position * region.columns[i].entry_bytes,
                   count * region.columns[i].entry_bytes)
            used += count * region.columns[i].entry_bytes
        self.position += count
        return used

    cdef void _skip_zeros(self, const Region* region, uint32_t entries) noexcept nogil:
        cdef size_t each = region.columns[0].entry_bytes
        cdef const uint8_t* data = <const uint8_t*>region.columns[0].data
        cdef const uint64_t* words
        cdef size_t at = self.position * each
        cdef size_t end = min(entries * each, at + SEARCH_BYTES)
        while at + sizeof(uint64_t) <= end:
            words = <const uint64_t*>(data + at)
            if words[0] != 0:
                break
            at += sizeof(uint64_t)
        self.position = <uint32_t>(at // each)


# -- putting one back -----------------------------------------------------------------------------------------

cdef class EngineRestore:
    """Puts a snapshot back into a fresh engine of the same layout (`layout`), chunk by chunk as `step` gave them.

    Raises ValueError when the engine is in use. When `feed` or `finish` raises ValueError, for a chunk that `step` never
    made, the engine is of no more use.
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
        if not self.complete:
            raise ValueError("the totals are missing")
        self._index(&self.engine.profiles.callers)
        self._index(&self.engine.profiles.callees)
        self._index(&self.engine.profiles.sources)
        self._index(&self.engine.profiles.relations.routes)
        self._queue_calls()
        self._count_open_calls()

    cdef int _totals(self, bytes said) except -1:
        try:
            set_totals(self.engine, json.loads(said))
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
