# cython: language_level=3
"""The call table: one slot for all dialogs of a Call-ID that had an INVITE."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from capture.packet cimport Address, Endpoint, Packet
from capture.sip cimport SipMessage

cdef enum CallState:
    CALL_TRYING = 0
    CALL_RINGING = 1
    CALL_ANSWERED = 2
    CALL_COMPLETED = 3
    CALL_CANCELLED = 4
    CALL_REJECTED = 5
    CALL_FAILED = 6
    CALL_EXPIRED = 7

cdef enum CallStage:        # the moments at which a call is scored
    STAGE_SETUP = 0
    STAGE_ANSWER = 1
    STAGE_END = 2

cdef enum:
    CALL_ID_BYTES = 160
    USER_BYTES = 64
    AGENT_BYTES = 64

cdef struct Call:
    # identity
    uint64_t key                    # hash of the Call-ID
    uint64_t serial                 # 1, 2, 3, ... in order of first message
    # what profiles need
    uint64_t caller_key             # hash of the caller's number (E.164 digits when known, else as sent)
    uint64_t callee_key
    int32_t caller_profile          # slot in Profiles, NO_SLOT when none
    int32_t source_profile
    uint32_t caller_generation      # a slot that was evicted and reused has another generation
    uint32_t source_generation
    Endpoint source                 # of the first INVITE
    Endpoint destination
    # moments, ns since the epoch, 0 when not seen
    int64_t first_ns
    int64_t last_ns
    int64_t invite_ns
    int64_t progress_ns             # first response other than 100
    int64_t ringing_ns              # first 180 / 183
    int64_t answer_ns               # first 2xx to INVITE
    int64_t end_ns                  # BYE, CANCEL, or the final response that ended it
    int64_t deadline_ns             # forgotten then, unless something happens
    uint32_t messages
    uint16_t status_code            # the latest response to INVITE
    uint8_t state                   # CallState
    # E.164 digits without '+', NUL-terminated, empty when not a plausible number
    char caller_e164[16]
    char callee_e164[16]
    uint8_t caller_length
    uint8_t callee_length
    uint8_t agent_length
    uint16_t call_id_length
    char caller[USER_BYTES]
    char callee[USER_BYTES]
    char agent[AGENT_BYTES]
    char call_id[CALL_ID_BYTES]
    # the rest is the kernel's own
