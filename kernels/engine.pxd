# cython: language_level=3
"""The engine: one `nogil` pass that takes packets down to feature rows."""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from capture.decode cimport Decoder
from capture.duplicates cimport Duplicates
from capture.packet cimport Address, Packet
from capture.sdp cimport SdpMemory, SdpSession
from capture.sip cimport Lookup, SipMessage, Span
from capture.source cimport Record, RecordSource
from capture.tcp cimport StreamTable
from kernels.break_ins cimport BreakIns
from kernels.calls cimport CallTable
from kernels.media cimport MediaTable
from kernels.numbers cimport Plan
from kernels.profiles cimport Profiles
from kernels.subscribers cimport Subscribers

cdef enum RunStatus:
    RUN_NEED_MORE = 0       # the reader's buffer is used up
    RUN_BLOCK = 1           # a block is full: score it, report it, and run on
    RUN_END = 2             # the file cannot be read past this point

cdef struct RowNote:        # what a row is about, as of the row: its profile may be evicted before it is scored
    Address source
    int64_t time_ns
    int64_t first_ns        # first request of the caller or source
    uint32_t requests       # of the caller or source so far
    int32_t call_slot       # NO_SLOT for a source row
    uint8_t stage           # CallStage


@cython.final
cdef class Engine:
    cdef Decoder decoder
    cdef Duplicates duplicates      # None: packets that come twice are taken twice
    cdef StreamTable streams
    cdef readonly CallTable calls
    cdef readonly MediaTable media
    cdef readonly Profiles profiles
    cdef readonly Subscribers subscribers   # None: none are kept
    cdef Plan plan

    cdef uint64_t secret             # keys every hash
    cdef int64_t clock_ns           # the latest time of any packet, and what `advance` said: never goes back
    cdef int64_t now_ns             # what `advance` said last; 0: time comes with the packets alone
    cdef readonly int64_t offset_ns  # what the wall clock says more than the engine's own time
    cdef readonly uint64_t corrected  # records whose time could not be: taken as of now
    cdef RecordSource nothing
    cdef int64_t next_flush_ns
    cdef int64_t first_ns
    cdef int64_t last_ns
    cdef Packet* packet             # the one at hand, in a place of the media table's
    cdef SipMessage message
    cdef Lookup lookup
    cdef int32_t stream_slot        # a TCP direction with messages still to be taken, or NO_SLOT

    cdef uint32_t block_packets
    cdef uint64_t block_end         # the count of packets at which the block ends, whatever else
    cdef uint32_t rows_capacity
    cdef uint32_t call_rows_count
    cdef uint32_t source_rows_count
    cdef readonly object call_features      # float32 [rows, len(CALL_FEATURES)]
    cdef readonly object source_features    # float32 [rows, len(SOURCE_FEATURES)]
    cdef float[:, ::1] call_rows
    cdef float[:, ::1] source_rows
    cdef RowNote* call_notes
    cdef RowNote* source_notes
    cdef readonly BreakIns break_ins     # of the block

    cdef readonly uint64_t packets
    cdef uint64_t bytes
    cdef uint64_t sip_requests
    cdef uint64_t sip_responses
    cdef uint64_t malformed
    cdef uint64_t evicted
    cdef uint64_t flagged
    cdef uint64_t watched

    cdef SdpMemory descriptions     # last: it is large

    cdef int _run(self, RecordSource source, bint live) noexcept nogil
    cdef void _own_time(self, Record* record, bint live) noexcept nogil
    cdef bint _full(self) noexcept nogil
    cdef void _hear(self, int32_t slot) noexcept nogil
    cdef bint _expire(self) noexcept nogil
    cdef void _packet(self) noexcept nogil
    cdef void _beside_sip(self) noexcept nogil
    cdef void _gateway_sign(self, uint8_t sign) noexcept nogil
    cdef void _segment(self) noexcept nogil
    cdef void _flush(self, int64_t now_ns) noexcept nogil
    cdef void _message(self, int status, uint8_t transport) noexcept nogil
    cdef void _outside_calls(self) noexcept nogil
    cdef void _try(self, int32_t slot) noexcept nogil
    cdef void _let_in(self, int32_t slot, Span user) noexcept nogil
    cdef bint _read_offer(self, int32_t slot, SdpSession* session) noexcept nogil
    cdef void _expect(self, int32_t slot, const SdpSession* session) noexcept nogil
    cdef bint _is_of_caller(self, int32_t slot) noexcept nogil
    cdef void _tell(self, int32_t slot, int events, int64_t now_ns) noexcept nogil
    cdef void _retire(self, int32_t slot) noexcept nogil
    cdef void _call_row(self, int32_t slot, uint8_t stage, int64_t now_ns) noexcept nogil
    cdef void _source_row(self, int32_t slot, int64_t now_ns) noexcept nogil
