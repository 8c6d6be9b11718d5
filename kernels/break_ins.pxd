# cython: language_level=3
"""Who was let in after wrong passwords, in a block of the engine, in the order of its source rows. A user whose own
wrong passwords were few is among them when his address brought many for others."""
cimport cython
from libc.stdint cimport uint8_t, uint32_t

from kernels.calls cimport USER_BYTES
from kernels.passwords cimport Guess

cdef struct BreakIn:
    Guess guess
    uint32_t row            # the source row of that moment
    uint8_t user_length
    char user[USER_BYTES]   # as sent


@cython.final
cdef class BreakIns:
    cdef BreakIn* found
    cdef uint32_t count
    cdef uint32_t capacity  # not more than there are source rows in a block

    cdef void note(self, const Guess* guess, uint32_t row, const uint8_t* user, uint32_t length) noexcept nogil
