# cython: language_level=3
"""Reads SIP messages (RFC 3261).

One pass over the header: every line is found, named by its SipHeader, and the few values that calls are tracked by
are read on the way. Nothing is copied. What is wrong with a usable message is kept in `error` and does not stop the
reading: what passes a firewall and rings a telephone has to be counted, however it is spelled.
"""
from libc.stdint cimport int16_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp, memset

from capture.hashing cimport hash_bytes
from capture.index cimport index_key, index_prefetch
from capture.scan cimport Lines, begin_lines, find_byte, find_line_stop, next_line_end
from capture.sip_body cimport MAX_MULTIPART_DEPTH, find_sdp_part, read_boundary
from capture.sip_names cimport header_kind, method_kind, usual_kind
from capture.sip_text cimport CLASS, WHITE, find_word_end, skip_token
from capture.sip_values cimport NOT_A_NUMBER, find_parameter, read_address, read_cseq, read_number, read_uri, span

cdef enum LineStatus:
    LINE_READ = 1
    LINE_PENDING = 0
    LINE_OTHER = -2

cdef enum:
    VERSION_BYTES = 7       # SIP/2.0
    SMALLEST_URI = 3        # a:b


cdef inline void note(SipMessage* message, uint16_t problem, uint32_t offset) noexcept nogil:
    """Keeps the first problem: the later ones are often its consequence."""
    if message.error == SIP_NO_PROBLEM:
        message.error = problem
        message.error_offset = offset


# --- The start line -------------------------------------------------------------------------------------------------
#
# What counts as a start line is what tshark counts (its sip_parse_line, found by experiment), so that the numbers
# that an operator compares are the same:
#   - the first character is a visible ASCII character: RTP, STUN, TLS, DNS and keep-alives end here;
#   - the line ends at the first CR, LF or the end of a datagram, and holds no NUL;
#   - a line whose first word is SIP/2.0 is a Status-Line when the second word is exactly three digits and a space
#     follows; the Reason-Phrase may be empty or anything;
#   - any other line is a Request-Line when it is three words with exactly one space between them: anything, at least
#     three bytes with a colon that is not the first, and SIP/2.0 in capitals. So `SIP/2.0 ` with a space behind it,
#     two spaces, SIP/3.0 and HTTP/1.1 are something else, while a lower-case or unknown method is SIP.
# A datagram that begins with line ends is not SIP: RFC 3261 7.5 lets only streams begin so.

cdef inline int line_ended(const uint8_t* data, uint32_t at, uint32_t end, bint whole) noexcept nogil:
    """What it means that a word must be followed by the line's end at `at`."""
    if at == end:
        return LINE_READ if whole else LINE_PENDING
    return LINE_READ if data[at] == c'\r' or data[at] == c'\n' else LINE_OTHER


cdef inline int cut_word(bint whole) noexcept nogil:
    return LINE_OTHER if whole else LINE_PENDING


cdef int read_status_line(const uint8_t* data, uint32_t at, uint32_t end, bint whole, SipMessage* message,
                          uint32_t* after) noexcept nogil:
    """`at` is behind `SIP/2.0 `."""
    cdef uint32_t i
    cdef uint16_t code = 0
    for i in range(3):
        if at + i == end:
            return cut_word(whole)
        if not c'0' <= data[at + i] <= c'9':
            return LINE_OTHER
        code = code * 10 + (data[at + i] - c'0')
    at += 3
    if at == end:
        return cut_word(whole)
    if data[at] != c' ':
        return LINE_OTHER
    at += 1
    message.kind = SIP_RESPONSE
    message.status_code = code
    i = find_line_stop(data, at, end)
    if i < end and data[i] == 0:
        return LINE_OTHER
    message.reason_phrase = span(at, i)
    after[0] = i
    return line_ended(data, i, end, whole)


