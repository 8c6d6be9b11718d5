# cython: language_level=3
"""What a call says of the two numbers it joins."""
from libc.stdint cimport uint8_t, uint64_t

from kernels.calls cimport CALL_CANCELLED, CALL_FAILED, CALL_REJECTED, Call

cdef enum Abroad:               # whether the countries of caller and callee differ
    ABROAD_NOT_KNOWN = 0
    ABROAD_NO = 1
    ABROAD_YES = 2

cdef enum:
    SUCCESSOR_STEP = 10         # war diallers go up or down a block, some by tens
    RANGE_NUMBERS = 10000       # the block that is given, sold, or hijacked at once
    LEAST_IN_RANGE = 1000000    # shorter numbers are extensions and services

# The caller withholds the number (RFC 3323 4.1.1.3).
cdef bint is_anonymous(const Call* call) noexcept nogil
# The digits of the callee, E.164 when known and as sent otherwise; 0 when it is not a number.
cdef uint64_t dialled_number(const Call* call) noexcept nogil
# The digits of the caller's E.164 number, 0 when it is not one.
cdef uint64_t calling_number(const Call* call) noexcept nogil


cdef inline bint is_successor(uint64_t number, uint64_t last) noexcept nogil:
    """Whether a number stands next to the one dialled before; 0 is no number."""
    if number == 0 or last == 0 or number == last:
        return False
    return (number - last if number > last else last - number) <= SUCCESSOR_STEP


cdef inline uint64_t range_of(uint64_t number) noexcept nogil:
    """The block of numbers that a number belongs to, 0 for none."""
    return number // RANGE_NUMBERS if number >= LEAST_IN_RANGE else 0


cdef inline uint8_t digits_of(const char* number) noexcept nogil:
    cdef uint8_t length = 0
    while number[length] != 0:
        length += 1
    return length


cdef inline uint8_t differing_digits(const char* a, const char* b) noexcept nogil:
    """How many digits the longer of two numbers has behind those with which both begin; 0 when one is empty, or both
    are the same. NUL-terminated."""
    cdef uint8_t same = 0
    if a[0] == 0 or b[0] == 0:
        return 0
    while a[same] != 0 and a[same] == b[same]:
        same += 1
    return max(digits_of(a + same), digits_of(b + same))


cdef inline bint is_unanswered(const Call* call) noexcept nogil:
    """Its outcome is known, and it is not an answer. A call that expired or was evicted says nothing."""
    return call.state == CALL_CANCELLED or call.state == CALL_REJECTED or call.state == CALL_FAILED
