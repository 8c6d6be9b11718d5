# cython: language_level=3
"""TCP byte streams put back in order, and the SIP messages in them (plain or in WebSocket frames)."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from capture.framing cimport Framing
from capture.index cimport Index
from capture.packet cimport Endpoint, Packet
from capture.pool cimport BufferPool
from capture.sip cimport SipMessage
from capture.window cimport Window

cdef enum:                      # lists of directions in order of use, to find the one to evict
    LIST_OTHER = 0              # not known to be SIP: evicted before any that is
    LIST_SIP = 1
    USE_LISTS = 2

cdef struct Direction:          # of a connection
    uint64_t key
    int64_t last_ns
    int64_t gap_ns              # when the first segment beyond the gap arrived
    uint32_t initial_sequence   # of the SYN
    uint32_t fin_sequence       # of the FIN
    uint8_t saw_syn
    uint8_t saw_fin
    uint8_t closed              # FIN or RST; kept for a while, so that late copies of its segments are known as such
    uint8_t synchronised        # window.next_sequence is known
    uint8_t list                # LIST_OTHER or LIST_SIP
    uint8_t is_buffered         # in the list of directions that hold a buffer
    int32_t newer               # neighbours in the list of use
    int32_t older               # next free slot when free
    int32_t buffered_before     # neighbours in the list of buffers
    int32_t buffered_after
    Framing framing
    Window window
    Endpoint source
    Endpoint destination

cdef struct TcpCounters:        # totals since the table was made
    uint64_t messages
    uint64_t retransmissions    # segments that brought nothing new
    uint64_t out_of_order       # segments that came before those they follow
    uint64_t gaps               # holes that were given up
    uint64_t resynchronised     # times that messages were lost and had to be searched for
    uint64_t cut_messages       # handed out without their end
    uint64_t not_sip            # directions found to carry something else
    uint64_t evicted            # directions that made room for others
    uint64_t evicted_buffers    # directions whose bytes made room for others'
    uint64_t expired            # directions that were idle

cdef class StreamTable:
    # Takes one segment. The slot of its direction when the stream may now hold a message, else NO_SLOT.
    # The caller then takes messages until there is none, before the packet's bytes go.
    cdef int32_t feed(self, const Packet* packet) noexcept nogil
    # The next whole message of a direction: SIP_MESSAGE (valid until the next call), SIP_NEED_MORE when
    # there is none now, SIP_MALFORMED when one was skipped (call again).
    cdef int next_message(self, int32_t slot, SipMessage* message) noexcept nogil
    cdef bint is_websocket(self, int32_t slot) noexcept nogil
    # Gives up gaps that have waited too long at `now_ns` (INT64_MAX: all, at the end of a capture). The slot of a
    # direction that may now hold a message, its time and endpoints in `packet`; call until NO_SLOT.
    cdef int32_t flush(self, int64_t now_ns, Packet* packet) noexcept nogil
    cdef TcpCounters totals

    # the rest is the table's own
    cdef Index index
    cdef Direction* directions
    cdef BufferPool pool
    cdef uint64_t secret
    cdef int32_t capacity
    cdef int32_t free_slot          # the slot that was freed last, NO_SLOT when none is
    cdef int32_t used_slots         # slots from here on were never used
    cdef int32_t pending            # the direction whose messages are being taken
    cdef int32_t[USE_LISTS] newest
    cdef int32_t[USE_LISTS] oldest
    cdef int32_t first_buffered     # has held its buffer longest
    cdef int32_t last_buffered

    cdef int32_t _open(self, uint64_t key, const Packet* packet) noexcept nogil
    cdef int32_t _free_slot(self) noexcept nogil
    cdef void _remove(self, int32_t slot) noexcept nogil
    cdef void _expire(self, int64_t now_ns) noexcept nogil
    cdef void _restart(self, int32_t slot) noexcept nogil
    cdef void _close(self, int32_t slot) noexcept nogil
    cdef void _enlist(self, int32_t slot, uint8_t which) noexcept nogil
    cdef void _delist(self, int32_t slot) noexcept nogil
    cdef void _use(self, int32_t slot) noexcept nogil
    cdef bint _segment(self, int32_t slot, const Packet* packet, uint32_t sequence) noexcept nogil
    cdef bint _in_order(
        self, int32_t slot, const uint8_t* bytes, uint32_t length, int64_t now_ns) noexcept nogil
    cdef bint _out_of_order(
        self, int32_t slot, uint32_t sequence, const uint8_t* bytes, uint32_t length, int64_t now_ns) noexcept nogil
    cdef bint _store(self, int32_t slot, uint32_t ahead, const uint8_t* bytes, uint32_t length) noexcept nogil
    cdef void _skip_gap(self, int32_t slot, int64_t now_ns) noexcept nogil
    cdef void _jump(self, int32_t slot, uint32_t sequence) noexcept nogil
    cdef void _forget_bytes(self, int32_t slot) noexcept nogil
    cdef void _settle(self, int32_t slot) noexcept nogil
    cdef bint _evict_buffer(self, int32_t wanting) noexcept nogil
    cdef void _note_buffer(self, int32_t slot) noexcept nogil
