# cython: language_level=3
"""Where the calls of the table expect media (from their SDP), and in which formats.

An endpoint belongs to the call that named it last: ports are used again soon after a call has ended, and
the older call keeps the streams it already has. A call names few endpoints (offer and answer; more with
forks and re-INVITEs), so a call has a short list of its own, the oldest of which gives way.
"""
from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

from capture.hashing cimport hash_bytes, hash_mix
from capture.index cimport (
    NO_SLOT, index_find, index_free, index_init, index_insert, index_key, index_prefetch, index_remove,
    prefetch as prefetch_line,
)
from capture.memory cimport table_calloc, table_free
from capture.packet cimport Address, Endpoint, address_is_v4, endpoint_hash
from capture.sdp cimport SDP_NAME_BYTES, SdpMedia
from kernels.slots cimport prefetch_all

cdef enum:
    CALL_ENDPOINTS = 16     # of one call: two sides, SDP_MAX_MEDIA at most of which two are usual, and moves
    FORMAT_KINDS = 1024     # distinct (name, clock) pairs in use at once; IANA has registered about 200


cdef class Expectations:
    """Endpoint -> call and formats.

    `entries` bounds the endpoints of all calls (the oldest gives way, counted in `evicted`), `calls` is the
    number of slots of the call table, `secret` keys the hashes.
    """

    def __cinit__(self, int32_t entries, int32_t calls, uint64_t secret):
        cdef int32_t slot
        self.capacity = entries
        self.calls = calls
        self.secret = secret
        self.entries = <Expectation*>table_calloc(entries, sizeof(Expectation))
        self.formats = <Format*>calloc(FORMAT_KINDS, sizeof(Format))
        self.first_of_call = <int32_t*>malloc(calls * sizeof(int32_t))
        if (self.entries == NULL or self.formats == NULL or self.first_of_call == NULL
                or index_init(&self.index, entries) != 0 or index_init(&self.format_index, FORMAT_KINDS) != 0):
            raise MemoryError("no memory for the media expectations")
        for slot in range(calls):
            self.first_of_call[slot] = NO_SLOT
        self.free_slot = NO_SLOT

    def __dealloc__(self):
        index_free(&self.index)
        index_free(&self.format_index)
        table_free(self.entries)
        free(self.formats)
        free(self.first_of_call)

    cdef void add(self, int32_t call_slot, const SdpMedia* media, bint of_caller) noexcept nogil:
        """Takes one media description. Declined or held media (port 0, RFC 3264 8.4's 0.0.0.0) names no endpoint."""
        cdef uint64_t key
        cdef int32_t slot
        cdef int i
        cdef Expectation* entry
        if not 0 <= call_slot < self.calls or media.rtp.port == 0 or _is_unspecified(&media.rtp.address):
            return
        self.generation += 1
        key = index_key(endpoint_hash(&media.rtp, self.secret))
        slot = index_find(&self.index, key)
        if slot != NO_SLOT and self.entries[slot].call_slot != call_slot:
            self._remove(slot)
            slot = NO_SLOT
        if slot == NO_SLOT:
            slot = self._allocate()
            self.entries[slot].key = key
            index_insert(&self.index, key, slot)
            self._link(slot, call_slot)
        entry = &self.entries[slot]
        self._drop_formats(entry)
        entry.of_caller = of_caller
        entry.is_rtp = media.is_rtp
        entry.format_count = media.format_count
        for i in range(media.format_count):
            entry.payload_types[i] = media.formats[i].payload_type
            entry.formats[i] = self._use_format(media.formats[i].name, media.formats[i].clock_hz)

    cdef void prefetch(self, int32_t call_slot, const SdpMedia* media) noexcept nogil:
        index_prefetch(&self.index, index_key(endpoint_hash(&media.rtp, self.secret)))
        prefetch_line(&self.first_of_call[call_slot])
        if self.free_slot != NO_SLOT:
            prefetch_all(&self.entries[self.free_slot], sizeof(Expectation))

    cdef const Expectation* find(self, const Endpoint* endpoint) noexcept nogil:
        cdef int32_t slot = index_find(&self.index, index_key(endpoint_hash(endpoint, self.secret)))
        return &self.entries[slot] if slot != NO_SLOT else NULL

    cdef const Format* format_of(self, const Expectation* expectation, uint8_t payload_type) noexcept nogil:
        cdef int i
        for i in range(expectation.format_count):
            if expectation.payload_types[i] == payload_type:
                return &self.formats[expectation.formats[i]]
        return NULL

    cdef void release_call(self, int32_t call_slot) noexcept nogil:
        while self.first_of_call[call_slot] != NO_SLOT:
            self._remove(self.first_of_call[call_slot])

    cdef void prefetch_release(self, int32_t call_slot, int step) noexcept nogil:
        cdef int32_t slot
        if step == 0:
            prefetch_line(&self.first_of_call[call_slot])
            return
        slot = self.first_of_call[call_slot]
        if slot == NO_SLOT:
            return
        if step == 1:
            prefetch_all(&self.entries[slot], sizeof(Expectation))
            return
        index_prefetch(&self.index, self.entries[slot].key)
        slot = self.entries[slot].next_of_call      # of the two that are usual
        if slot != NO_SLOT:
            prefetch_all(&self.entries[slot], sizeof(Expectation))

    cdef int32_t _allocate(self) noexcept nogil:
        """A slot that is in no list. Slots are taken round and round, so the one at the hand is about the oldest."""
        cdef int32_t slot
        if self.index.used >= <uint32_t>self.capacity:
            self._remove(self.hand)
            self.hand = (self.hand + 1) % self.capacity
            self.evicted += 1
        slot = self.free_slot
        if slot == NO_SLOT:
            slot = self.used_slots
            self.used_slots += 1
        else:
            self.free_slot = self.entries[slot].next_of_call
        memset(&self.entries[slot], 0, sizeof(Expectation))
        return slot

    cdef void _link(self, int32_t slot, int32_t call_slot) noexcept nogil:
        """Puts the entry first in its call's list; the list's last gives way when it is too long."""
        cdef int32_t at
        cdef int length = 1
        self.entries[slot].call_slot = call_slot
        self.entries[slot].next_of_call = self.first_of_call[call_slot]
        self.first_of_call[call_slot] = slot
        at = slot
        while self.entries[at].next_of_call != NO_SLOT:
            at = self.entries[at].next_of_call
            length += 1
        if length > CALL_ENDPOINTS:
            self._remove(at)
            self.evicted += 1

    cdef void _remove(self, int32_t slot) noexcept nogil:
        cdef Expectation* entry = &self.entries[slot]
        cdef int32_t* link = &self.first_of_call[entry.call_slot]
        while link[0] != slot:
            link = &self.entries[link[0]].next_of_call
        link[0] = entry.next_of_call
        index_remove(&self.index, entry.key)
        self._drop_formats(entry)
        entry.call_slot = NO_SLOT
        entry.next_of_call = self.free_slot
        self.free_slot = slot

    cdef void _drop_formats(self, Expectation* entry) noexcept nogil:
        cdef int i
        cdef Format* format
        for i in range(entry.format_count):
            if entry.formats[i] == NO_FORMAT:
                continue
            format = &self.formats[entry.formats[i]]
            format.users -= 1
            if format.users == 0:
                index_remove(&self.format_index, format.key)
        entry.format_count = 0

    cdef uint16_t _use_format(self, const char* name, uint32_t clock_hz) noexcept nogil:
        """The number of a shared format, one user more; NO_FORMAT when it has no name or there is no room."""
        cdef uint64_t key
        cdef int32_t slot
        cdef int32_t _
        if name[0] == 0 and clock_hz == 0:
            return NO_FORMAT
        key = index_key(hash_mix(hash_bytes(<const uint8_t*>name, SDP_NAME_BYTES, self.secret), clock_hz))
        slot = index_find(&self.format_index, key)
        if slot == NO_SLOT:
            for _ in range(FORMAT_KINDS - 1):
                self.free_format = 1 + self.free_format % (FORMAT_KINDS - 1)
                if self.formats[self.free_format].users == 0:
                    break
            else:
                self.unnamed += 1
                return NO_FORMAT
            slot = self.free_format
            self.formats[slot].key = key
            self.formats[slot].clock_hz = clock_hz
            memcpy(self.formats[slot].name, name, SDP_NAME_BYTES)
            index_insert(&self.format_index, key, slot)
        self.formats[slot].users += 1
        return <uint16_t>slot


cdef inline bint _is_unspecified(const Address* address) noexcept nogil:
    """0.0.0.0 or :: (RFC 3264 8.4: a hold in the manner of RFC 2543)."""
    cdef const uint8_t* octets = <const uint8_t*>&address.low
    if address_is_v4(address):
        return octets[4] == 0 and octets[5] == 0 and octets[6] == 0 and octets[7] == 0
    return address.high == 0 and address.low == 0
