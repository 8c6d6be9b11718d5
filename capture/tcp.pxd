# cython: language_level=3
"""TCP byte streams put back in order, and the SIP messages in them (plain or in WebSocket frames)."""
from libc.stdint cimport int32_t, uint8_t

from capture.packet cimport Packet
from capture.sip cimport SipMessage

cdef class StreamTable:
    # Takes one segment. The slot of its direction when the stream may now hold a message, else NO_SLOT.
    cdef int32_t feed(self, const Packet* packet) noexcept nogil
    # The next whole message of a direction: SIP_MESSAGE (valid until the next call), SIP_NEED_MORE when
    # there is none now, SIP_MALFORMED when one was skipped (call again).
    cdef int next_message(self, int32_t slot, SipMessage* message) noexcept nogil
    cdef bint is_websocket(self, int32_t slot) noexcept nogil
