# cython: language_level=3
"""The call table: one slot for all dialogs of a Call-ID that had an INVITE."""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from capture.index cimport Index
from capture.packet cimport Endpoint, Packet
from capture.sip cimport SipMessage
from kernels.fingerprint cimport Signalling
from kernels.identity cimport Identity
from kernels.numbers cimport NumberPlan
from kernels.voice cimport Voice

cdef enum CallState:        # the names of the contract, in the same order as STATE_NAMES
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

cdef enum CallEvent:        # what a message, or the passing of time, did to a call
    EVENT_SETUP = 1
    EVENT_ANSWER = 2
    EVENT_END = 4
    EVENT_REPLY = 8         # the first sign that somebody replied to the INVITE

cdef enum:                  # phases: which queue of deadlines a call stands in
    PHASE_SETUP = 0
    PHASE_TALK = 1
    PHASE_ENDED = 2
    PHASES = 3
    PHASE_RELEASED = 4

cdef enum CallSeen:
    SEEN_INVITE = 1         # an INVITE request
    SEEN_REPLY = 2          # a response to INVITE
    SEEN_CANCEL = 4
    SEEN_ACK = 8            # the ACK of a 2xx, which proves that one was sent
    SEEN_BYE = 16           # BYE or its response
    SEEN_2XX = 32
    SEEN_IMPLIED = 64       # a request that only follows a response: ACK, PRACK, BYE
    SEEN_TRUNCATED = 128    # the snapshot length cut a message of the call
    TOLD_SETUP = 256
    TOLD_ANSWER = 512
    TOLD_END = 1024
    SEEN_CHALLENGE = 2048   # 401 or 407: who calls is asked for credentials
    SEEN_CREDENTIALS = 4096     # an INVITE that answered a challenge with some

cdef enum CallTransport:
    TRANSPORT_UDP = 0
    TRANSPORT_TCP = 1
    TRANSPORT_WS = 2

cdef enum DialogState:      # RFC 3261 12
    DIALOG_EARLY = 1
    DIALOG_CONFIRMED = 2
    DIALOG_ENDED = 3

cdef enum HungUp:           # whose BYE ended the call
    HUNG_UP_UNKNOWN = 0
    HUNG_UP_CALLER = 1
    HUNG_UP_CALLEE = 2

cdef enum:
    CALL_ID_BYTES = 160     # longer ones are told apart by hash and shown cut; RFC 3261 sets no limit
    USER_BYTES = 64
    AGENT_BYTES = 64
    CALL_TRANSACTIONS = 8   # INVITE transactions followed at once: hops of one call past the tap, and forks
    CALL_TRACKED_BYTES = 320    # the begin of a Call, which its messages read and write
    CALL_ROW_BYTES = 192        # behind it, which its rows read
    CALL_DIALOGS = 4        # forks that answered or rang

cdef struct Call:
    # identity
    uint64_t key                    # hash of the Call-ID
    uint64_t serial                 # 1, 2, 3, ... in order of first message
    uint64_t from_tag               # hash of the tag of the side that called
    # where it stands
    int32_t older                   # neighbours in the queue of its phase
    int32_t newer
    int64_t queue_due_ns            # when its place in the queue is looked at
    int64_t deadline_ns             # when it is over unless something happens
    uint32_t invite_cseq
    uint16_t seen                   # CallSeen
    uint16_t status_code            # the latest response to INVITE that counts
    uint8_t state                   # CallState
    uint8_t phase                   # CallPhase
    uint8_t transport               # CallTransport
    uint8_t transaction_count
    uint32_t transactions[CALL_TRANSACTIONS]         # hash of the top Via branch
    uint16_t transaction_status[CALL_TRANSACTIONS]   # final status, 0 while pending
    uint32_t dialogs[CALL_DIALOGS]                # hash of the tag of the side that was called
    uint8_t dialog_state[CALL_DIALOGS]            # DialogState, 0 for none
    # moments, ns since the epoch, 0 when not seen
    int64_t first_ns
    int64_t last_ns
    int64_t invite_ns
    int64_t progress_ns             # first response other than 100 and challenges (RFC 6076 4.3)
    int64_t ringing_ns              # first 101..199
    int64_t early_media_ns          # first 101..199 with a session description: audio before the answer
    int64_t answer_ns               # first 2xx to INVITE
    int64_t end_ns                  # BYE, CANCEL, or the final response that ended it
    uint32_t messages
    # what profiles need
    uint64_t caller_key             # hash of the caller's number (E.164 digits when known, else as sent)
    uint64_t callee_key
    int32_t caller_profile          # slot in Profiles, NO_SLOT when none
    int32_t callee_profile
    int32_t source_profile
    uint32_t caller_generation      # a slot that was evicted and reused has another generation
    uint32_t callee_generation
    uint32_t source_generation
    int32_t route                   # slot of the address called in the table of routes
    uint32_t route_generation
    # what profiles made of it when it began
    uint64_t range_hash             # of the block of numbers called, 0 for none
    uint8_t price                   # PriceClass of the callee as the caller sees it
    uint8_t abroad                  # Abroad of kernels/parties.pxd
    uint8_t call_back               # CallBack of kernels/profiles.pxd
    uint8_t differing_digits        # of two E.164 numbers, from the first that differs on; 0: none, or one is not known
    uint8_t newcomer                # one of the first calls of its caller
    uint8_t again                   # CallBack, of the caller's own latest call to the callee
    uint8_t bound                   # Bound of kernels/bindings.pxd: where the caller's account is registered
    uint8_t run                     # how often the caller has called the callee by now, one call soon after the other
    uint8_t spellings               # in how many ways its source has dialled the number lately, 0: it is too short
    float style_addresses           # how many show its signalling fingerprint; NaN for not known, as in the next seven
    float contact_callers           # how many numbers are behind the host of its Contact
    float range_callers             # how many numbers of the caller's range its address shows
    float asserted_blocks           # how many blocks are shown, or numbers called, under its account: the fewer
    float shown_accounts            # under how many accounts its address shows the caller's number
    float recording_callees         # how many numbers the sound of its calling side was played to, at its end; NaN
    float recording_callers         # and how many callers played it; how many numbers answered with the sound of its
    float answer_recording_callees  # answering side
    float route_goip_style          # share of the INVITEs of the address called that look like the GoIP firmware's
    Signalling signalling           # of the first INVITE; all zero while that was not seen
    Identity identity
    uint64_t contact                # hash of the host of its Contact, 0 for none
    uint8_t hung_up                 # HungUp
    uint8_t answer_tag              # TextShape of the first tag of the side that was called
    Voice voice                     # all zero before the end
    # the verdict so far
    float score
    uint32_t fraud_types            # bit per type, models/fraud_types.py
    int64_t flagged_ns              # when watch or flag was first reached, 0 when never
    uint8_t verdict                 # 0 pass, 1 watch, 2 flag
    uint8_t flagged_stage           # CallStage
    # what is shown
    uint8_t caller_length
    uint8_t callee_length
    uint8_t agent_length
    uint8_t call_id_length
    Endpoint source                 # of the first INVITE
    Endpoint destination
    char caller_e164[16]            # digits without '+', NUL-terminated, empty when not a plausible number
    char callee_e164[16]
    char caller[USER_BYTES]
    char callee[USER_BYTES]
    char agent[AGENT_BYTES]
    char call_id[CALL_ID_BYTES]