cdef int read_request_line(const uint8_t* data, uint32_t start, uint32_t end, bint whole, SipMessage* message,
                           uint32_t* after) noexcept nogil:
    cdef uint32_t method_end = find_word_end(data, start, end)
    cdef uint32_t at, uri, uri_end, left
    if method_end == end:
        return cut_word(whole)
    if data[method_end] != c' ':
        return LINE_OTHER
    uri = method_end + 1
    uri_end = find_word_end(data, uri, end)
    if uri_end == end:
        return cut_word(whole)
    if data[uri_end] != c' ' or uri_end - uri < SMALLEST_URI or find_byte(data, uri + 1, uri_end, c':') == uri_end:
        return LINE_OTHER
    at = uri_end + 1
    left = end - at
    if memcmp(data + at, b"SIP/2.0", VERSION_BYTES if left > VERSION_BYTES else left) != 0:
        return LINE_OTHER
    if left < VERSION_BYTES:
        return cut_word(whole)
    at += VERSION_BYTES
    message.kind = SIP_REQUEST
    message.method = method_kind(data + start, method_end - start)
    message.method_name = span(start, method_end)
    message.request_uri = span(uri, uri_end)
    after[0] = at
    return line_ended(data, at, end, whole)


cdef int read_start_line(const uint8_t* data, uint32_t at, uint32_t end, bint whole, SipMessage* message,
                         uint32_t* after) noexcept nogil:
    """Fills kind, status_code or method and request_uri. `whole`: the end of the data ends the line.

    `after` is the offset of the line's end, which is still to be skipped.
    """
    if at == end:
        return cut_word(whole)
    if not 0x21 <= data[at] <= 0x7e:
        return LINE_OTHER
    if end - at > VERSION_BYTES and memcmp(data + at, b"SIP/2.0 ", VERSION_BYTES + 1) == 0:
        return read_status_line(data, at + VERSION_BYTES + 1, end, whole, message, after)
    return read_request_line(data, at, end, whole, message, after)


# --- Header fields --------------------------------------------------------------------------------------------------

cdef inline void read_content_length(SipMessage* message, uint32_t at, uint32_t end) noexcept nogil:
    cdef uint32_t after = 0
    cdef int64_t value = read_number(message.data, at, end, &after)
    if value == NOT_A_NUMBER or after != end:
        note(message, SIP_BAD_CONTENT_LENGTH, at)
    else:
        message.content_length = value


cdef void repeated_content_length(SipMessage* message, uint32_t at, uint32_t end) noexcept nogil:
    """Two values that differ are as good as none (RFC 4475 3.3.9)."""
    cdef int64_t first = message.content_length
    read_content_length(message, at, end)
    if message.content_length != first:
        note(message, SIP_CONTENT_LENGTHS_DIFFER, at)
        message.content_length = NOT_A_NUMBER


cdef inline bint is_read(uint8_t kind) noexcept nogil:
    """Whether more is wanted of a kind than where it is."""
    return <uint64_t>(
        1 << HEADER_VIA | 1 << HEADER_FROM | 1 << HEADER_TO | 1 << HEADER_CALL_ID | 1 << HEADER_CSEQ
        | 1 << HEADER_CONTENT_LENGTH
    ) >> kind & 1


cdef inline void ask_for_call(SipMessage* message) noexcept nogil:
    message.call_id_key = index_key(
        hash_bytes(message.data + message.call_id.start, message.call_id.length, message.lookup.secret))
    index_prefetch(message.lookup.index, message.call_id_key)


cdef void read_value(SipMessage* message, uint8_t kind, uint32_t at, uint32_t end) noexcept nogil:
    """Reads what is wanted of the first field of a kind."""
    cdef const uint8_t* data = message.data
    if kind == HEADER_VIA:
        find_parameter(data, at, end, b"branch=", 7, &message.branch)
    elif kind == HEADER_FROM:
        if not read_address(data, at, end, &message.from_uri, &message.from_tag):
            note(message, SIP_BAD_URI, at)
    elif kind == HEADER_TO:
        if not read_address(data, at, end, &message.to_uri, &message.to_tag):
            note(message, SIP_BAD_URI, at)
    elif kind == HEADER_CALL_ID:
        message.call_id = span(at, end)
        if message.lookup != NULL:
            ask_for_call(message)
    elif kind == HEADER_CSEQ:
        if not read_cseq(data, at, end, &message.cseq, &message.cseq_method):
            note(message, SIP_BAD_CSEQ, at)
    elif kind == HEADER_CONTENT_LENGTH:
        read_content_length(message, at, end)


cdef void trim(const uint8_t* data, uint32_t* start, uint32_t* end) noexcept nogil:
    """Takes white space from both ends."""
    while start[0] < end[0] and CLASS[data[start[0]]] & WHITE:
        start[0] += 1
    while end[0] > start[0] and CLASS[data[end[0] - 1]] & WHITE:
        end[0] -= 1


