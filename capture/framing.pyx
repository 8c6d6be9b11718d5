# cython: language_level=3
"""Where SIP messages begin and end in the ordered bytes of a TCP direction.

Theory of operation. A direction starts NEW and becomes, by its first line, SIP, HANDSHAKE (then WEBSOCKET or NOT_SIP)
or NOT_SIP. Joined in its middle, it stays NEW until a segment begins with a SIP start line or with a WebSocket frame
that holds one; only the begins of segments are looked at, since a file that is being downloaded may quote SIP.
Once SIP is proved, a message that is lost (a gap, or bytes that are no message) is searched for in every line.

Every byte is looked at a bounded number of times, however small the segments are: a message that is not whole is read
again only when its start line, its header (found by an incremental search for the empty line) or its body has come.
"""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memchr, memcmp, memmove, memset

from capture.sip cimport (
    MAX_HEADER_BYTES, METHOD_UNKNOWN, SIP_NEED_MORE, SIP_OTHER, SIP_REQUEST, SipMessage, sip_read_datagram,
    sip_read_stream, sip_starts_here,
)
from capture.sip_names cimport method_kind
from capture.websocket cimport (
    FRAME_MALFORMED, FRAME_NEED_MORE, FRAME_READ, OPCODE_CLOSE, OPCODE_CONTINUATION, Frame, websocket_may_open,
    websocket_opens_sip, websocket_read_frame, websocket_sip_frame_here, websocket_unmask,
)
from capture.window cimport Window, window_unread

cdef enum:
    # Header and body that are waited for; a longer message is handed out without its end. A message that fits UDP is
    # below 64 KiB; precedent: OpenSIPS tcp_max_msg_size 65536.
    MESSAGE_BYTES = 131072
    VERSION_BYTES = 7           # SIP/2.0
    SHORTEST_METHOD = 3         # ACK, BYE
    LONGEST_METHOD = 9          # SUBSCRIBE
    PROBE_BYTES = 64            # up to here a line that has not ended is judged again with every segment
    SEARCHED_LINE_BYTES = 8192  # of a line that is kept to look for a start line in it
    HANDSHAKE_BYTES = 16384     # of an HTTP header; precedent: nginx large_client_header_buffers 4 x 8 KiB
    SEARCH_BYTES = 262144       # without a start line in so much, a stream joined in the middle is not SIP


cdef void framing_begin(Framing* framing, bint from_start) noexcept nogil:
    memset(framing, 0, sizeof(Framing))
    framing.from_start = from_start
    framing.position = AT_MESSAGE if from_start else AT_LINE


cdef void framing_lose(Framing* framing, uint32_t lost) noexcept nogil:
    if 0 < lost <= framing.skip_bytes:
        framing.skip_bytes -= lost          # it was to be dropped anyway
        return
    framing.skip_bytes = 0
    framing.from_start = False
    framing.in_message = False
    framing.dropping = False
    framing.cut = False
    if framing.kind == STREAM_HANDSHAKE:
        framing.kind = STREAM_NEW
    _next_begins(framing, AT_LINE)
    framing.resynchronised += 1


cdef inline void _next_begins(Framing* framing, uint8_t position) noexcept nogil:
    """window.start has moved: nothing is known of what is there but where it is."""
    framing.position = position
    framing.tried = False
    framing.begun = False
    framing.scanned = 0
    framing.line_start = 0
    framing.needed = 0


cdef int framing_next(Framing* framing, Window* window, SipMessage* message) noexcept nogil:
    cdef uint32_t skipped
    cdef int status
    if framing.skip_bytes > 0:
        skipped = window_unread(window)
        if skipped > framing.skip_bytes:
            skipped = <uint32_t>framing.skip_bytes
        framing.skip_bytes -= skipped
        window.start += skipped
    while window_unread(window) > 0:
        if framing.kind == STREAM_NOT_SIP:
            window.start = window.filled
            break
        if framing.kind == STREAM_WEBSOCKET:
            return _next_in_frames(framing, window, message)
        if framing.kind == STREAM_HANDSHAKE:
            if not _handshake(framing, window):
                break
        elif not _skip_line_ends(framing, window):
            break
        else:
            status = _next_in_text(framing, window, message)
            if status != SIP_OTHER:
                return status
    return SIP_NEED_MORE