@cython.final
cdef class CallTable:
    cdef Call* calls
    cdef Index index
    cdef uint64_t secret
    cdef const NumberPlan* plan
    cdef uint32_t capacity          # live calls at most; one more for a moment, until the owner makes room
    cdef uint32_t live
    cdef int32_t* free_slots        # a stack
    cdef uint32_t free_count
    cdef int32_t head[PHASES]
    cdef int32_t tail[PHASES]
    cdef int32_t* released          # slots to be reported and then freed, in order
    cdef uint32_t released_count
    cdef uint32_t released_capacity
    cdef int64_t next_due_ns        # no queue needs a look before
    cdef readonly uint64_t total
    cdef int events                 # CallEvent bits of the last message

    # Takes a message at the table's clock `now_ns`. The slot of its call, or NO_SLOT when it belongs to none.
    cdef int32_t message(self, const Packet* packet, const SipMessage* message, uint8_t transport,
                         int64_t now_ns) noexcept nogil
    # A call whose deadline is past, or NO_SLOT: `extend` it from a later sign of life, or `expire` and release it.
    cdef int32_t due(self, int64_t now_ns) noexcept nogil
    cdef void extend(self, int32_t slot, int64_t since_ns) noexcept nogil
    cdef void expire(self, int32_t slot) noexcept nogil
    # The call to give up when `live > capacity`.
    cdef int32_t oldest(self) noexcept nogil
    cdef void release(self, int32_t slot) noexcept nogil
    cdef void free_released(self) noexcept nogil

    cdef int32_t _add(self, const Packet* packet, const SipMessage* message, uint64_t key, uint8_t transport,
                      int64_t now_ns) noexcept nogil
    cdef void _describe(self, Call* call, const Packet* packet, const SipMessage* message) noexcept nogil
    cdef void _request(self, int32_t slot, const Packet* packet, const SipMessage* message,
                       int64_t now_ns) noexcept nogil
    cdef void _invite(self, int32_t slot, const Packet* packet, const SipMessage* message,
                      int64_t now_ns) noexcept nogil
    cdef void _ack(self, int32_t slot, const SipMessage* message, int64_t time_ns, int64_t now_ns) noexcept nogil
    cdef void _response(self, int32_t slot, const SipMessage* message, int64_t time_ns, int64_t now_ns) noexcept nogil
    cdef void _invite_response(self, int32_t slot, const SipMessage* message, int64_t time_ns,
                               int64_t now_ns) noexcept nogil
    cdef void _replied(self, Call* call, uint16_t sign) noexcept nogil
    cdef void _answer(self, int32_t slot, int64_t time_ns, int64_t now_ns) noexcept nogil
    cdef void _fail(self, int32_t slot, uint16_t status, int64_t time_ns, int64_t now_ns) noexcept nogil
    cdef void _bye(self, int32_t slot, const SipMessage* message, int64_t time_ns, int64_t now_ns) noexcept nogil
    cdef void _cancel(self, int32_t slot, int64_t time_ns, int64_t now_ns) noexcept nogil
    cdef void _end(self, int32_t slot, uint8_t state, int64_t time_ns, int64_t now_ns, bint certain) noexcept nogil
    cdef int _transaction(self, Call* call, const SipMessage* message, bint add) noexcept nogil
    cdef int _dialog(self, Call* call, uint32_t tag, bint add) noexcept nogil
    cdef void _move(self, int32_t slot, uint8_t phase, int64_t now_ns) noexcept nogil
    cdef void _append(self, int32_t slot, uint8_t phase) noexcept nogil
    cdef void _unlink(self, int32_t slot) noexcept nogil
    cdef void _look_again(self) noexcept nogil
    cdef void _prefetch_due(self, int32_t next) noexcept nogil