cdef inline void add_field(SipMessage* message, uint8_t kind, uint32_t name, uint32_t name_length, uint32_t value,
                           uint32_t end, bint folded) noexcept nogil:
    """One header field; `value` is behind the colon, `end` behind the last byte of its last line."""
    cdef const uint8_t* data = message.data
    cdef HeaderField* field
    # Almost always one SP before and one CR behind; nothing visible is below '!'.
    if (end - value >= 3 and data[value] == c' ' and data[value + 1] > c' ' and data[end - 1] == c'\r'
            and data[end - 2] > c' '):
        value += 1
        end -= 1
    else:
        trim(data, &value, &end)
    if message.field_count == MAX_HEADER_FIELDS:
        note(message, SIP_TOO_MANY_FIELDS, name)
        return
    field = &message.fields[message.field_count]
    field.name_start = name
    field.name_length = <uint16_t>(name_length if name_length < 0xffff else 0xffff)
    field.value_start = value
    field.value_length = end - value
    field.kind = kind
    field.folded = folded
    if kind != HEADER_OTHER:
        if message.first[kind] < 0:
            message.first[kind] = <int16_t>message.field_count
            if is_read(kind):
                read_value(message, kind, value, end)
        elif kind == HEADER_CONTENT_LENGTH:
            repeated_content_length(message, value, end)
    message.field_count += 1


cdef inline bint is_fold(uint8_t c) noexcept nogil:
    return c == c' ' or c == c'\t'


cdef void add_unusual_field(SipMessage* message, uint32_t at, uint32_t stop, bint whole, bint folded) noexcept nogil:
    """A line whose name is rare, in compact form, unknown, spaced from its colon, or no name at all."""
    cdef const uint8_t* data = message.data
    cdef uint32_t colon = find_byte(data, at, stop, c':')
    cdef uint32_t name_end = colon
    cdef uint8_t kind
    while name_end > at and is_fold(data[name_end - 1]):
        name_end -= 1
    if colon == stop or name_end == at:
        if whole:       # a line that was cut says nothing
            note(message, SIP_BAD_HEADER_LINE, at)
        return
    kind = header_kind(data + at, name_end - at)
    if kind == HEADER_OTHER and skip_token(data, at, name_end) != name_end:
        note(message, SIP_BAD_HEADER_LINE, at)
        return
    add_field(message, kind, at, name_end - at, colon + 1, stop, folded)


cdef inline bint is_blank(const uint8_t* data, uint32_t at, uint32_t end) noexcept nogil:
    """Only CR before the LF: senders that turn LF into CRLF twice write CR CR LF."""
    while at < end and data[at] == c'\r':
        at += 1
    return at == end


cdef uint32_t read_fields(SipMessage* message, uint32_t at, uint32_t end, bint* ended) noexcept nogil:
    """The header fields from `at` on, a line's begin. The offset behind the empty line, or `end` if there is none.

    Lines end with CRLF or a bare LF. A line that begins with SP or HTAB continues the one before (RFC 3261 7.3.1).
    """
    cdef const uint8_t* data = message.data
    cdef uint32_t stop, next_line
    cdef uint32_t name_length = 0
    cdef uint8_t kind
    cdef bint folded
    cdef Lines lines
    ended[0] = False
    begin_lines(&lines, data, at, end)
    while at < end:
        stop = next_line_end(&lines)
        next_line = stop + 1 if stop < end else end
        if data[at] <= c'\r' and is_blank(data, at, stop):
            ended[0] = stop < end
            return next_line
        folded = False
        while next_line < end and data[next_line] <= c' ' and is_fold(data[next_line]):
            folded = True
            stop = next_line_end(&lines)
            next_line = stop + 1 if stop < end else end
        kind = usual_kind(data + at, &name_length) if end - at >= 16 else HEADER_OTHER
        if kind != HEADER_OTHER and data[at + name_length] == c':':     # lower case makes a colon of 0x1a
            add_field(message, kind, at, name_length, at + name_length + 1, stop, folded)
        else:
            add_unusual_field(message, at, stop, stop < end, folded)
        at = next_line
    return end


# --- The whole message ----------------------------------------------------------------------------------------------

