# cython: language_level=3
"""Readers of the header field values that calls are tracked by.

They are forgiving on purpose: a watcher must follow what the two ends made of a message, and they are forgiving,
too. The full grammar, which says what is wrong and where, is capture/sip_grammar.py.
"""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from capture.sip cimport SipUri, Span
from capture.scan cimport find_bracket, find_byte, find_parameter_stop, find_value_stop
from capture.sip_text cimport CLASS, DIGIT, find_host_end, same_name, skip_quoted, skip_token, skip_white

cdef enum:
    NOT_A_NUMBER = -1

cdef extern from *:
    """
    #ifndef SIPWARDEN_LARGEST_NUMBER
    #define SIPWARDEN_LARGEST_NUMBER 4294967295ull
    #endif
    """
    const uint64_t LARGEST_NUMBER "SIPWARDEN_LARGEST_NUMBER"


cdef inline Span span(uint32_t start, uint32_t end) noexcept nogil:
    cdef Span result
    result.start = start
    result.length = end - start
    return result


cdef inline int64_t read_number(const uint8_t* data, uint32_t at, uint32_t end, uint32_t* after) noexcept nogil:
    """1*DIGIT up to 2**32 - 1, the largest number in any SIP header field; NOT_A_NUMBER otherwise."""
    cdef uint64_t value = 0
    cdef uint32_t start = at
    while at < end and CLASS[data[at]] & DIGIT:
        value = value * 10 + (data[at] - c'0')
        if value > LARGEST_NUMBER:
            return NOT_A_NUMBER
        at += 1
    after[0] = at
    return <int64_t>value if at > start else NOT_A_NUMBER


cdef inline bint find_parameter(const uint8_t* data, uint32_t at, uint32_t end, const char* name_is, uint32_t length,
                                Span* value) noexcept nogil:
    """The value of the first parameter `;name=value` of one element of a comma-separated list (RFC 3261 7.3.1).

    `name_is` is the name with its equals sign, `length` bytes long, at most 24. A quoted value is given with its
    quotation marks.
    """
    cdef uint32_t start
    while True:
        at = find_parameter_stop(data, at, end)
        if at == end or data[at] == c',':
            return False
        if data[at] == c'"':
            at = skip_quoted(data, at, end)
            continue
        at += 1
        # Almost all write the name right behind the semicolon and the sign right behind the name.
        if end - at >= length and data[at + length - 1] == c'=' and same_name(data + at, name_is, length):
            at += length
        elif not skip_spaced_name(data, &at, end, name_is, length - 1):
            continue
        start = at = skip_white(data, at, end)
        if at < end and data[at] == c'"':
            at = skip_quoted(data, at, end)
        else:
            at = find_value_stop(data, at, end)
        value[0] = span(start, at)
        return True


cdef inline bint skip_spaced_name(const uint8_t* data, uint32_t* at, uint32_t end, const char* name,
                                  uint32_t length) noexcept nogil:
    """Goes behind `name` and its equals sign with white space around them (RFC 3261 7.3.1), if they are here."""
    cdef uint32_t start = skip_white(data, at[0], end)
    cdef uint32_t stop
    if start == end or data[start] | 0x20 != <uint8_t>name[0]:
        return False
    stop = skip_token(data, start, end)
    if stop - start != length or not same_name(data + start, name, length):
        return False
    stop = skip_white(data, stop, end)
    if stop == end or data[stop] != c'=':
        return False
    at[0] = stop + 1
    return True


cdef inline bint read_host_port(const uint8_t* data, uint32_t at, uint32_t end, SipUri* uri) noexcept nogil:
    """hostport of RFC 3261 25.1; a port that is none is left at 0, as if absent."""
    cdef uint32_t start = at
    cdef uint32_t after = 0
    cdef int64_t port
    if at < end and data[at] == c'[':
        at = find_byte(data, at, end, c']')
        if at == end:
            return False
        uri.host = span(start + 1, at)
        at += 1
    else:
        at = find_host_end(data, at, end)
        uri.host = span(start, at)
    if at < end and data[at] == c':':
        port = read_number(data, at + 1, end, &after)
        if 0 < port < 65536:
            uri.port = <uint16_t>port
    return uri.host.length > 0


cdef inline bint read_sip_uri(const uint8_t* data, uint32_t at, uint32_t end, SipUri* uri) noexcept nogil:
    # Neither parameters nor headers of a URI may hold a bare '@' (RFC 3261 25.1), but the user part may hold
    # ';', '/' and '?': the first '@' ends it, whatever comes before.
    cdef uint32_t sign = find_byte(data, at, end, c'@')
    if sign == end:
        return read_host_port(data, at, end, uri)
    uri.user = span(at, find_byte(data, at, sign, c':'))
    return read_host_port(data, sign + 1, end, uri)


cdef inline bint read_uri(const uint8_t* data, uint32_t at, uint32_t end, SipUri* uri) noexcept nogil:
    cdef uint32_t colon, stop
    if end - at > 4 and same_name(data + at, b"sip:", 4):
        uri.scheme = span(at, at + 3)
        return read_sip_uri(data, at + 4, end, uri)
    colon = skip_token(data, at, end)
    if colon == end or colon == at or data[colon] != c':':
        return False
    uri.scheme = span(at, colon)
    if uri.scheme.length == 3 and same_name(data + at, b"tel", 3):
        stop = find_byte(data, colon + 1, end, c';')
        uri.user = span(colon + 1, stop)
        return stop > colon + 1
    if uri.scheme.length == 3 and same_name(data + at, b"sip", 3) or \
            uri.scheme.length == 4 and same_name(data + at, b"sips", 4):
        return read_sip_uri(data, colon + 1, end, uri)
    return True


cdef inline bint read_address(const uint8_t* data, uint32_t at, uint32_t end, SipUri* uri, Span* tag) noexcept nogil:
    """from-spec and to-spec of RFC 3261 25.1: name-addr or addr-spec, then parameters, of which the tag is kept."""
    cdef uint32_t start = at
    cdef uint32_t stop
    cdef bint readable
    if at < end and data[at] == c'"':
        at = skip_quoted(data, at, end)
        if at == end:            # the quotation mark is never closed: look for the URI all the same
            at = start + 1
    at = find_bracket(data, at, end)
    if at < end and data[at] == c'<':
        start = skip_white(data, at + 1, end)
        at = find_byte(data, start, end, c'>')
        stop = at
    else:
        # Without angle brackets a parameter belongs to the header field, not to the URI (RFC 3261 20.10).
        stop = find_value_stop(data, start, at)
    readable = read_uri(data, start, stop, uri)
    find_parameter(data, at, end, b"tag=", 4, tag)
    return readable


cdef inline bint read_cseq(const uint8_t* data, uint32_t at, uint32_t end, uint32_t* number,
                           Span* method) noexcept nogil:
    """1*DIGIT LWS Method (RFC 3261 20.16). A number that is too large leaves the method readable."""
    cdef uint32_t start, after = 0
    cdef int64_t value = read_number(data, at, end, &after)
    while at < end and CLASS[data[at]] & DIGIT:
        at += 1
    start = skip_white(data, at, end)
    if start == at:
        return False
    method[0] = span(start, skip_token(data, start, end))
    if value == NOT_A_NUMBER:
        return False
    number[0] = <uint32_t>value
    return method.length > 0
