# cython: language_level=3
"""Finding bytes in text, sixteen at a time.

Reading SIP and SDP is mostly looking for the next line end, semicolon or at sign, a few dozen bytes away: too near for
memchr to pay, and too far for a loop over bytes. Nothing outside `data[0:end]` is read; where fewer than sixteen bytes
are left, those before them are read once more.
"""
from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef extern from *:
    """
    #ifndef SIPWARDEN_SCAN
    #define SIPWARDEN_SCAN
    #include <stdint.h>
    #include <string.h>

    typedef uint8_t sw_bytes __attribute__((vector_size(16)));

    static inline sw_bytes sw_load16(const uint8_t *p) { sw_bytes v; memcpy(&v, p, 16); return v; }

    /* Bit i is set when byte i of a comparison is true. */
    static inline uint32_t sw_mask(sw_bytes found) {
    #if defined(__x86_64__)
        typedef char sw_chars __attribute__((vector_size(16)));
        return (uint32_t)__builtin_ia32_pmovmskb128((sw_chars)found);
    #else
        uint64_t half[2];
        memcpy(half, &found, 16);
    #if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        half[0] = __builtin_bswap64(half[0]);
        half[1] = __builtin_bswap64(half[1]);
    #endif
        /* the lowest bit of each byte to the highest byte, those of one product never overlapping */
        return (uint32_t)(((half[0] & 0x0101010101010101ull) * 0x0102040810204080ull) >> 56)
             | (uint32_t)(((half[1] & 0x0101010101010101ull) * 0x0102040810204080ull) >> 56) << 8;
    #endif
    }

    /* The place of the first byte of data[at:end] for which `test`, of the vector `v`, is true, or `end`. */
    #define SW_FIND(name, test, ...) \\
        static inline uint32_t name(const uint8_t *data, uint32_t at, uint32_t end __VA_ARGS__) { \\
            sw_bytes v; \\
            uint32_t mask; \\
            while ((uint64_t)at + 16 <= end) { \\
                v = sw_load16(data + at); \\
                mask = sw_mask((sw_bytes)(test)); \\
                if (mask) return at + (uint32_t)__builtin_ctz(mask); \\
                at += 16; \\
            } \\
            if (at >= end) return end; \\
            if (end >= 16) { \\
                v = sw_load16(data + end - 16); \\
                mask = sw_mask((sw_bytes)(test)) >> (16 - (end - at)); \\
                return mask ? at + (uint32_t)__builtin_ctz(mask) : end; \\
            } \\
            uint8_t few[16] = {0}; \\
            memcpy(few, data + at, end - at); \\
            v = sw_load16(few); \\
            mask = sw_mask((sw_bytes)(test)) & ((1u << (end - at)) - 1); \\
            return mask ? at + (uint32_t)__builtin_ctz(mask) : end; \\
        }

    #define SW_IS(c) (v == (uint8_t)(c))
    SW_FIND(sw_find_line_stop, SW_IS(13) | SW_IS(10) | SW_IS(0))
    SW_FIND(sw_find_control, v <= (uint8_t)' ')
    SW_FIND(sw_find_parameter_stop, SW_IS(';') | SW_IS(',') | SW_IS('"'))
    SW_FIND(sw_find_value_stop, SW_IS(';') | SW_IS(',') | (v <= (uint8_t)' '))
    SW_FIND(sw_find_quote, SW_IS('"') | SW_IS(92))
    SW_FIND(sw_find_bracket, SW_IS('<') | SW_IS(';'))
    /* ':' and ';' differ in one bit, so do '>' and '?' */
    SW_FIND(sw_find_host_stop, ((v | 1) == (uint8_t)';') | ((v | 1) == (uint8_t)'?') | SW_IS(',') | (v <= (uint8_t)' '))
    SW_FIND(sw_find_byte, SW_IS(c), , uint8_t c)

    /* Line feeds of data[at:end], 64 bytes at a time. */
    struct sw_lines { const uint8_t *data; uint32_t base, end; uint64_t feeds; };

    static inline uint64_t sw_feeds(const uint8_t *p) {
        uint64_t feeds = 0;
        for (int i = 0; i < 4; i++) {
            sw_bytes v = sw_load16(p + 16 * i);
            feeds |= (uint64_t)sw_mask((sw_bytes)SW_IS(10)) << (16 * i);
        }
        return feeds;
    }
    static inline void sw_look(struct sw_lines *lines) {
        uint32_t left = lines->end - lines->base;
        if (left >= 64)
            lines->feeds = sw_feeds(lines->data + lines->base);
        else if (lines->end >= 64)
            lines->feeds = left ? sw_feeds(lines->data + lines->end - 64) >> (64 - left) : 0;
        else {
            lines->feeds = 0;
            for (uint32_t i = 0; i < left; i++)
                lines->feeds |= (uint64_t)(lines->data[lines->base + i] == 10) << i;
        }
    }
    static inline void sw_begin_lines(struct sw_lines *lines, const uint8_t *data, uint32_t at, uint32_t end) {
        lines->data = data;
        lines->base = at < end ? at : end;
        lines->end = end;
        sw_look(lines);
    }
    static inline uint32_t sw_next_line_end(struct sw_lines *lines) {
        uint32_t at;
        while (!lines->feeds) {
            if (lines->end - lines->base <= 64) return lines->end;
            lines->base += 64;
            sw_look(lines);
        }
        at = lines->base + (uint32_t)__builtin_ctzll(lines->feeds);
        lines->feeds &= lines->feeds - 1;
        return at;
    }
    #endif
    """
    cdef struct Lines "sw_lines":
        pass
    void begin_lines "sw_begin_lines"(Lines* lines, const uint8_t* data, uint32_t at, uint32_t end) noexcept nogil
    # Where the next line feed is, from `at` on and then behind the one before, or `end`.
    uint32_t next_line_end "sw_next_line_end"(Lines* lines) noexcept nogil
    # Where the first is in data[at:end], or `end`:
    uint32_t find_line_stop "sw_find_line_stop"(const uint8_t* data, uint32_t at, uint32_t end) noexcept nogil
    uint32_t find_control "sw_find_control"(const uint8_t* data, uint32_t at, uint32_t end) noexcept nogil
    # ... of semicolon, comma, quotation mark,
    uint32_t find_parameter_stop "sw_find_parameter_stop"(
        const uint8_t* data, uint32_t at, uint32_t end) noexcept nogil
    # ... of semicolon, comma, white space and control characters: where an unquoted value ends,
    uint32_t find_value_stop "sw_find_value_stop"(const uint8_t* data, uint32_t at, uint32_t end) noexcept nogil
    # ... of quotation mark and backslash,
    uint32_t find_quote "sw_find_quote"(const uint8_t* data, uint32_t at, uint32_t end) noexcept nogil
    # ... of the opening angle bracket and semicolon,
    uint32_t find_bracket "sw_find_bracket"(const uint8_t* data, uint32_t at, uint32_t end) noexcept nogil
    # ... of what can end a host: `: ; , > ?`, white space and control characters,
    uint32_t find_host_stop "sw_find_host_stop"(const uint8_t* data, uint32_t at, uint32_t end) noexcept nogil
    # ... of one byte.
    uint32_t find_byte "sw_find_byte"(const uint8_t* data, uint32_t at, uint32_t end, uint8_t byte) noexcept nogil
