# cython: language_level=3
"""Where the session description is in a message body, which may be multipart (RFC 2046 5.1, RFC 5621)."""
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcmp

from capture.sip cimport Span
from capture.scan cimport find_byte
from capture.sip_text cimport same_name, skip_token, skip_white
from capture.sip_values cimport find_parameter, span

cdef enum:
    # SDP beside an ISUP or location part is at depth 1; multipart/alternative or signed around it makes 2.
    MAX_MULTIPART_DEPTH = 3
    MAX_BOUNDARY_BYTES = 70     # RFC 2046 5.1.1


cdef inline bint is_type(const uint8_t* data, Span type, const char* name, uint32_t length) noexcept nogil:
    """Whether a media type's main type is `name`, followed by a slash."""
    cdef uint32_t end = type.start + type.length
    cdef uint32_t stop = skip_token(data, type.start, end)
    if stop - type.start != length or not same_name(data + type.start, name, length):
        return False
    stop = skip_white(data, stop, end)
    return stop < end and data[stop] == c'/'


cdef inline bint is_sdp_type(const uint8_t* data, Span type) noexcept nogil:
    cdef uint32_t end = type.start + type.length
    cdef uint32_t at
    if not is_type(data, type, b"application", 11):
        return False
    at = skip_white(data, find_byte(data, type.start, end, c'/') + 1, end)
    return skip_token(data, at, end) - at == 3 and same_name(data + at, b"sdp", 3)


cdef inline bint read_boundary(const uint8_t* data, Span type, Span* boundary) noexcept nogil:
    if not find_parameter(data, type.start, type.start + type.length, b"boundary=", 9, boundary):
        return False
    if boundary.length >= 2 and data[boundary.start] == c'"':
        boundary.start += 1
        boundary.length -= 2
    return 0 < boundary.length <= MAX_BOUNDARY_BYTES


cdef inline bint is_delimiter(const uint8_t* data, uint32_t at, uint32_t end, Span boundary) noexcept nogil:
    return end - at >= boundary.length + 2 and data[at] == c'-' and data[at + 1] == c'-' and \
        memcmp(data + at + 2, data + boundary.start, boundary.length) == 0


cdef inline Span part_type(const uint8_t* data, uint32_t at, uint32_t end, uint32_t* content) noexcept nogil:
    """The Content-Type of a body part that begins at `at`, empty when it has none; where its content begins."""
    cdef Span type = span(at, at)
    cdef uint32_t stop, name_end, value
    while at < end:
        stop = find_byte(data, at, end, c'\n')
        if data[at] == c'\n' or data[at] == c'\r':
            at = stop + 1 if stop < end else end
            break
        while stop + 1 < end and (data[stop + 1] == c' ' or data[stop + 1] == c'\t'):
            stop = find_byte(data, stop + 1, end, c'\n')
        name_end = skip_token(data, at, stop)
        value = skip_white(data, name_end, stop)
        if name_end - at == 12 and same_name(data + at, b"content-type", 12) and value < stop and data[value] == c':':
            type = span(skip_white(data, value + 1, stop), stop)
        at = stop + 1 if stop < end else end
    content[0] = at
    return type


cdef inline uint32_t before_line_end(const uint8_t* data, uint32_t start, uint32_t at) noexcept nogil:
    """The line end before a delimiter belongs to the delimiter (RFC 2046 5.1.1)."""
    if at > start and data[at - 1] == c'\n':
        at -= 1
    if at > start and data[at - 1] == c'\r':
        at -= 1
    return at


cdef inline bint find_sdp_part(const uint8_t* data, Span type, Span body, int depth, Span* found) noexcept nogil:
    """The application/sdp body, or the first part of a multipart body that is one. Each level reads its bytes once."""
    cdef Span boundary, inner
    cdef uint32_t line = body.start
    cdef uint32_t end = body.start + body.length
    cdef uint32_t part = 0           # where the current part begins; 0: before the first delimiter
    cdef uint32_t content, next_line, stop
    if is_sdp_type(data, type):
        found[0] = body
        return body.length > 0
    if depth == 0 or not is_type(data, type, b"multipart", 9) or not read_boundary(data, type, &boundary):
        return False
    while line <= end:
        next_line = find_byte(data, line, end, c'\n') + 1
        if line == end or is_delimiter(data, line, end, boundary):
            if part != 0:
                stop = before_line_end(data, part, line)
                inner = part_type(data, part, stop, &content)
                if find_sdp_part(data, inner, span(content, stop), depth - 1, found):
                    return True
            part = next_line
        line = next_line
    return False
