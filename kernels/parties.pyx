# cython: language_level=3
"""Reading the parties of a call."""
from libc.stdint cimport uint64_t

from kernels.calls cimport USER_BYTES, Call

cdef enum:
    MIN_NUMBER_DIGITS = 3       # the shortest extensions in use
    MAX_NUMBER_DIGITS = 18      # all that fit 64 bits: E.164 has 15, trunk prefixes come before
    E164_DIGITS = 15            # E.164 6.1

cdef extern from *:
    """
    /* User parts that withhold the number: RFC 3323 4.1.1.3, and what gateways put there. */
    static const char *const sw_anonymous_users[] = {"anonymous", "restricted", "unknown", "unavailable", "private", 0};
    """
    const char** ANONYMOUS_USERS "((const char **)sw_anonymous_users)"


cdef bint is_user(const char* text, int length, const char* name) noexcept nogil:
    cdef int i
    for i in range(length):
        if (text[i] | 0x20) != name[i]:         # also stops at the end of `name`
            return False
    return name[length] == 0


cdef bint is_anonymous(const Call* call) noexcept nogil:
    cdef int i = 0
    cdef int length = min(<int>call.caller_length, <int>USER_BYTES)
    if call.caller_e164[0] != 0:
        return False
    if length == 0:
        return True
    while ANONYMOUS_USERS[i] != NULL:
        if is_user(call.caller, length, ANONYMOUS_USERS[i]):
            return True
        i += 1
    return False


cdef uint64_t dialled_number(const Call* call) noexcept nogil:
    cdef const char* text = &call.callee_e164[0]
    cdef int length = E164_DIGITS
    cdef int i, digits = 0
    cdef uint64_t number = 0
    if text[0] == 0:
        text = &call.callee[0]
        length = min(<int>call.callee_length, <int>USER_BYTES)
    for i in range(length):
        if 48 <= text[i] <= 57:
            digits += 1
            if digits > MAX_NUMBER_DIGITS:
                return 0
            number = 10 * number + <uint64_t>(text[i] - 48)
        elif text[i] == 0:
            break
        elif not (i == 0 and text[i] == 43):    # '+'
            return 0
    return number if digits >= MIN_NUMBER_DIGITS else 0


cdef uint64_t calling_number(const Call* call) noexcept nogil:
    cdef uint64_t number = 0
    cdef int i
    for i in range(E164_DIGITS):
        if call.caller_e164[i] == 0:
            break
        number = 10 * number + <uint64_t>(call.caller_e164[i] - 48)
    return number