# --- SIP on a byte stream ------------------------------------------------------------------------------------------

cdef bint _skip_line_ends(Framing* framing, Window* window) noexcept nogil:
    """Keep-alives and line ends before a start line (RFC 5626 3.5.1, RFC 3261 7.5). Whether anything is left."""
    if framing.position >= IN_LINE or framing.tried:
        return True
    while window.start < window.filled and window.data[window.start] in (c'\r', c'\n'):
        window.start += 1
    return window.start < window.filled


cdef int _next_in_text(Framing* framing, Window* window, SipMessage* message) noexcept nogil:
    """Reads at window.start. SIP_OTHER: something else was there, look again."""
    cdef const uint8_t* data
    cdef uint32_t unread
    cdef int status
    if framing.position >= IN_LINE:
        return SIP_OTHER if _next_line(framing, window) else SIP_NEED_MORE
    data = window.data + window.start
    unread = window_unread(window)
    if framing.tried and not framing.cut and not _is_worth_reading(framing, data, unread):
        return SIP_NEED_MORE
    status = sip_read_stream(data, unread, message)
    if status == SIP_OTHER or _is_doubtful(framing, message):
        return _not_a_message(framing, window)
    if status == SIP_NEED_MORE:
        return _wait(framing, window, message)
    framing.kind = STREAM_SIP
    framing.searched_bytes = 0
    window.start += min(message.bytes, unread)
    _next_begins(framing, AT_MESSAGE)
    return status


cdef inline bint _is_doubtful(const Framing* framing, const SipMessage* message) noexcept nogil:
    """Where no message is known to begin, a body's end may run into the method behind it: known methods only."""
    return framing.position != AT_MESSAGE and message.kind == SIP_REQUEST and message.method == METHOD_UNKNOWN


cdef int _wait(Framing* framing, Window* window, SipMessage* message) noexcept nogil:
    """The message at window.start is not whole."""
    cdef uint32_t unread = window_unread(window)
    framing.tried = True
    if message.kind != 0 and memchr(window.data + window.start, c'\n', unread) != NULL:
        framing.kind = STREAM_SIP
        framing.begun = True
        framing.position = AT_MESSAGE
        # Behind the header the reader knows how long the message is.
        framing.needed = message.bytes if message.body.start > 0 else 0
    if framing.needed > MESSAGE_BYTES or framing.cut:
        return _cut_message(framing, window, message)
    return SIP_NEED_MORE


cdef int _cut_message(Framing* framing, Window* window, SipMessage* message) noexcept nogil:
    """Hands out what there is of a message whose end will not come, or is too far away to be waited for."""
    cdef uint32_t unread = window_unread(window)
    cdef int status = sip_read_datagram(window.data + window.start, unread, message) if framing.begun else SIP_OTHER
    message.truncated = True
    if not framing.cut:
        framing.skip_bytes = framing.needed - unread
    window.start = window.filled
    framing.searched_bytes = 0
    _next_begins(framing, AT_LINE if framing.cut else AT_MESSAGE)
    if status == SIP_OTHER:
        return SIP_NEED_MORE
    framing.cut_messages += 1
    return status


cdef bint _is_worth_reading(Framing* framing, const uint8_t* data, uint32_t unread) noexcept nogil:
    """Whether reading again can give another answer than before."""
    if framing.needed > 0:
        return unread >= framing.needed
    if _header_ended(framing, data, unread) or unread >= MAX_HEADER_BYTES:
        return True
    return not framing.begun and (framing.line_start > 0 or unread <= PROBE_BYTES)


cdef bint _header_ended(Framing* framing, const uint8_t* data, uint32_t unread) noexcept nogil:
    """Goes on with the search for the empty line; lines end with LF, and only CR may come before it."""
    cdef const uint8_t* line_end
    cdef uint32_t at
    while framing.scanned < unread:
        line_end = <const uint8_t*>memchr(data + framing.scanned, c'\n', unread - framing.scanned)
        if line_end == NULL:
            framing.scanned = unread
            return False
        at = framing.line_start
        framing.scanned = <uint32_t>(line_end - data) + 1
        framing.line_start = framing.scanned
        while data[at] == c'\r':
            at += 1
        if data[at] == c'\n':
            return True
    return False