cdef inline void begin(SipMessage* message, const uint8_t* data, const Lookup* lookup) noexcept nogil:
    """Clears everything but the fields, of which the first `field_count` are valid."""
    memset(message, 0, <size_t>(<char*>&message.first - <char*>message))
    memset(message.first, 0xff, sizeof(message.first))
    message.data = data
    message.content_length = NOT_A_NUMBER
    message.error = SIP_NO_PROBLEM
    message.error_offset = 0
    message.lookup = lookup
    message.call_id_key = 0


cdef inline uint32_t skip_line_end(const uint8_t* data, uint32_t at, uint32_t end) noexcept nogil:
    if at < end and data[at] == c'\r':
        at += 1
    if at < end and data[at] == c'\n':
        at += 1
    return at


cdef int judge(SipMessage* message) noexcept nogil:
    """Message or malformed: without a Call-ID nothing can be done with it, nor with an answer to nobody knows what."""
    if message.call_id.length == 0:
        note(message, SIP_MISSING_CALL_ID, 0)
        return SIP_MALFORMED
    if message.cseq_method.length == 0:
        note(message, SIP_MISSING_CSEQ, 0)
        if message.kind == SIP_RESPONSE:
            return SIP_MALFORMED
    if message.first[<int>HEADER_FROM] < 0:
        note(message, SIP_MISSING_FROM, 0)
    if message.first[<int>HEADER_TO] < 0:
        note(message, SIP_MISSING_TO, 0)
    if message.first[<int>HEADER_VIA] < 0:
        note(message, SIP_MISSING_VIA, 0)
    return SIP_MESSAGE


cdef inline void finish_header(SipMessage* message) noexcept nogil:
    """What needs the whole header."""
    cdef const uint8_t* data = message.data
    if message.kind == SIP_REQUEST:
        if not read_uri(data, message.request_uri.start, message.request_uri.start + message.request_uri.length,
                        &message.request):
            note(message, SIP_BAD_URI, message.request_uri.start)
    elif message.cseq_method.length > 0:
        message.method_name = message.cseq_method
        message.method = method_kind(data + message.method_name.start, message.method_name.length)


cdef void take_datagram_body(SipMessage* message, uint32_t at, uint32_t end) noexcept nogil:
    """Content-Length or, without it, the rest; bytes behind the body are dropped (RFC 3261 18.3)."""
    cdef int64_t left = end - at
    if message.content_length > left:
        message.truncated = True
        note(message, SIP_BODY_CUT, message.fields[message.first[<int>HEADER_CONTENT_LENGTH]].value_start)
    elif message.content_length >= 0:
        end = at + <uint32_t>message.content_length
    message.body = span(at, end)
    message.bytes = end


cdef int read_datagram_rest(SipMessage* message, uint32_t at, uint32_t length) noexcept nogil:
    """Everything behind the start line, whose line end is at `at`."""
    cdef bint ended
    at = read_fields(message, skip_line_end(message.data, at, length), length, &ended)
    if not ended:
        # Cut by the capture's snapshot length, or by a sender that forgets the empty line.
        message.truncated = True
        note(message, SIP_HEADER_NOT_ENDED, length)
    finish_header(message)
    take_datagram_body(message, at, length)
    return judge(message)


cdef int sip_read_datagram(const uint8_t* data, uint32_t length, SipMessage* message) noexcept nogil:
    return sip_read_for(data, length, NULL, message)


cdef int sip_read_for(const uint8_t* data, uint32_t length, const Lookup* lookup, SipMessage* message) noexcept nogil:
    cdef uint32_t at = 0
    begin(message, data, lookup)
    if read_start_line(data, 0, length, True, message, &at) != LINE_READ:
        return SIP_OTHER
    return read_datagram_rest(message, at, length)


cdef inline int need_more(SipMessage* message, uint32_t at_least) noexcept nogil:
    message.bytes = at_least
    return SIP_NEED_MORE


cdef int take_stream_body(SipMessage* message, uint32_t at, uint32_t length) noexcept nogil:
    message.body = span(at, at)
    message.bytes = at
    if message.content_length > MAX_BODY_BYTES:
        note(message, SIP_BODY_TOO_LONG, message.fields[message.first[<int>HEADER_CONTENT_LENGTH]].value_start)
        return SIP_MALFORMED
    if message.content_length > 0:
        message.bytes = at + <uint32_t>message.content_length
        if message.bytes > length:
            return SIP_NEED_MORE
        message.body.length = <uint32_t>message.content_length
    return SIP_MESSAGE


