# cython: language_level=3
"""WebSocket frames (RFC 6455) and the handshake that opens a connection for SIP (RFC 7118)."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy

from capture.packet cimport read_be16, read_be32
from capture.sip cimport sip_starts_here

cdef enum:
    SHORTEST_HEADER = 2
    LENGTH_16 = 126                 # RFC 6455 5.2: the payload length is in the next 2 bytes
    LENGTH_64 = 127                 # ... 8 bytes
    CONTROL_BYTES = 125             # RFC 6455 5.5: most that a control frame holds
    PROBE_BYTES = 512               # of an unmasked frame, to see a start line in it


cdef int websocket_read_frame(const uint8_t* data, uint32_t length, Frame* frame) noexcept nogil:
    """RFC 6455 5.2. Malformed: RSV2 or RSV3, a reserved opcode, a length that is not in its shortest form, a control
    frame that is long or fragmented. RSV1 is let pass on the first frame of a message: it says `compressed`."""
    cdef uint8_t short_length
    cdef uint32_t at = SHORTEST_HEADER
    if length < SHORTEST_HEADER:
        return FRAME_NEED_MORE
    frame.final = data[0] >> 7
    frame.opcode = data[0] & 0x0f
    frame.compressed = data[0] >> 6 & 1
    frame.masked = data[1] >> 7
    short_length = data[1] & 0x7f
    if data[0] & 0x30 or OPCODE_BINARY < frame.opcode < OPCODE_CLOSE or frame.opcode > OPCODE_PONG:
        return FRAME_MALFORMED
    if frame.compressed and frame.opcode not in (OPCODE_TEXT, OPCODE_BINARY):
        return FRAME_MALFORMED
    if frame.opcode >= OPCODE_CLOSE and (short_length > CONTROL_BYTES or not frame.final):
        return FRAME_MALFORMED
    frame.payload_bytes = short_length
    if short_length == LENGTH_16:
        if length < at + 2:
            return FRAME_NEED_MORE
        frame.payload_bytes = read_be16(data + at)
        at += 2
        if frame.payload_bytes < LENGTH_16:
            return FRAME_MALFORMED
    elif short_length == LENGTH_64:
        if length < at + 8:
            return FRAME_NEED_MORE
        frame.payload_bytes = <uint64_t>read_be32(data + at) << 32 | read_be32(data + at + 4)
        at += 8
        if frame.payload_bytes <= 0xffff or frame.payload_bytes >> 63:
            return FRAME_MALFORMED
    if frame.masked:
        if length < at + 4:
            return FRAME_NEED_MORE
        memcpy(frame.mask, data + at, 4)
        at += 4
    frame.header_bytes = <uint8_t>at
    return FRAME_READ


cdef void websocket_unmask(const Frame* frame, uint8_t* payload, uint32_t length) noexcept nogil:
    """RFC 6455 5.3, in place; nothing to do for a frame that is not masked."""
    cdef uint32_t i
    if frame.masked:
        for i in range(length):
            payload[i] ^= frame.mask[i & 3]


cdef bint websocket_may_open(const uint8_t* data, uint32_t length) noexcept nogil:
    return (length >= 4 and memcmp(data, b"GET ", 4) == 0) or (length >= 12 and memcmp(data, b"HTTP/1.1 101", 12) == 0)


cdef inline uint8_t _lower(uint8_t c) noexcept nogil:
    return c | 0x20 if c'A' <= c <= c'Z' else c


cdef bint _is_word(const uint8_t* data, uint32_t length, const char* word, uint32_t word_bytes) noexcept nogil:
    """Case-insensitive; `word` is in lower case."""
    cdef uint32_t i
    if length != word_bytes:
        return False
    for i in range(length):
        if _lower(data[i]) != <uint8_t>word[i]:
            return False
    return True


cdef bint _list_has(const uint8_t* value, uint32_t length, const char* word, uint32_t word_bytes) noexcept nogil:
    """Whether a comma-separated list of tokens has a word."""
    cdef uint32_t at = 0
    cdef uint32_t start, end
    while at < length:
        start = at
        while at < length and value[at] != c',':
            at += 1
        end = at
        while start < end and value[start] in (c' ', c'\t'):
            start += 1
        while end > start and value[end - 1] in (c' ', c'\t', c'\r'):
            end -= 1
        if _is_word(value + start, end - start, word, word_bytes):
            return True
        at += 1
    return False


cdef bint websocket_opens_sip(const uint8_t* head, uint32_t length) noexcept nogil:
    cdef bint upgrades = False
    cdef bint speaks_sip = False
    cdef const uint8_t* line_end
    cdef const uint8_t* colon
    cdef uint32_t at = 0
    cdef uint32_t end, name_bytes
    if not websocket_may_open(head, length):
        return False
    while at < length:
        line_end = <const uint8_t*>memchr(head + at, c'\n', length - at)
        end = <uint32_t>(line_end - head) if line_end != NULL else length
        colon = <const uint8_t*>memchr(head + at, c':', end - at)
        if colon != NULL:
            name_bytes = <uint32_t>(colon - head) - at
            if _is_word(head + at, name_bytes, b"upgrade", 7):
                upgrades |= _list_has(colon + 1, end - at - name_bytes - 1, b"websocket", 9)
            elif _is_word(head + at, name_bytes, b"sec-websocket-protocol", 22):
                speaks_sip |= _list_has(colon + 1, end - at - name_bytes - 1, b"sip", 3)
        at = end + 1
    return upgrades and speaks_sip


cdef int websocket_sip_frame_here(const uint8_t* data, uint32_t length) noexcept nogil:
    """FRAME_READ when it does, FRAME_NEED_MORE when more bytes could tell, else FRAME_MALFORMED."""
    cdef uint8_t[PROBE_BYTES] probe
    cdef Frame frame
    cdef uint32_t there
    cdef uint32_t wanted
    cdef int status = websocket_read_frame(data, length, &frame)
    if status != FRAME_READ:
        return status
    if frame.opcode not in (OPCODE_TEXT, OPCODE_BINARY) or frame.compressed:
        return FRAME_MALFORMED
    wanted = PROBE_BYTES if frame.payload_bytes > PROBE_BYTES else <uint32_t>frame.payload_bytes
    there = min(wanted, length - frame.header_bytes)
    memcpy(probe, data + frame.header_bytes, there)
    websocket_unmask(&frame, probe, there)
    if there > 0 and memchr(probe, c'\n', there) != NULL:
        return FRAME_READ if sip_starts_here(probe, there) else FRAME_MALFORMED
    if there < wanted and (there == 0 or 0x21 <= probe[0] <= 0x7e):
        return FRAME_NEED_MORE
    return FRAME_MALFORMED


def read_frame(const uint8_t[::1] data) -> dict | None:
    """The frame header at the start of `data` (RFC 6455 5.2), None when it is not whole. ValueError when malformed."""
    cdef Frame frame
    cdef uint8_t nothing = 0
    cdef int status = websocket_read_frame(
        &data[0] if data.shape[0] > 0 else &nothing, <uint32_t>data.shape[0], &frame)
    if status == FRAME_MALFORMED:
        raise ValueError("not a WebSocket frame (RFC 6455 5.2)")
    if status == FRAME_NEED_MORE:
        return None
    return {
        "final": bool(frame.final), "opcode": frame.opcode, "compressed": bool(frame.compressed),
        "masked": bool(frame.masked), "header_bytes": frame.header_bytes, "payload_bytes": frame.payload_bytes,
    }


def opens_sip(const uint8_t[::1] head) -> bool:
    """Whether an HTTP header opens, or agrees to open, a WebSocket with the subprotocol `sip` (RFC 7118 4)."""
    return head.shape[0] > 0 and websocket_opens_sip(&head[0], <uint32_t>head.shape[0])
