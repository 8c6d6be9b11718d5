# cython: language_level=3
"""What is remembered of every caller and every source: fixed size, decayed, bounded."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from capture.packet cimport Address
from kernels.calls cimport Call

cdef class Profiles:
    # The call's first INVITE: finds or makes the profiles, notes the attempt, sets call.*_profile.
    cdef void on_setup(self, Call* call, int64_t now_ns) noexcept nogil
    cdef void on_answer(self, Call* call, int64_t now_ns) noexcept nogil
    # The call reached its end state (call.state, times and status_code are set).
    cdef void on_end(self, Call* call, int64_t now_ns) noexcept nogil
    # A request outside calls (REGISTER, OPTIONS, ...): the slot of the source's profile.
    cdef int32_t on_request(self, const Address* source, uint8_t method, uint64_t user_key, int64_t now_ns) noexcept nogil
    # The response to it; `source` is who had asked.
    cdef void on_response(self, const Address* source, uint8_t method, uint16_t status_code, int64_t now_ns) noexcept nogil
    cdef void call_row(self, const Call* call, int stage, int64_t now_ns, float* row) noexcept nogil
    cdef void source_row(self, int32_t slot, int64_t now_ns, float* row) noexcept nogil