cdef int sip_read_stream(const uint8_t* data, uint32_t length, SipMessage* message) noexcept nogil:
    cdef uint32_t start = 0
    cdef uint32_t at = 0
    cdef uint32_t end
    cdef bint ended = False
    cdef int status
    begin(message, data, NULL)
    while start < length and (data[start] == c'\r' or data[start] == c'\n'):
        start += 1
    end = length if length - start < MAX_HEADER_BYTES else start + MAX_HEADER_BYTES
    status = read_start_line(data, start, end, False, message, &at)
    if status == LINE_OTHER or status == LINE_PENDING and end < length:
        return SIP_OTHER
    if status == LINE_PENDING:
        return need_more(message, length + 1)
    if at + 1 == end and end == length:      # a CR that an LF may follow
        return need_more(message, length + 1)
    at = read_fields(message, skip_line_end(data, at, end), end, &ended)
    if not ended:
        if end == length and end - start < MAX_HEADER_BYTES:
            return need_more(message, length + 1)
        note(message, SIP_HEADER_TOO_LONG, start)
        message.bytes = at
        return SIP_MALFORMED
    finish_header(message)
    status = take_stream_body(message, at, length)
    return judge(message) if status == SIP_MESSAGE else status


cdef bint sip_starts_here(const uint8_t* data, uint32_t length) noexcept nogil:
    cdef SipMessage message
    cdef uint32_t after = 0
    return read_start_line(data, 0, length, True, &message, &after) == LINE_READ


cdef bint sip_uri_read(const uint8_t* data, Span whole, SipUri* uri) noexcept nogil:
    memset(uri, 0, sizeof(SipUri))
    return read_uri(data, whole.start, whole.start + whole.length, uri)


cdef inline Span value_of(const SipMessage* message, int16_t index) noexcept nogil:
    return span(message.fields[index].value_start,
                message.fields[index].value_start + message.fields[index].value_length)


cdef bint sip_sdp_body(const SipMessage* message, Span* body) noexcept nogil:
    cdef int16_t index = message.first[<int>HEADER_CONTENT_TYPE]
    if index < 0:
        return False
    return find_sdp_part(message.data, value_of(message, index), message.body, MAX_MULTIPART_DEPTH, body)


# --- Python face ----------------------------------------------------------------------------------------------------

STATUS_NAMES = {SIP_MESSAGE: "message", SIP_NEED_MORE: "need_more", SIP_MALFORMED: "malformed", SIP_OTHER: "other"}

# Canonical names of the kinds, by their number.
HEADER_NAMES = (
    "", "Via", "From", "To", "Call-ID", "CSeq", "Contact", "Record-Route", "Route", "Max-Forwards", "Content-Length",
    "Content-Type", "Content-Encoding", "Content-Disposition", "Authorization", "Proxy-Authorization",
    "P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID", "Diversion", "History-Info", "Identity", "Reason",
    "User-Agent", "Server", "Privacy", "Allow", "Supported", "Require", "Expires", "WWW-Authenticate",
    "Proxy-Authenticate", "Date", "Warning",
)

# The problems that the reader notices, by the names they have in capture/sip_errors.py.
READER_PROBLEMS = {
    "HEADER_NOT_ENDED": SIP_HEADER_NOT_ENDED, "BAD_HEADER_LINE": SIP_BAD_HEADER_LINE,
    "TOO_MANY_FIELDS": SIP_TOO_MANY_FIELDS, "MISSING_CALL_ID": SIP_MISSING_CALL_ID, "MISSING_CSEQ": SIP_MISSING_CSEQ,
    "MISSING_FROM": SIP_MISSING_FROM, "MISSING_TO": SIP_MISSING_TO, "MISSING_VIA": SIP_MISSING_VIA,
    "BAD_CSEQ": SIP_BAD_CSEQ, "BAD_CONTENT_LENGTH": SIP_BAD_CONTENT_LENGTH,
    "CONTENT_LENGTHS_DIFFER": SIP_CONTENT_LENGTHS_DIFFER, "BODY_CUT": SIP_BODY_CUT, "BAD_URI": SIP_BAD_URI,
    "HEADER_TOO_LONG": SIP_HEADER_TOO_LONG, "BODY_TOO_LONG": SIP_BODY_TOO_LONG,
}


