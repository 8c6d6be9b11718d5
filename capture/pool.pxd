# cython: language_level=3
"""Buffers of a few sizes, used again, within a budget of bytes."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef enum:
    POOL_SMALLEST_BYTES = 4096      # most SIP messages (1 to 2 KiB) and a segment
    POOL_CLASSES = 7                # each twice the one before: 4 KiB .. 256 KiB
    POOL_LARGEST_BYTES = 262144

cdef class BufferPool:
    cdef readonly uint64_t budget_bytes
    cdef readonly uint64_t held_bytes           # in use and idle
    cdef readonly uint64_t idle_bytes
    cdef uint8_t* idle[POOL_CLASSES]            # the first bytes of an idle buffer point to the next

    # A buffer of at least `wanted` bytes, its real size in `size`; NULL when the budget has no room for it.
    cdef uint8_t* acquire(self, uint32_t wanted, uint32_t* size) noexcept nogil
    cdef void release(self, uint8_t* buffer, uint32_t size) noexcept nogil
    cdef void _free_idle(self) noexcept nogil