cdef bint _next_line(Framing* framing, Window* window) noexcept nogil:
    """Moves to the next place where a message may begin: in this line, or at the next. False: not here yet."""
    cdef const uint8_t* data = window.data + window.start
    cdef uint32_t unread = window_unread(window)
    cdef uint32_t inside = 0
    cdef const uint8_t* line_end = <const uint8_t*>memchr(data + framing.scanned, c'\n', unread - framing.scanned)
    cdef uint32_t length = <uint32_t>(line_end - data) if line_end != NULL else unread
    if length > SEARCHED_LINE_BYTES:
        framing.position = IN_LONG_LINE
    if line_end == NULL:
        framing.scanned = unread
        if framing.position == IN_LONG_LINE:
            window.start = window.filled
            framing.scanned = 0
        return False
    if framing.position == IN_LINE:
        inside = _start_inside(data, length)
    window.start += inside if inside > 0 else length + 1
    _next_begins(framing, AT_LINE)
    return True


cdef uint32_t _start_inside(const uint8_t* data, uint32_t end) noexcept nogil:
    """Where in a line a start line begins, behind the end of a body that has no line end; 0 when none does."""
    cdef const uint8_t* found
    cdef uint32_t at = 1
    cdef uint32_t method_end, method_bytes
    while at + VERSION_BYTES < end:
        found = <const uint8_t*>memchr(data + at, c'S', end - VERSION_BYTES - at)
        if found == NULL:
            return 0
        at = <uint32_t>(found - data)
        if memcmp(found, b"SIP/2.0", VERSION_BYTES) == 0:
            if data[at + VERSION_BYTES] == c' ':
                return at if sip_starts_here(found, end - at) else 0
            method_end = _word_before(data, at)
            for method_bytes in range(SHORTEST_METHOD, LONGEST_METHOD + 1):
                if method_bytes < method_end and method_kind(
                        data + method_end - method_bytes, method_bytes) != METHOD_UNKNOWN:
                    at = method_end - method_bytes
                    return at if sip_starts_here(data + at, end - at) else 0
        at += 1
    return 0


cdef inline uint32_t _word_before(const uint8_t* data, uint32_t at) noexcept nogil:
    """The end of the word before the one that ends with the space before `at`; 0 when there is none."""
    if at < 2 or data[at - 1] != c' ':
        return 0
    at -= 2
    while at > 0 and data[at] != c' ':
        at -= 1
    return at


cdef int _not_a_message(Framing* framing, Window* window) noexcept nogil:
    """What is at window.start does not begin like SIP. SIP_OTHER: look again; SIP_NEED_MORE: when more has come."""
    cdef const uint8_t* data = window.data + window.start
    cdef uint32_t unread = window_unread(window)
    cdef int status
    if framing.kind == STREAM_SIP:
        framing.resynchronised += framing.position == AT_MESSAGE
        _next_begins(framing, IN_LINE)
        return SIP_OTHER
    if websocket_may_open(data, unread):
        framing.kind = STREAM_HANDSHAKE
        _next_begins(framing, AT_MESSAGE)
        return SIP_OTHER
    if framing.from_start:
        framing.kind = STREAM_NOT_SIP
        return SIP_OTHER
    status = websocket_sip_frame_here(data, unread)
    if status == FRAME_NEED_MORE:
        return SIP_NEED_MORE
    if status == FRAME_READ:
        framing.kind = STREAM_WEBSOCKET
        _next_begins(framing, AT_MESSAGE)
        return SIP_OTHER
    return _drop_segment(framing, window)


cdef int _drop_segment(Framing* framing, Window* window) noexcept nogil:
    """Passes over the rest of a segment that does not begin with a message."""
    cdef uint32_t start = window.start
    window.start = window.segment_start if window.segment_start > start else window.filled
    framing.searched_bytes += window.start - start
    _next_begins(framing, AT_LINE)
    if framing.searched_bytes > SEARCH_BYTES:
        framing.kind = STREAM_NOT_SIP
    return SIP_OTHER


