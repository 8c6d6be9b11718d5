# cython: language_level=3
"""What registrations say of their source: scanning for users, and success."""
from libc.stdint cimport int64_t, uint16_t, uint64_t

from kernels.behaviour cimport SourceProfile
from kernels.passwords cimport Guess

# A REGISTER request, and the final response to one: a Try of kernels/passwords.pxd. The profile is up to date.
cdef void registration_asked(SourceProfile* profile, uint64_t user_key, uint64_t call_id_key, bint credentials,
                             uint64_t transaction_key, int64_t now_ns) noexcept nogil
cdef int registration_answered(SourceProfile* profile, uint64_t user_key, uint64_t transaction_key,
                               uint16_t status_code, bint stale, int64_t now_ns, Guess* guess) noexcept nogil
# Its part of a source row, float32; the profile is read as of `now_ns` and not changed.
cdef void registration_features(const SourceProfile* profile, int64_t now_ns, float* row) noexcept nogil
