# cython: language_level=3
"""Characters and words of SIP text (RFC 3261 25.1): what the readers of lines and values have in common."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from capture.scan cimport find_control, find_host_stop, find_quote

cdef extern from *:
    """
    #ifndef SIPWARDEN_SIP_TEXT
    #define SIPWARDEN_SIP_TEXT
    #include <stdint.h>
    #include <string.h>

    enum { SW_TOKEN = 1, SW_LINE_STOP = 2, SW_WHITE = 4, SW_DIGIT = 8, SW_HOST_STOP = 16 };

    /* token: alphanum - . ! % * _ + ` ' ~ ; white: SP HTAB CR LF, which a folded value holds between its words */
    static const uint8_t sw_sip_class[256] = {
        ['a' ... 'z'] = SW_TOKEN, ['A' ... 'Z'] = SW_TOKEN, ['0' ... '9'] = SW_TOKEN | SW_DIGIT,
        ['-'] = SW_TOKEN, ['.'] = SW_TOKEN, ['!'] = SW_TOKEN, ['%'] = SW_TOKEN, ['*'] = SW_TOKEN, ['_'] = SW_TOKEN,
        ['+'] = SW_TOKEN, ['`'] = SW_TOKEN, ['\\''] = SW_TOKEN, ['~'] = SW_TOKEN,
        [' '] = SW_WHITE | SW_LINE_STOP | SW_HOST_STOP,
        ['\\t'] = SW_WHITE | SW_HOST_STOP,
        ['\\r'] = SW_WHITE | SW_LINE_STOP | SW_HOST_STOP,
        ['\\n'] = SW_WHITE | SW_LINE_STOP | SW_HOST_STOP,
        [0] = SW_LINE_STOP,
        [';'] = SW_HOST_STOP, [','] = SW_HOST_STOP, [':'] = SW_HOST_STOP, ['?'] = SW_HOST_STOP, ['>'] = SW_HOST_STOP,
    };

    /* Eight or four bytes with every letter in lower case. OR with 0x20 leaves '-' and the digits alone and maps no
       other token character to a letter, so it is exact for header names and parameter names, which are tokens. */
    static inline uint64_t sw_lower8(const uint8_t *p) {
        uint64_t v; memcpy(&v, p, 8); return v | 0x2020202020202020ull;
    }
    static inline uint32_t sw_lower4(const uint8_t *p) {
        uint32_t v; memcpy(&v, p, 4); return v | 0x20202020u;
    }
    /* With a literal `name` and `n` every load of it is a constant: a known name costs two or three comparisons. */
    static inline int sw_same_name(const uint8_t *p, const char *name, size_t n) {
        const uint8_t *q = (const uint8_t *)name;
        if (n >= 8) {
            if (sw_lower8(p) != sw_lower8(q) || sw_lower8(p + n - 8) != sw_lower8(q + n - 8)) return 0;
            return n <= 16 || sw_lower8(p + n - 16) == sw_lower8(q + n - 16);
        }
        if (n >= 4) return sw_lower4(p) == sw_lower4(q) && sw_lower4(p + n - 4) == sw_lower4(q + n - 4);
        for (size_t i = 0; i < n; i++) if ((p[i] | 0x20) != (q[i] | 0x20)) return 0;
        return 1;
    }
    #endif
    """
    enum:
        TOKEN "SW_TOKEN"                # RFC 3261 25.1 token
        LINE_STOP "SW_LINE_STOP"        # ends a word of a start line: SP CR LF NUL
        WHITE "SW_WHITE"
        DIGIT "SW_DIGIT"
        HOST_STOP "SW_HOST_STOP"        # ends a host name in a URI
    const uint8_t[256] CLASS "sw_sip_class"
    # Case-insensitive equality of `n` (at most 24) token characters with a name; both have `n` bytes.
    bint same_name "sw_same_name"(const uint8_t* p, const char* name, size_t n) noexcept nogil


cdef inline uint32_t skip_white(const uint8_t* data, uint32_t at, uint32_t end) noexcept nogil:
    while at < end and CLASS[data[at]] & WHITE:
        at += 1
    return at


cdef inline uint32_t skip_token(const uint8_t* data, uint32_t at, uint32_t end) noexcept nogil:
    while at < end and CLASS[data[at]] & TOKEN:
        at += 1
    return at


cdef inline uint32_t skip_quoted(const uint8_t* data, uint32_t at, uint32_t end) noexcept nogil:
    """`at` is on a quotation mark: the offset after the closing one, or `end` when there is none."""
    at = find_quote(data, at + 1, end)
    while at < end:
        if data[at] == c'"':
            return at + 1
        at = find_quote(data, at + 2, end)
    return end


cdef inline uint32_t find_word_end(const uint8_t* data, uint32_t at, uint32_t end) noexcept nogil:
    """Where the first SP, CR, LF or NUL is, or `end`. Other control characters are part of a word."""
    at = find_control(data, at, end)
    while at < end and not CLASS[data[at]] & LINE_STOP:
        at = find_control(data, at + 1, end)
    return at


cdef inline uint32_t find_host_end(const uint8_t* data, uint32_t at, uint32_t end) noexcept nogil:
    """Where a host name ends. Control characters other than white space are part of it."""
    at = find_host_stop(data, at, end)
    while at < end and not CLASS[data[at]] & HOST_STOP:
        at = find_host_stop(data, at + 1, end)
    return at
