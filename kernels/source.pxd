# cython: language_level=3
"""What calls and requests do to the profile of the address that sends them."""
from libc.stdint cimport int64_t, uint16_t, uint64_t

from kernels.behaviour cimport SourceProfile
from kernels.calls cimport Call

# A request outside calls; `target_key`: hash of where it went.
cdef void source_request(SourceProfile* profile, uint64_t target_key, int64_t now_ns) noexcept nogil
# The first INVITE of a call.
cdef void source_attempt(SourceProfile* profile, const Call* call, uint64_t target_key, int64_t now_ns) noexcept nogil
# The final response to a request, or how a call ended: 0 when its caller gave it up. The profile is up to date.
cdef void source_response(SourceProfile* profile, uint16_t status_code) noexcept nogil
