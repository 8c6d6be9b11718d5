# cython: language_level=3
"""What registrations say of their source: scanning for users, guessing of passwords, and success.

A response does not say whether its request brought credentials; a small ring of the transactions that did, and are
waiting for their answer, tells a wrong password from the challenge with which every registration begins (RFC 3261
22.2). Each try is a transaction, whatever it has in common with the one before: who guesses may keep one Call-ID for
all. A nonce that has expired is no wrong password, where the server says so (RFC 2617 3.2.1); where it does not, the
success that follows takes the one or two failures away. More were guesses, and stay: the account may have been broken
into.
"""
from libc.stdint cimport int64_t, uint16_t, uint64_t

from kernels.behaviour cimport SourceProfile

cdef enum Registration:         # what a final response says of the user
    REGISTRATION_NONE = 0
    REGISTRATION_MADE = 1
    REGISTRATION_WRONG_PASSWORD = 2
    REGISTRATION_GUESSED = 3    # made after so many wrong passwords that it may have been guessed

# A REGISTER request, and the final response to one: a Registration. The profile is up to date.
cdef void registration_asked(SourceProfile* profile, uint64_t user_key, uint64_t call_id_key, bint credentials,
                             uint64_t transaction_key, int64_t now_ns) noexcept nogil
cdef int registration_answered(SourceProfile* profile, uint64_t user_key, uint64_t transaction_key,
                               uint16_t status_code, bint stale, int64_t now_ns) noexcept nogil
# Its part of a source row, float32; the profile is read as of `now_ns` and not changed.
cdef void registration_features(const SourceProfile* profile, int64_t now_ns, float* row) noexcept nogil
