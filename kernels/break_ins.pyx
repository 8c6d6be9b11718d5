# cython: language_level=3
"""See break_ins.pxd."""
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy


cdef class BreakIns:
    """BreakIns(capacity): room for so many in a block. Raises MemoryError."""

    def __cinit__(self, uint32_t capacity):
        self.capacity = capacity
        self.found = <BreakIn*>calloc(capacity, sizeof(BreakIn))
        if self.found == NULL:
            raise MemoryError(f"no memory for {capacity} break-ins")

    def __dealloc__(self):
        free(self.found)

    cdef void note(self, const Guess* guess, uint32_t row, const uint8_t* user, uint32_t length) noexcept nogil:
        cdef BreakIn* one
        if self.count == self.capacity:
            return
        one = &self.found[self.count]
        one.guess = guess[0]
        one.row = row
        one.user_length = <uint8_t>min(length, <uint32_t>USER_BYTES)
        memcpy(one.user, user, one.user_length)
        self.count += 1