cdef bytes slice_of(const uint8_t* data, Span where):
    return (<const char*>data + where.start)[:where.length]


cdef dict uri_of(const uint8_t* data, const SipUri* uri):
    return {"scheme": slice_of(data, uri.scheme), "user": slice_of(data, uri.user), "host": slice_of(data, uri.host),
            "port": uri.port}


cdef list fields_of(const SipMessage* message):
    cdef const HeaderField* field
    fields = []
    for i in range(message.field_count):
        field = &message.fields[i]
        fields.append((field.kind, field.name_start, field.name_start + field.name_length, field.value_start,
                       field.value_start + field.value_length))
    return fields


cdef Span boundary_of(const SipMessage* message):
    """Of a multipart body, as its Content-Type says; empty when it says none that can be one."""
    cdef Span boundary = span(0, 0)
    cdef int16_t index = message.first[<int>HEADER_CONTENT_TYPE]
    if index >= 0 and read_boundary(message.data, value_of(message, index), &boundary):
        return boundary
    return span(0, 0)


cdef dict message_of(const SipMessage* message):
    cdef const uint8_t* data = message.data
    cdef Span sdp = span(0, 0)
    return {
        "kind": {SIP_REQUEST: "request", SIP_RESPONSE: "response"}.get(message.kind),
        "bytes": message.bytes,
        "method": message.method,
        "method_name": slice_of(data, message.method_name),
        "request_uri": slice_of(data, message.request_uri),
        "request": uri_of(data, &message.request),
        "status_code": message.status_code,
        "reason_phrase": slice_of(data, message.reason_phrase),
        "cseq": message.cseq,
        "cseq_method": slice_of(data, message.cseq_method),
        "call_id": slice_of(data, message.call_id),
        "branch": slice_of(data, message.branch),
        "from_tag": slice_of(data, message.from_tag),
        "to_tag": slice_of(data, message.to_tag),
        "from": uri_of(data, &message.from_uri),
        "to": uri_of(data, &message.to_uri),
        "content_length": message.content_length,
        "truncated": bool(message.truncated),
        "body": (message.body.start, message.body.start + message.body.length),
        "sdp": slice_of(data, sdp) if sip_sdp_body(message, &sdp) else None,
        "boundary": slice_of(data, boundary_of(message)),
        "fields": fields_of(message),
        "error": message.error,
        "error_offset": message.error_offset,
    }


def read(bytes data not None, bint stream=False) -> dict:
    """The first SIP message of `data`, a datagram or the begin of a stream.

    `status` is a value of STATUS_NAMES. With "message" and "malformed" come the parts of the message: bytes, and
    (start, end) offsets for `body`; `fields` is a list of (kind, name start, name end, value start, value end), where
    kind is an index into HEADER_NAMES; `error` is a SipError of capture.sip_errors or 0, at `error_offset`. With
    "need_more" comes `bytes`, the least length at which asking again can give another answer.
    """
    cdef SipMessage message
    cdef int status
    if len(data) > 0x7fffffff:
        raise ValueError("a SIP message of more than 2 GiB")
    if stream:
        status = sip_read_stream(data, <uint32_t>len(data), &message)
    else:
        status = sip_read_datagram(data, <uint32_t>len(data), &message)
    result = {"status": STATUS_NAMES[status]}
    if status == SIP_NEED_MORE:
        result["bytes"] = message.bytes
    elif status != SIP_OTHER:
        result.update(message_of(&message))
    return result


def read_header(bytes data not None, uint32_t at) -> dict:
    """The same for a datagram whose start line ends at `at` and is not to be looked at: it may be broken."""
    cdef SipMessage message
    if not at <= len(data) <= 0x7fffffff:
        raise ValueError("the header begins outside the message")
    begin(&message, data, NULL)
    read_datagram_rest(&message, at, <uint32_t>len(data))
    return message_of(&message)


def starts_here(bytes data not None) -> bool:
    """Whether the first line of `data` is a SIP start line."""
    return sip_starts_here(data, <uint32_t>len(data))


def read_uri_parts(bytes text not None) -> dict | None:
    """Scheme, user, host and port of a URI, None when it is not one."""
    cdef SipUri uri
    if not sip_uri_read(text, span(0, <uint32_t>len(text)), &uri):
        return None
    return uri_of(text, &uri)
