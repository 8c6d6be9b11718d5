# cython: language_level=3
"""Where SIP messages begin and end in the ordered bytes of a TCP direction."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from capture.sip cimport SipMessage
from capture.window cimport Window

cdef enum StreamKind:
    STREAM_NEW = 0              # nothing told yet what it carries
    STREAM_HANDSHAKE = 1        # an HTTP header that may open a WebSocket
    STREAM_SIP = 2
    STREAM_WEBSOCKET = 3
    STREAM_NOT_SIP = 4          # its bytes are not looked at any more

cdef enum StreamPosition:       # what is known of the next unread byte
    AT_MESSAGE = 0              # a message begins here
    AT_LINE = 1                 # a line, or a segment, begins here: perhaps a message
    IN_LINE = 2                 # in a line that does not begin with a message: one can begin in it, or behind it
    IN_LONG_LINE = 3            # in a line that is too long to be kept: one can begin behind it

cdef enum:
    # Beside the answers of capture/sip.pxd: the window must own its bytes (window_own) before the next call.
    FRAMING_NEEDS_BUFFER = -3

cdef struct Framing:
    uint8_t kind                # StreamKind
    uint8_t position            # StreamPosition
    uint8_t from_start          # the first byte of the connection was, or will be, seen
    uint8_t cut                 # the snapshot length cut the latest segment: what is missing will not come
    uint8_t tried               # the message at hand was read once, and is not whole
    uint8_t begun               # its start line is whole
    uint8_t in_message          # WebSocket: between the first and the final frame of a message
    uint8_t dropping            # WebSocket: of a message that is too long or compressed
    uint32_t scanned            # bytes after window.start that were searched for the end of the header
    uint32_t line_start         # of the line being searched, after window.start
    uint32_t needed             # bytes of the message at hand, 0 when not known
    uint32_t searched_bytes     # passed over since the last message
    uint32_t resynchronised     # how often messages were lost and had to be searched for
    uint32_t cut_messages       # handed out without their end
    uint64_t skip_bytes         # rest of something oversized, dropped unread as it comes

cdef void framing_begin(Framing* framing, bint from_start) noexcept nogil
# `lost` bytes are missing before window.start (0: not known how many).
cdef void framing_lose(Framing* framing, uint32_t lost) noexcept nogil
# SIP_MESSAGE: the next whole message; SIP_MALFORMED: one was skipped, call again; SIP_NEED_MORE; FRAMING_NEEDS_BUFFER.
cdef int framing_next(Framing* framing, Window* window, SipMessage* message) noexcept nogil
