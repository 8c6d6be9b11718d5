# cython: language_level=3
"""What a call says of the two numbers it joins."""
from libc.stdint cimport uint64_t

from kernels.calls cimport Call

cdef enum:
    SUCCESSOR_STEP = 10         # war diallers go up or down a block, some by tens

# The caller withholds the number (RFC 3323 4.1.1.3).
cdef bint is_anonymous(const Call* call) noexcept nogil
# The digits of the callee, E.164 when known and as sent otherwise; 0 when it is not a number.
cdef uint64_t dialled_number(const Call* call) noexcept nogil


cdef inline bint is_successor(uint64_t number, uint64_t last) noexcept nogil:
    """Whether a number stands next to the one dialled before; 0 is no number."""
    if number == 0 or last == 0 or number == last:
        return False
    return (number - last if number > last else last - number) <= SUCCESSOR_STEP
