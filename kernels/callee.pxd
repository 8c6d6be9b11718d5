# cython: language_level=3
"""What happens to a number that is called: for those whom fraud calls, and those whom it pays to have called.

A number that many strangers let ring once (wangiri, flash calls), that a crowd calls at once (TDoS), or that has long
calls from few callers (call pumping) is known by the calls to it, however often the callers change.
"""
from libc.stdint cimport int64_t

from kernels.behaviour cimport CalleeProfile
from kernels.calls cimport Call

# A call to it began, was answered, or reached its end state.
cdef void callee_attempt(CalleeProfile* profile, const Call* call, int64_t now_ns) noexcept nogil
cdef void callee_answer(CalleeProfile* profile, int64_t now_ns) noexcept nogil
cdef void callee_end(CalleeProfile* profile, const Call* call, int64_t now_ns) noexcept nogil
# Its part of a call row, float32; the profile is read as of `now_ns` and not changed.
cdef void callee_features(const CalleeProfile* profile, int64_t now_ns, float* row) noexcept nogil
