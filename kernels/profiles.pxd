# cython: language_level=3
"""What is remembered of every caller, callee and source: tables of bounded size, and the events that fill them."""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from capture.packet cimport Address
from kernels.behaviour cimport CalleeProfile, CallerProfile, SourceProfile
from kernels.calls cimport Call
from kernels.heavy cimport Heavy
from kernels.pairs cimport PairTable
from kernels.passwords cimport Guess
from kernels.relations cimport Relations
from kernels.signalling cimport Style
from kernels.slots cimport SlotTable

cdef enum CallBack:             # whether a call goes to someone who had called the caller within the last day
    CALL_BACK_NONE = 0
    CALL_BACK_ANSWERED = 1      # and whose latest call to him was answered
    CALL_BACK_MISSED = 2        # and was not

cdef enum:
    RANGE_TABLES = 1024         # of HEAVY_ENTRIES ranges each


@cython.final
cdef class Profiles:
    cdef SlotTable callers
    cdef SlotTable callees
    cdef SlotTable sources
    cdef CallerProfile* caller_profiles
    cdef CalleeProfile* callee_profiles
    cdef SourceProfile* source_profiles
    cdef Style* styles                  # of sources, by the same slots
    cdef Style no_style                 # never written to
    cdef uint64_t gateway_signs         # seen so far
    cdef int64_t reply_ns               # of the latest final response outside calls, 0: none was seen
    cdef CallerProfile no_caller        # never written to: what a row says of a caller that is not known
    cdef CalleeProfile no_callee
    cdef SourceProfile no_source
    cdef PairTable pairs                # who called whom
    cdef Heavy* ranges                  # called ranges, half-life 1 hour: each is in one of RANGE_TABLES tables
    cdef Guess guess                    # what the latest response says of an account; no `tries`: nothing
    cdef Relations relations            # what calls have in common beyond their numbers
    cdef uint64_t secret

    # The call's first INVITE: finds or makes the profiles, notes the attempt, and sets call.*_profile and
    # call.*_generation, and where it goes: call.range_hash, price, abroad and call_back. A caller who withholds the
    # number has no profile, and nor has an empty callee.
    cdef void on_setup(self, Call* call, int64_t now_ns) noexcept nogil
    # Somebody replied to it, in whatever way.
    cdef void on_reply(self, const Call* call, int64_t now_ns) noexcept nogil
    cdef void on_answer(self, Call* call, int64_t now_ns) noexcept nogil
    # The call reached its end state (call.state, times and status_code are set).
    cdef void on_end(self, Call* call, int64_t now_ns) noexcept nogil
    # A request outside calls (REGISTER, OPTIONS, ...): the slot of the source's profile. `target_key`: hash of where it
    # went; `call_id_key`: of its Call-ID; `transaction_key`: of its topmost Via branch (RFC 3261 17.1.3);
    # `credentials`: it brought some (22).
    cdef int32_t on_request(self, const Address* source, uint64_t target_key, uint8_t method, uint64_t user_key,
                            uint64_t call_id_key, uint64_t transaction_key, bint credentials,
                            int64_t now_ns) noexcept nogil
    # The response to it; `source` is who had asked, `registrar` a hash of who answers; `stale`: it is a challenge to
    # credentials that were right, for a nonce of before (RFC 2617 3.2.1). Responses to INVITE are left to on_end. The
    # slot of the source's profile when it is to be looked at at once, since an account may have been broken into
    # (`guess`); else NO_SLOT.
    cdef int32_t on_response(self, const Address* source, uint64_t registrar, uint8_t method, uint64_t user_key,
                             uint64_t call_id_key, uint64_t transaction_key, uint16_t status_code, bint stale,
                             int64_t now_ns) noexcept nogil
    # A later INVITE of a call brought credentials, and a response above 100 to such a one; the call's source is
    # `source`, `target_key` a hash of the address and port that it goes to. The slot of the source's profile when the
    # password was wrong, which is a request of its own, or when the account may have been broken into; else NO_SLOT.
    cdef void on_try(self, const Address* source, uint64_t transaction_key) noexcept nogil
    cdef int32_t on_try_answered(self, const Address* source, uint64_t registrar, uint64_t target_key,
                                 uint64_t user_key, uint64_t transaction_key, uint16_t status_code, bint stale,
                                 int64_t now_ns) noexcept nogil
    # An address has shown a GatewaySign of kernels/signalling.pxd: the slot of its profile.
    cdef int32_t on_gateway_sign(self, const Address* source, uint8_t sign, int64_t now_ns) noexcept nogil
    # Rows are read after the event that they are about. They change nothing that a later row says.
    cdef void call_row(self, const Call* call, int stage, int64_t now_ns, float* row) noexcept nogil
    cdef void source_row(self, int32_t slot, int64_t now_ns, float* row) noexcept nogil
    # Whether a source has grown enough since its latest row for another one.
    cdef bint source_is_due(self, int32_t slot) noexcept nogil
    # The profile that a call points to, or NULL when there is none or it went to another.
    cdef CallerProfile* caller_of(self, const Call* call) noexcept nogil
    cdef CalleeProfile* callee_of(self, const Call* call) noexcept nogil
    cdef SourceProfile* source_of(self, const Call* call) noexcept nogil

    cdef void _reciprocity(self, Call* call, CallerProfile* caller, int64_t now_ns) noexcept nogil
    cdef void _prefetch_source(self, int32_t slot) noexcept nogil
    cdef void _style_row(self, const Call* call, int64_t now_ns, float* row) noexcept nogil
    cdef CallerProfile* _take_caller(self, uint64_t key, int64_t now_ns, int32_t* slot) noexcept nogil
    cdef CalleeProfile* _take_callee(self, uint64_t key, int64_t now_ns, int32_t* slot) noexcept nogil
    cdef SourceProfile* _take_source(self, const Address* address, int64_t now_ns, int32_t* slot) noexcept nogil

    # Has memory bring what the next event of a call will touch, `is_new` before its `on_setup`, while there is other
    # work to do.
    cdef void prefetch(self, const Call* call, bint is_new) noexcept nogil
