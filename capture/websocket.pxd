# cython: language_level=3
"""WebSocket frames (RFC 6455) and the handshake that opens a connection for SIP (RFC 7118)."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef enum FrameStatus:
    FRAME_READ = 1
    FRAME_NEED_MORE = 0
    FRAME_MALFORMED = -1

cdef enum Opcode:               # RFC 6455 11.8
    OPCODE_CONTINUATION = 0
    OPCODE_TEXT = 1
    OPCODE_BINARY = 2
    OPCODE_CLOSE = 8
    OPCODE_PING = 9
    OPCODE_PONG = 10

cdef struct Frame:
    uint64_t payload_bytes
    uint8_t header_bytes        # 2..14, masking key included
    uint8_t opcode
    uint8_t final
    uint8_t compressed          # RSV1 of a data frame: permessage-deflate (RFC 7692 6)
    uint8_t masked
    uint8_t mask[4]

# A frame header at the start of the data; the payload need not be there.
cdef int websocket_read_frame(const uint8_t* data, uint32_t length, Frame* frame) noexcept nogil
cdef void websocket_unmask(const Frame* frame, uint8_t* payload, uint32_t length) noexcept nogil
# Whether the data begins like either half of an opening handshake: worth waiting for the end of its header.
cdef bint websocket_may_open(const uint8_t* data, uint32_t length) noexcept nogil
# Whether a whole HTTP header opens, or agrees to open, a WebSocket for SIP (RFC 6455 4.1, 4.2.2; RFC 7118 4).
cdef bint websocket_opens_sip(const uint8_t* head, uint32_t length) noexcept nogil
# Whether a connection that was joined in its middle goes on with a frame that holds a SIP message.
cdef int websocket_sip_frame_here(const uint8_t* data, uint32_t length) noexcept nogil
