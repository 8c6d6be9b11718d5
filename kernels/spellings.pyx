# cython: language_level=3
"""Noting spellings."""
from libc.stdint cimport uint64_t
from libc.string cimport memmove, memset

from capture.hashing cimport hash_mix
from kernels.calls cimport USER_BYTES

SPELLINGS_BYTES = sizeof(Spellings)


cdef inline uint32_t tail_of(const Call* call, int length) noexcept nogil:
    """The last digits and 1; 0 when the user part does not end in so many."""
    cdef uint32_t tail = 0
    cdef int i
    for i in range(length - TAIL_DIGITS, length):
        if i < 0 or not 48 <= call.callee[i] <= 57:
            return 0
        tail = 10 * tail + <uint32_t>(call.callee[i] - 48)
    return tail + 1


cdef inline uint16_t form_of(const Call* call, int length) noexcept nogil:
    """A hash of what precedes the tail, never 0."""
    cdef uint64_t form = 0
    cdef int i
    for i in range(length - TAIL_DIGITS):
        form = hash_mix(form, <uint8_t>call.callee[i])
    return <uint16_t>(form >> 48) | 1


cdef uint8_t form_note(Spelled* number, uint16_t form) noexcept nogil:
    """How many forms the number has, this one included."""
    cdef uint8_t count = 0
    cdef bint known = False
    while count < MOST_SPELLINGS and number.forms[count] != 0:
        known = known or number.forms[count] == form
        count += 1
    if known or count == MOST_SPELLINGS:
        return count
    number.forms[count] = form
    return count + 1


cdef uint8_t spellings_note(Spellings* spellings, const Call* call) noexcept nogil:
    cdef int length = min(<int>call.callee_length, <int>USER_BYTES)
    cdef uint32_t tail = tail_of(call, length)
    cdef Spelled number
    cdef int at = 0
    if tail == 0:
        return 0
    while at < SPELLED_NUMBERS - 1 and spellings.numbers[at].tail != tail:
        at += 1
    number = spellings.numbers[at]
    if number.tail != tail:
        memset(&number, 0, sizeof(Spelled))
        number.tail = tail
    memmove(&spellings.numbers[1], &spellings.numbers[0], at * sizeof(Spelled))
    spellings.numbers[0] = number
    return form_note(&spellings.numbers[0], form_of(call, length))
