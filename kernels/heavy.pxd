# cython: language_level=3
"""Which keys are seen most: Space-Saving (Metwally, Agrawal and El Abbadi 2005) with forgetting.

HEAVY_ENTRIES keys are watched; one that is not takes the place of the least, with its count as the error of the new
one. The count of a watched key is too high by at most its error, and no error is above total / HEAVY_ENTRIES: every
key with a larger share than that is among the watched. All amounts decay with one half-life, lazily: the decay is the
same for all, so neither the order nor the bound is moved by it.
"""
from libc.math cimport exp2f
from libc.stdint cimport int64_t, uint32_t, uint64_t

from kernels.decay cimport COUNT_FLOOR

cdef enum:
    HEAVY_ENTRIES = 8

cdef struct Heavy:              # 112 bytes; all zero is the empty one
    int64_t updated_ns          # to when the amounts are decayed
    float total                 # of all keys
    uint32_t reserved
    uint32_t keys[HEAVY_ENTRIES]        # of uniform hashes; 0 for none
    float counts[HEAVY_ENTRIES]
    float errors[HEAVY_ENTRIES]

# Adds 1 to a key as of `now_ns`. The key is the low half of a uniform hash.
cdef void heavy_add(Heavy* heavy, uint32_t key, int64_t now_ns, double half_life_s) noexcept nogil
# Takes back what a key has surely come to.
cdef void heavy_forget(Heavy* heavy, uint32_t key, int64_t now_ns, double half_life_s) noexcept nogil
# The least that a key can have come to as of `now_ns`: its count without its error, 0 when it is not watched.
cdef float heavy_count(const Heavy* heavy, uint32_t key, int64_t now_ns, double half_life_s) noexcept nogil
# The same of the key of which this is largest.
cdef float heavy_most(const Heavy* heavy, int64_t now_ns, double half_life_s) noexcept nogil


cdef inline float heavy_left(const Heavy* heavy, int64_t now_ns, double half_life_s) noexcept nogil:
    """What is left at `now_ns` of the amounts as they stand. All of it when time goes back."""
    if now_ns <= heavy.updated_ns:
        return 1.0
    return exp2f(<float>(-<double>(<uint64_t>now_ns - <uint64_t>heavy.updated_ns) * 1e-9 / half_life_s))


cdef inline uint32_t heavy_key(uint64_t hashed) noexcept nogil:
    return <uint32_t>hashed if <uint32_t>hashed else 1
