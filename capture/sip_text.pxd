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

    enum { SW_TOKEN = 1, SW_LINE_STOP = 2, SW_WHITE = 4, SW_DIGIT = 8, SW_HOST_STOP = 16,
           SW_PARAMETER_STOP = 32 };

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
        [';'] = SW_HOST_STOP | SW_PARAMETER_STOP,
        [','] = SW_HOST_STOP | SW_PARAMETER_STOP, ['"'] = SW_PARAMETER_STOP,
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
    /* Eight bytes at a time: a mark in the highest bit of each byte that is zero or below `n`. The subtraction borrows
       from the bytes above a marked one, so only the lowest mark is sure; it is also the first byte, which is what is
       looked for. Marks may be joined by OR: what is false in one lies above what is true in it. */
    static inline uint64_t sw_load8(const uint8_t *p) {
        uint64_t v; memcpy(&v, p, 8);
    #if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        v = __builtin_bswap64(v);
    #endif
        return v;
    }
    static inline uint64_t sw_below(uint64_t v, uint8_t n) {
        return (v - 0x0101010101010101ull * n) & ~v & 0x8080808080808080ull;
    }
    static inline uint64_t sw_equal(uint64_t v, uint8_t c) { return sw_below(v ^ 0x0101010101010101ull * c, 1); }
    static inline uint32_t sw_first(uint64_t marks) { return (uint32_t)__builtin_ctzll(marks) >> 3; }
    static inline uint64_t sw_colons(const uint8_t *p) { return sw_equal(sw_load8(p), ':'); }
    static inline uint64_t sw_controls(const uint8_t *p) { return sw_below(sw_load8(p), 0x21); }
    static inline uint64_t sw_parameter_stops(const uint8_t *p) {
        uint64_t v = sw_load8(p);
        return sw_equal(v, ';') | sw_equal(v, ',') | sw_equal(v, '"');
    }
    static inline uint64_t sw_value_stops(const uint8_t *p) {
        uint64_t v = sw_load8(p);
        return sw_equal(v, ';') | sw_equal(v, ',') | sw_below(v, 0x21);
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
        PARAMETER_STOP "SW_PARAMETER_STOP"      # begins a parameter, a quoted string or the next element
    const uint8_t[256] CLASS "sw_sip_class"
    # Marks in eight bytes, 0 when there is none; `first_mark` is the offset of the first.
    uint64_t colons "sw_colons"(const uint8_t* p) noexcept nogil
    uint64_t controls "sw_controls"(const uint8_t* p) noexcept nogil
    uint64_t parameter_stops "sw_parameter_stops"(const uint8_t* p) noexcept nogil
    uint64_t value_stops "sw_value_stops"(const uint8_t* p) noexcept nogil
    uint32_t first_mark "sw_first"(uint64_t marks) noexcept nogil
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
    """Where the first ':' is in [at, end), or `end`. Header names are too short for memchr to pay."""
    cdef uint64_t marks
    while end - at >= 8:
        marks = colons(data + at)
        if marks != 0:
            return at + first_mark(marks)
        at += 8
    while at < end and data[at] != c':':
        at += 1
    return at


cdef inline uint32_t find_word_end(const uint8_t* data, uint32_t at, uint32_t end) noexcept nogil:
    """Where the first SP, CR, LF or NUL is, or `end`. Other control characters are part of a word."""
    cdef uint64_t marks
    while end - at >= 8:
        marks = controls(data + at)
        if marks == 0:
            at += 8
            continue
        at += first_mark(marks)
        if CLASS[data[at]] & LINE_STOP:
            return at
        at += 1
    while at < end and not CLASS[data[at]] & LINE_STOP:
        at += 1
    return at


cdef inline uint32_t find_parameter_stop(const uint8_t* data, uint32_t at, uint32_t end) noexcept nogil:
    """Where the first semicolon, comma or quotation mark is, or `end`."""
    cdef uint64_t marks
    while end - at >= 8:
        marks = parameter_stops(data + at)
        if marks != 0:
            return at + first_mark(marks)
        at += 8
    while at < end and not CLASS[data[at]] & PARAMETER_STOP:
        at += 1
    return at


cdef inline uint32_t find_value_stop(const uint8_t* data, uint32_t at, uint32_t end) noexcept nogil:
    """Where an unquoted value ends: at a semicolon, a comma, white space or a control character, or at `end`."""
    cdef uint64_t marks
    while end - at >= 8:
        marks = value_stops(data + at)
        if marks != 0:
            return at + first_mark(marks)
        at += 8
    while at < end and data[at] > c' ' and data[at] != c';' and data[at] != c',':
        at += 1
    return at
