# cython: language_level=3
"""What an engine remembers, copied out between its blocks.

Kept are the profiles of callers, callees and sources with the order in which they would be evicted, the pairs, the
called ranges, what calls have in common, the open calls with their queues, and the totals. Left out is what the next
seconds bring back: media streams and what they are expected to be, TCP streams, fragments. Indices are built anew:
where an entry lies is salted by each engine.

Theory of operation
-------------------
A snapshot is taken in steps, so that the packets wait only for one at a time. A step copies frames: entries of one
region, each with its columns side by side. An entry is whole, since a step falls between two blocks, but the engine
goes on between two steps. What that can tear apart is mended by kernels/restore.pyx:

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
from libc.string cimport memcpy

from capture.index cimport NO_SLOT
from kernels.calls cimport PHASE_RELEASED, PHASES, Call, CallTable
from kernels.engine cimport Engine
from kernels.regions cimport CALLS, MAX_REGIONS, TOTALS, Frame, Region, describe, entry_bytes, totals_of

LEAST_STEP_BYTES = 1 << 16

cdef enum:
    STRETCH_BYTES = 4096        # of a sparse region: what is all zero is not copied
    SEARCH_BYTES = 1 << 22      # looked through at once for what is not
    STEP_NOTES = 4096           # calls whose place is noted in a step: a cache miss or two each

cdef struct Place:              # of a call in its queue when it was noted
    uint64_t serial
    int64_t queue_due_ns
    int32_t slot
    uint8_t phase


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
        """Where the noting goes on in the queue at hand: behind the last noted call that stands where it stood."""
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
        said = json.dumps(totals_of(self.engine, self.regions, self.region_count)).encode()
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
            self.engine._hear(slots[i])         # while there are streams to tell of
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
