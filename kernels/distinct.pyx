# cython: language_level=3
"""Adding to and reading sketches of distinct keys, and their Python face."""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset

import numpy as np

cdef extern from *:
    int clz64 "__builtin_clzll"(unsigned long long value) noexcept nogil

cdef enum:
    UINT32_MAX = 0xffffffff

cdef double SCALE = 0.0                     # alpha_infinity * REGISTERS^2, alpha_infinity = 1 / (2 ln 2)
cdef double EMPTY_WEIGHT[REGISTERS + 1]     # by filled registers: REGISTERS * sigma(empty / REGISTERS)


def _prepare():
    """Ertl's sigma(x) = x + sum over k >= 1 of x^(2^k) 2^(k-1), tabled for every count of empty registers."""
    global SCALE
    SCALE = REGISTERS * REGISTERS / (2 * np.log(2.0))
    EMPTY_WEIGHT[0] = np.inf
    for filled in range(1, REGISTERS + 1):
        power = 1.0 - filled / REGISTERS
        total, weight = power, 1.0
        while power > 1e-300:
            power *= power
            total += power * weight
            weight *= 2
        EMPTY_WEIGHT[filled] = REGISTERS * total


_prepare()


cdef inline uint8_t rank_of_union(uint8_t register) noexcept nogil:
    cdef uint8_t present = register & 0x0f
    cdef uint8_t before = register >> 4
    return present if present > before else before


cdef inline uint32_t inverse(uint8_t rank) noexcept nogil:
    """2^-rank in units of 2^-MAX_RANK: whole numbers, so that adding and taking away leaves no error."""
    return <uint32_t>1 << (MAX_RANK - rank)


cdef void rotate(Distinct* sketch) noexcept nogil:
    cdef int i
    cdef uint8_t rank
    sketch.seen_before = sketch.seen
    sketch.seen = 0
    sketch.filled = 0
    sketch.inverse_sum = 0
    for i in range(REGISTERS):
        rank = sketch.registers[i] & 0x0f
        sketch.registers[i] = <uint8_t>(rank << 4)
        if rank:
            sketch.filled += 1
            sketch.inverse_sum += inverse(rank)


cdef inline int windows_passed(const Distinct* sketch, int64_t now_ns, int64_t window_ns) noexcept nogil:
    """Since the present one began: 0, 1, or 2 for all that is more."""
    cdef uint64_t age
    if now_ns <= sketch.start_ns:
        return 0
    age = <uint64_t>now_ns - <uint64_t>sketch.start_ns
    return 0 if age < <uint64_t>window_ns else 1 if age < 2 * <uint64_t>window_ns else 2


cdef void distinct_advance(Distinct* sketch, int64_t now_ns, int64_t window_ns) noexcept nogil:
    cdef int passed = windows_passed(sketch, now_ns, window_ns)
    if sketch.seen == 0 and sketch.seen_before == 0 or passed == 2:
        memset(sketch, 0, sizeof(Distinct))
        sketch.start_ns = now_ns
    elif passed == 1:
        rotate(sketch)
        sketch.start_ns += window_ns


cdef void distinct_add(Distinct* sketch, uint64_t key) noexcept nogil:
    cdef uint64_t at = key >> (64 - INDEX_BITS)
    cdef int rank = clz64((key << INDEX_BITS) | 1) + 1
    cdef uint8_t register = sketch.registers[at]
    cdef uint8_t union_rank = rank_of_union(register)
    if sketch.seen < UINT32_MAX:
        sketch.seen += 1
    if rank > MAX_RANK:
        rank = MAX_RANK
    if rank > (register & 0x0f):
        sketch.registers[at] = <uint8_t>((register & 0xf0) | rank)
    if rank > union_rank:
        if union_rank:
            sketch.inverse_sum -= inverse(union_rank)
        else:
            sketch.filled += 1
        sketch.inverse_sum += inverse(<uint8_t>rank)


cdef double estimate(const Distinct* sketch) noexcept nogil:
    return SCALE / (EMPTY_WEIGHT[sketch.filled] + <double>sketch.inverse_sum / (1 << MAX_RANK))


cdef double distinct_count(const Distinct* sketch, int64_t now_ns, int64_t window_ns) noexcept nogil:
    cdef Distinct later
    cdef int passed = windows_passed(sketch, now_ns, window_ns)
    if passed == 0:
        return estimate(sketch)
    if passed == 2:
        return 0.0
    later = sketch[0]
    rotate(&later)
    return estimate(&later)


cdef double distinct_seen(const Distinct* sketch, int64_t now_ns, int64_t window_ns) noexcept nogil:
    cdef int passed = windows_passed(sketch, now_ns, window_ns)
    if passed == 0:
        return <double>sketch.seen + sketch.seen_before
    return sketch.seen if passed == 1 else 0.0


cdef void count_each(const uint64_t[::1] keys, const int64_t[::1] times_ns, int64_t window_ns,
                     double[::1] counts) noexcept nogil:
    cdef Distinct sketch
    cdef Py_ssize_t i
    memset(&sketch, 0, sizeof(Distinct))
    for i in range(keys.shape[0]):
        distinct_advance(&sketch, times_ns[i], window_ns)
        distinct_add(&sketch, keys[i])
        counts[i] = distinct_count(&sketch, times_ns[i], window_ns)


def distinct_counts(keys, times_ns, int64_t window_ns):
    """The running estimate of distinct keys in the present window and the one before.

    keys: uint64 [n], uniform hashes. times_ns: int64 [n], ns. window_ns: length of a window, ns, positive.
    Returns float64 [n]: the estimate after each key, at least 0 and at most about 1.5e6. Never NaN.
    Raises ValueError on another shape or window, TypeError on another dtype.
    """
    keys = np.ascontiguousarray(keys)
    times_ns = np.ascontiguousarray(times_ns)
    if keys.dtype != np.uint64 or times_ns.dtype != np.int64:
        raise TypeError(f"expected uint64 keys and int64 times, got {keys.dtype} and {times_ns.dtype}")
    if keys.ndim != 1 or keys.shape != times_ns.shape:
        raise ValueError("keys, times_ns: expected two arrays [n] of one length")
    if not 0 < window_ns < 1 << 62:
        raise ValueError("window_ns: expected a positive length below 2^62 ns")
    counts = np.empty(len(keys), np.float64)
    count_each(keys, times_ns, window_ns, counts)
    return counts
