# cython: language_level=3
"""What passwords that were tried say of the address that tries them.

A response does not say whether its request brought credentials; a small ring of the transactions that did, and are
waiting for their answer, tells a wrong password from the challenge with which everything begins (RFC 3261 22.2). Each
try is a transaction, whatever it has in common with the one before: who guesses may keep one Call-ID for all. A nonce
that has expired is no wrong password, where the server says so (RFC 2617 3.2.1); where it does not, the success that
follows takes the one or two failures away. More were guesses, and stay: the account may have been broken into.

An INVITE tries a password, too, where it answers a challenge of its own call: who calls may bring credentials for the
challenge of an earlier call, and some proxies ask anew for each. That it is asked once more is a wrong password, that
it is let through (any response above 100 that is no refusal) a success; other refusals tell nothing: 403 is also said
to who may not call that number.
"""
from libc.stdint cimport int64_t, uint16_t, uint64_t

from kernels.behaviour cimport SourceProfile

cdef enum Try:                  # what a response says of the password of a user
    TRY_NOTHING = 0
    TRY_LET_IN = 1
    TRY_WRONG = 2
    TRY_GUESSED = 3             # let in after so many wrong ones that it may have been guessed

cdef struct Guess:              # what came before somebody was let in
    float tries                 # wrong passwords
    float users                 # for so many users; 1: for that one

# A request has brought credentials. All take a profile that is up to date.
cdef void password_brought(SourceProfile* profile, uint64_t transaction_key) noexcept nogil
# Whether an answer to credentials was awaited in the transaction; it no longer is.
cdef bint password_awaited(SourceProfile* profile, uint64_t transaction_key) noexcept nogil
cdef void password_wrong(SourceProfile* profile, uint64_t user_key, int64_t now_ns) noexcept nogil
# What is known of its user: a Failure of kernels/relations.pxd. `call_id_key`: of the REGISTER, 0 for an INVITE.
cdef void password_failed(SourceProfile* profile, int failure, uint64_t call_id_key, int64_t now_ns) noexcept nogil
# The user was let in: TRY_LET_IN, or TRY_GUESSED and what came before.
cdef int password_right(SourceProfile* profile, uint64_t user_key, int64_t now_ns, Guess* guess) noexcept nogil
# A user was let in who had not been before, after few wrong passwords: the same, by those for others.
cdef int password_sprayed(const SourceProfile* profile, int64_t now_ns, Guess* guess) noexcept nogil
# A response above 100 to an INVITE, of which `password_brought` was told: a Try.
cdef int invite_answered(SourceProfile* profile, uint64_t user_key, uint64_t transaction_key, uint16_t status_code,
                         bint stale, int64_t now_ns, Guess* guess) noexcept nogil
# Its part of a source row, float32; the profile is read as of `now_ns` and not changed.
cdef void password_features(const SourceProfile* profile, int64_t now_ns, float* row) noexcept nogil
