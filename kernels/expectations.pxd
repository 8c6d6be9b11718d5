# cython: language_level=3
"""Where the calls of the table expect media (from their SDP), and in which formats."""
cimport cython
from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t, uint64_t

from capture.index cimport Index
from capture.packet cimport Endpoint
from capture.sdp cimport SDP_MAX_FORMATS, SDP_NAME_BYTES, SdpMedia

cdef enum:
    NO_FORMAT = 0

cdef struct Format:                 # shared by every expectation that names it
    uint64_t key
    uint32_t clock_hz
    uint32_t users                  # expectations that name it; 0: free
    char name[SDP_NAME_BYTES]

cdef struct Expectation:
    uint64_t key                    # hash of the endpoint
    int32_t call_slot               # NO_SLOT when it was freed
    int32_t next_of_call            # next free slot when free
    uint8_t of_caller               # the caller's side announced it
    uint8_t is_rtp                  # False for T.38 over UDPTL and other transports: nothing there is RTP
    uint8_t format_count
    uint8_t payload_types[SDP_MAX_FORMATS]
    uint16_t formats[SDP_MAX_FORMATS]


@cython.final
cdef class Expectations:
    cdef Index index
    cdef Index format_index
    cdef Expectation* entries
    cdef Format* formats
    cdef int32_t* first_of_call
    cdef uint64_t secret
    cdef int32_t capacity
    cdef int32_t calls
    cdef int32_t free_slot              # the slot that was freed last, NO_SLOT when none is
    cdef int32_t used_slots             # slots from here on were never used
    cdef int32_t free_format
    cdef int32_t hand
    cdef readonly uint32_t generation   # grows with every change that may give a stream a call
    cdef readonly uint64_t evicted      # expectations that made room for others
    cdef readonly uint64_t unnamed      # formats dropped because the table of formats was full

    # `add` will come soon: has memory bring what it looks at first.
    cdef void prefetch(self, int32_t call_slot, const SdpMedia* media) noexcept nogil
    cdef void add(self, int32_t call_slot, const SdpMedia* media, bint of_caller) noexcept nogil
    cdef const Expectation* find(self, const Endpoint* endpoint) noexcept nogil
    # The format of a payload type; NULL when the session description does not list it.
    cdef const Format* format_of(self, const Expectation* expectation, uint8_t payload_type) noexcept nogil
    cdef void release_call(self, int32_t call_slot) noexcept nogil
    # `release_call` will come soon. Each step reads what the one before has asked for: 0, then later 1, then later 2.
    cdef void prefetch_release(self, int32_t call_slot, int step) noexcept nogil

    cdef int32_t _allocate(self) noexcept nogil
    cdef void _link(self, int32_t slot, int32_t call_slot) noexcept nogil
    cdef void _remove(self, int32_t slot) noexcept nogil
    cdef void _drop_formats(self, Expectation* entry) noexcept nogil
    cdef uint16_t _use_format(self, const char* name, uint32_t clock_hz) noexcept nogil
