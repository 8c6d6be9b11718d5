# cython: language_level=3
"""Adding to and reading the keys that are seen most, and their Python face."""
import numpy as np

from libc.string cimport memset

ENTRIES = HEAVY_ENTRIES


cdef inline float floored(float amount) noexcept nogil:
    return amount if amount >= COUNT_FLOOR else 0.0


cdef void heavy_decay(Heavy* heavy, int64_t now_ns, double half_life_s) noexcept nogil:
    cdef float left
    cdef int i
    if now_ns <= heavy.updated_ns:
        return
    left = heavy_left(heavy, now_ns, half_life_s)
    heavy.updated_ns = now_ns
    heavy.total = floored(heavy.total * left)
    for i in range(HEAVY_ENTRIES):
        heavy.counts[i] = floored(heavy.counts[i] * left)
        heavy.errors[i] = floored(heavy.errors[i] * left)


cdef inline int find(const Heavy* heavy, uint32_t key) noexcept nogil:
    """The entry of a key, or HEAVY_ENTRIES."""
    cdef int i, at = HEAVY_ENTRIES
    for i in range(HEAVY_ENTRIES):
        if heavy.keys[i] == key:
            at = i
    return at


cdef void heavy_add(Heavy* heavy, uint32_t key, int64_t now_ns, double half_life_s) noexcept nogil:
    cdef int i, at = find(heavy, key)
    heavy_decay(heavy, now_ns, half_life_s)
    heavy.total += 1.0
    if at == HEAVY_ENTRIES:
        at = 0
        for i in range(1, HEAVY_ENTRIES):
            if heavy.counts[i] < heavy.counts[at]:
                at = i
        heavy.keys[at] = key
        heavy.errors[at] = heavy.counts[at]
    heavy.counts[at] += 1.0


cdef void heavy_forget(Heavy* heavy, uint32_t key, int64_t now_ns, double half_life_s) noexcept nogil:
    """What the entry may owe to others stays: it bounds the count of those that are not watched."""
    cdef int at = find(heavy, key)
    if at == HEAVY_ENTRIES:
        return
    heavy_decay(heavy, now_ns, half_life_s)
    heavy.total = floored(heavy.total - (heavy.counts[at] - heavy.errors[at]))
    heavy.counts[at] = heavy.errors[at]
    heavy.keys[at] = 0


cdef float heavy_count(const Heavy* heavy, uint32_t key, int64_t now_ns, double half_life_s) noexcept nogil:
    cdef int at = find(heavy, key)
    if at == HEAVY_ENTRIES:
        return 0.0
    return (heavy.counts[at] - heavy.errors[at]) * heavy_left(heavy, now_ns, half_life_s)


cdef float heavy_most(const Heavy* heavy, int64_t now_ns, double half_life_s) noexcept nogil:
    cdef int i
    cdef float amount, most = 0.0
    for i in range(HEAVY_ENTRIES):
        amount = heavy.counts[i] - heavy.errors[i]
        if amount > most:
            most = amount
    return most * heavy_left(heavy, now_ns, half_life_s)


cdef void read_each(const uint32_t[::1] keys, const int64_t[::1] times_ns, double half_life_s,
                    double[:, ::1] out) noexcept nogil:
    cdef Heavy heavy
    cdef Py_ssize_t i
    memset(&heavy, 0, sizeof(Heavy))
    for i in range(keys.shape[0]):
        heavy_add(&heavy, keys[i], times_ns[i], half_life_s)
        out[i, 0] = heavy_count(&heavy, keys[i], times_ns[i], half_life_s)
        out[i, 1] = heavy_most(&heavy, times_ns[i], half_life_s)
        out[i, 2] = heavy.total * heavy_left(&heavy, times_ns[i], half_life_s)


def heavy_hitters(keys, times_ns, double half_life_s):
    """The running amounts of the key at hand, of the key seen most, and of all keys.

    keys: uint32 [n], not 0. times_ns: int64 [n], ns. half_life_s: s, positive.
    Returns float64 [n, 3] as of each time: the least that the key, and that any key, can have come to, and the total.
    Raises ValueError on another shape, key or half-life, TypeError on another dtype.
    """
    keys = np.ascontiguousarray(keys)
    times_ns = np.ascontiguousarray(times_ns)
    if keys.dtype != np.uint32 or times_ns.dtype != np.int64:
        raise TypeError(f"expected uint32 keys and int64 times, got {keys.dtype} and {times_ns.dtype}")
    if keys.ndim != 1 or keys.shape != times_ns.shape or (keys == 0).any():
        raise ValueError("keys, times_ns: expected two arrays [n] of one length, and no key 0")
    if not half_life_s > 0.0:
        raise ValueError("half_life_s: expected a positive time")
    out = np.empty((len(keys), 3), np.float64)
    read_each(keys, times_ns, half_life_s, out)
    return out