# --- WebSocket -----------------------------------------------------------------------------------------------------

cdef bint _handshake(Framing* framing, Window* window) noexcept nogil:
    """Waits for the whole HTTP header and judges it. False: not here yet."""
    cdef const uint8_t* data = window.data + window.start
    cdef uint32_t unread = window_unread(window)
    if not _header_ended(framing, data, unread):
        if unread <= HANDSHAKE_BYTES:
            return False
        framing.kind = STREAM_NOT_SIP
    elif websocket_opens_sip(data, framing.scanned):
        framing.kind = STREAM_WEBSOCKET
        window.start += framing.scanned
        _next_begins(framing, AT_MESSAGE)
    else:
        framing.kind = STREAM_NOT_SIP
    return True


cdef int _next_in_frames(Framing* framing, Window* window, SipMessage* message) noexcept nogil:
    cdef Frame frame
    cdef int status
    if window.data != window.buffer:            # frames are unmasked and joined where they are
        return FRAMING_NEEDS_BUFFER
    while window_unread(window) > 0:
        if framing.position != AT_MESSAGE:
            status = websocket_sip_frame_here(window.data + window.start, window_unread(window))
            if status == FRAME_NEED_MORE:
                return SIP_NEED_MORE
            if status == FRAME_MALFORMED:
                _drop_segment(framing, window)
                continue
            _next_begins(framing, AT_MESSAGE)
        status = websocket_read_frame(window.data + window.start, window_unread(window), &frame)
        if status == FRAME_NEED_MORE:
            return SIP_NEED_MORE
        if status == FRAME_MALFORMED:
            window.floor = 0
            framing_lose(framing, 0)
            continue
        status = _take_frame(framing, window, &frame, message)
        if status != SIP_OTHER:
            return status
    return SIP_NEED_MORE


cdef int _take_frame(Framing* framing, Window* window, const Frame* frame, SipMessage* message) noexcept nogil:
    """One frame at window.start. SIP_OTHER: it was taken and completed no SIP message."""
    cdef uint64_t frame_bytes = frame.header_bytes + frame.payload_bytes
    cdef uint32_t unread = window_unread(window)
    cdef uint32_t joined = window.floor if frame.opcode == OPCODE_CONTINUATION else 0
    cdef bint oversized = frame.opcode < OPCODE_CLOSE and joined + frame.payload_bytes > MESSAGE_BYTES
    cdef int status
    if unread < frame_bytes and not oversized:
        return SIP_NEED_MORE
    if frame.opcode >= OPCODE_CLOSE:            # control frames come between the frames of a message, too
        window.start += <uint32_t>frame_bytes
        return SIP_OTHER
    if frame.opcode != OPCODE_CONTINUATION:
        framing.dropping = frame.compressed
    elif not framing.in_message:
        framing.dropping = True
    framing.in_message = not frame.final
    window.floor = joined
    if framing.dropping or oversized:
        framing.dropping = framing.in_message
        window.floor = 0
        _drop_frame(framing, window, frame_bytes)
        return SIP_OTHER
    _join_frame(window, frame)
    if framing.in_message:
        return SIP_OTHER
    # One SIP message a WebSocket message, Content-Length or not (RFC 7118 4.2, 5.3).
    status = sip_read_datagram(window.data, window.floor, message)
    window.floor = 0                            # its bytes stay until the next frame is joined
    framing.searched_bytes = 0
    return status


cdef void _drop_frame(Framing* framing, Window* window, uint64_t frame_bytes) noexcept nogil:
    cdef uint32_t unread = window_unread(window)
    if frame_bytes > unread:
        framing.skip_bytes = frame_bytes - unread
        window.start = window.filled
    else:
        window.start += <uint32_t>frame_bytes


cdef void _join_frame(Window* window, const Frame* frame) noexcept nogil:
    """Unmasks a whole frame and puts its payload behind that of the frames before it."""
    cdef uint8_t* payload = window.buffer + window.start + frame.header_bytes
    cdef uint32_t length = <uint32_t>frame.payload_bytes
    websocket_unmask(frame, payload, length)
    memmove(window.buffer + window.floor, payload, length)
    window.floor += length
    window.start += frame.header_bytes + length
