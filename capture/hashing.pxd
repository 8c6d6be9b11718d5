# cython: language_level=3
"""Keyed 64-bit hashing for every table of the appliance.

A multiply-and-fold hash after wyhash (Wang Yi, public domain): one 64 x 64 -> 128 bit product for each
16 bytes. It is keyed, because an attacker who chooses Call-IDs must not be able to choose collisions.
Portable: `unsigned __int128` exists in gcc and clang on x86-64 and arm64.
"""
from libc.stdint cimport uint8_t, uint64_t

cdef extern from *:
    """
    #ifndef SIPWARDEN_HASHING
    #define SIPWARDEN_HASHING
    #include <stdint.h>
    #include <string.h>

    static inline uint64_t sw_fold(uint64_t a, uint64_t b) {
        unsigned __int128 product = (unsigned __int128)a * b;
        return (uint64_t)product ^ (uint64_t)(product >> 64);
    }
    static inline uint64_t sw_read64(const uint8_t *p) { uint64_t v; memcpy(&v, p, 8); return v; }
    static inline uint64_t sw_read32(const uint8_t *p) { uint32_t v; memcpy(&v, p, 4); return v; }

    static inline uint64_t sw_hash_bytes(const uint8_t *p, size_t n, uint64_t secret) {
        const uint64_t k0 = 0xa0761d6478bd642full, k1 = 0xe7037ed1a0b428dbull;
        uint64_t a, b, seed = secret ^ k0;
        size_t left = n;
        while (left > 16) {
            seed = sw_fold(sw_read64(p) ^ k1, sw_read64(p + 8) ^ seed);
            p += 16; left -= 16;
        }
        if (left >= 8) { a = sw_read64(p); b = sw_read64(p + left - 8); }
        else if (left >= 4) { a = sw_read32(p); b = sw_read32(p + left - 4); }
        else if (left > 0) { a = ((uint64_t)p[0] << 16) | ((uint64_t)p[left >> 1] << 8) | p[left - 1]; b = 0; }
        else { a = 0; b = 0; }
        return sw_fold(k1 ^ (uint64_t)n, sw_fold(a ^ k1, b ^ seed));
    }
    static inline uint64_t sw_hash_mix(uint64_t a, uint64_t b) {
        return sw_fold(a ^ 0xa0761d6478bd642full, b ^ 0xe7037ed1a0b428dbull);
    }
    #endif
    """
    uint64_t hash_bytes "sw_hash_bytes"(const uint8_t* data, size_t length, uint64_t secret) noexcept nogil
    uint64_t hash_mix "sw_hash_mix"(uint64_t a, uint64_t b) noexcept nogil
