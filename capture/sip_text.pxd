# cython: language_level=3
"""Characters and words of SIP text (RFC 3261 25.1): what the readers of lines and values have in common."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memchr

cdef extern from *:
    """
    #ifndef SIPWARDEN_SIP_TEXT
    #define SIPWARDEN_SIP_TEXT
    #include <stdint.h>
    #include <string.h>

    enum { SW_TOKEN = 1, SW_LINE_STOP = 2, SW_WHITE = 4, SW_DIGIT = 8, SW_HOST_STOP = 16, SW_VALUE_STOP = 32,
           SW_PARAMETER_STOP = 64 };

    /* token: alphanum - . ! % * _ + ` ' ~ ; white: SP HTAB CR LF, which a folded value holds between its words */
    static const uint8_t sw_sip_class[256] = {
        ['a' ... 'z'] = SW_TOKEN, ['A' ... 'Z'] = SW_TOKEN, ['0' ... '9'] = SW_TOKEN | SW_DIGIT,
        ['-'] = SW_TOKEN, ['.'] = SW_TOKEN, ['!'] = SW_TOKEN, ['%'] = SW_TOKEN, ['*'] = SW_TOKEN, ['_'] = SW_TOKEN,
        ['+'] = SW_TOKEN, ['`'] = SW_TOKEN, ['\\''] = SW_TOKEN, ['~'] = SW_TOKEN,
        [' '] = SW_WHITE | SW_LINE_STOP | SW_HOST_STOP | SW_VALUE_STOP,
        ['\\t'] = SW_WHITE | SW_HOST_STOP | SW_VALUE_STOP,
        ['\\r'] = SW_WHITE | SW_LINE_STOP | SW_HOST_STOP | SW_VALUE_STOP,
        ['\\n'] = SW_WHITE | SW_LINE_STOP | SW_HOST_STOP | SW_VALUE_STOP,
        [0] = SW_LINE_STOP,
        [';'] = SW_HOST_STOP | SW_VALUE_STOP | SW_PARAMETER_STOP,
        [','] = SW_HOST_STOP | SW_VALUE_STOP | SW_PARAMETER_STOP, ['"'] = SW_PARAMETER_STOP,
        [':'] = SW_HOST_STOP, ['?'] = SW_HOST_STOP, ['>'] = SW_HOST_STOP,
    };

    /* Eight or four bytes with every letter in lower case. OR with 0x20 leaves '-' and the digits alone and maps no
       other token character to a letter, so it is exact for header names and parameter names, which are tokens. */
    static inline uint64_t sw_lower8(const uint8_t *p) {
        uint64_t v; memcpy(&v, p, 8); return v | 0x2020202020202020ull;
    }
    static inline uint32_t sw_lower4(const uint8_t *p) {
        uint32_t v; memcpy(&v, p, 4); return v | 0x20202020u;
    }
    /* Offset of the first ':' in eight bytes, 8 when there is none: the lowest zero byte of the difference, by the
       subtraction that borrows first from it. A header name is short, so this is its whole search. */
    static inline uint32_t sw_colon8(const uint8_t *p) {
        uint64_t v; memcpy(&v, p, 8);
    #if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        v = __builtin_bswap64(v);
    #endif
        v ^= 0x3a3a3a3a3a3a3a3aull;
        v = (v - 0x0101010101010101ull) & ~v & 0x8080808080808080ull;
        return v ? (uint32_t)__builtin_ctzll(v) >> 3 : 8;
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
        VALUE_STOP "SW_VALUE_STOP"      # ends an unquoted parameter value
        PARAMETER_STOP "SW_PARAMETER_STOP"      # begins a parameter, a quoted string or the next element
    const uint8_t[256] CLASS "sw_sip_class"
    uint32_t colon8 "sw_colon8"(const uint8_t* p) noexcept nogil
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


cdef inline uint32_t find_byte(const uint8_t* data, uint32_t at, uint32_t end, int byte) noexcept nogil:
    """Where `byte` is in [at, end), or `end`."""
    if at >= end:
        return end
    cdef const uint8_t* found = <const uint8_t*>memchr(data + at, byte, end - at)
    return <uint32_t>(found - data) if found != NULL else end


cdef inline uint32_t skip_quoted(const uint8_t* data, uint32_t at, uint32_t end) noexcept nogil:
    """`at` is on a quotation mark: the offset after the closing one, or `end` when there is none."""
    at += 1
    while at < end:
        if data[at] == c'"':
            return at + 1
        at += 2 if data[at] == c'\\' else 1
    return end


cdef inline uint32_t find_colon(const uint8_t* data, uint32_t at, uint32_t end) noexcept nogil:
    """Where the first ':' is in [at, end), or `end`."""
    cdef uint32_t offset
    while end - at >= 8:
        offset = colon8(data + at)
        if offset < 8:
            return at + offset
        at += 8
    while at < end and data[at] != c':':
        at += 1
    return at
