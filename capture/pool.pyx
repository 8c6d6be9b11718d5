# cython: language_level=3
"""Buffers of a few sizes, used again, within a budget of bytes."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy


cdef class BufferPool:
    """`budget_bytes` bounds what is in use and idle together; it holds at least one buffer of the largest size."""

    def __cinit__(self, uint64_t budget_bytes):
        if budget_bytes < POOL_LARGEST_BYTES:
            raise ValueError(f"the budget must be at least {POOL_LARGEST_BYTES} bytes, not {budget_bytes}")
        self.budget_bytes = budget_bytes

    def __dealloc__(self):
        self._free_idle()

    cdef uint8_t* acquire(self, uint32_t wanted, uint32_t* size) noexcept nogil:
        cdef int kind = 0
        cdef uint32_t bytes = POOL_SMALLEST_BYTES
        cdef uint8_t* buffer
        while bytes < wanted:
            bytes <<= 1
            kind += 1
        if kind >= POOL_CLASSES:
            return NULL
        buffer = self.idle[kind]
        if buffer != NULL:
            memcpy(&self.idle[kind], buffer, sizeof(uint8_t*))
            self.idle_bytes -= bytes
        else:
            if self.held_bytes + bytes > self.budget_bytes:
                self._free_idle()
            if self.held_bytes + bytes > self.budget_bytes:
                return NULL
            buffer = <uint8_t*>malloc(bytes)
            if buffer == NULL:
                return NULL
            self.held_bytes += bytes
        size[0] = bytes
        return buffer

    cdef void release(self, uint8_t* buffer, uint32_t size) noexcept nogil:
        cdef int kind = 0
        while <uint32_t>POOL_SMALLEST_BYTES << kind < size:
            kind += 1
        memcpy(buffer, &self.idle[kind], sizeof(uint8_t*))
        self.idle[kind] = buffer
        self.idle_bytes += size

    cdef void _free_idle(self) noexcept nogil:
        cdef int kind
        cdef uint8_t* buffer
        for kind in range(POOL_CLASSES):
            while self.idle[kind] != NULL:
                buffer = self.idle[kind]
                memcpy(&self.idle[kind], buffer, sizeof(uint8_t*))
                free(buffer)
                self.held_bytes -= <uint64_t>POOL_SMALLEST_BYTES << kind
        self.idle_bytes = 0
