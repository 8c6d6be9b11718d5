# cython: language_level=3
"""The call table: one slot for all dialogs of a Call-ID that had an INVITE.

Theory of operation
-------------------
A call is followed from outside, often with messages missing, seen twice (both sides of a proxy), late, or
in one direction only. So the state is not that of a user agent but what the messages seen so far prove:

====================  ============================================================  =====================
seen                  proves                                                        state
====================  ============================================================  =====================
INVITE, 100           an attempt                                                    trying
101..199              the other side was reached (RFC 3261 13.2.2.1)                ringing
2xx, or ACK of one    answered; 2xx wins over CANCEL (9.1) and over a failed fork   answered
BYE or its response   over (15); when an early dialog is left by BYE: cancelled     completed
CANCEL, 487           given up by the caller (9)                                    cancelled
3xx, 4xx, 6xx         every INVITE transaction failed                               rejected
408, 5xx              the same, and nobody refused: the network did                 failed
nothing for long      Timer C (16.6), or no media and no signalling in a dialog     expired
====================  ============================================================  =====================

Transactions are told apart by the top Via branch (17.1.3), so that forks and the two hops around a proxy
each fail on their own; dialogs by the tag of the called side (12). A request inside a dialog (To tag)
never changes the state of the attempt, so re-INVITE and glare (491) do not.

Time comes with the packets. A call stands in the queue of its phase; a touch only writes `deadline_ns`, and
the queue's head is looked at when its place is due and sent back when its deadline has moved.
"""
from libc.stdint cimport INT64_MAX, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from capture.hashing cimport hash_bytes
from capture.index cimport (
    NO_SLOT, index_find, index_free, index_init, index_insert, index_key, index_prefetch, index_remove,
)
from capture.memory cimport table_calloc, table_free
from capture.packet cimport Packet, address_hash
from capture.sip cimport (
    HEADER_USER_AGENT, METHOD_ACK, METHOD_BYE, METHOD_CANCEL, METHOD_INVITE, METHOD_PRACK, SIP_REQUEST,
    SipMessage, Span,
)
from kernels.contact cimport contact_host
from kernels.fingerprint cimport SHAPE_NONE, signalling_read, text_shape
from kernels.identity cimport identity_read
from kernels.numbers cimport Plan, e164_digits
from kernels.slots cimport prefetch_all

STATE_NAMES = ("trying", "ringing", "answered", "completed", "cancelled", "rejected", "failed", "expired")
STAGE_NAMES = ("setup", "answer", "end")
CALL_BYTES = sizeof(Call)

cdef enum:
    SETUP_S = 200           # Timer C is "more than 3 minutes" (RFC 3261 16.6)
    TALK_S = 7200           # four of the usual session timers (RFC 4028: 1800 s) without media or signalling
    LINGER_S = 32           # 64 * T1: the longest that a retransmission comes late (RFC 3261 17)

cdef int64_t SECOND_NS = 1_000_000_000
cdef int64_t[3] PATIENCE_NS = [SETUP_S * SECOND_NS, TALK_S * SECOND_NS, LINGER_S * SECOND_NS]


cdef inline uint64_t span_hash(const SipMessage* message, Span span, uint64_t secret) noexcept nogil:
    return hash_bytes(message.data + span.start, span.length, secret)


cdef inline uint8_t copy_text(char* out, uint32_t room, const SipMessage* message, Span span) noexcept nogil:
    cdef uint32_t length = span.length if span.length < room else room
    memcpy(out, message.data + span.start, length)
    return <uint8_t>length


cdef inline bint may_be_retried(uint16_t status) noexcept nogil:
    """Failures that a client answers with a new INVITE of the same Call-ID: redirection (RFC 3261 8.1.3.4),
    challenges (22.2), 413 / 415 / 416 / 420 (8.1.3.5), 421, 422 (RFC 4028), 428 / 436..438 (RFC 8224), 488."""
    return (
        300 <= status < 400 or status == 401 or status == 407 or status == 413 or 415 <= status <= 416
        or 420 <= status <= 422 or status == 428 or 436 <= status <= 438 or status == 488
    )


cdef inline uint8_t failure_state(uint16_t status) noexcept nogil:
    if status == 487:
        return CALL_CANCELLED
    if status == 408 or 500 <= status < 600:
        return CALL_FAILED
    return CALL_REJECTED


cdef class CallTable:
    """A fixed table of `calls` live calls, and of `released` more that wait to be reported.

    `plan` reads numbers as E.164. `secret` keys the hashes. Memory: (calls + released) * sizeof(Call)
    and an index of at most 64 bytes a call, taken from the system as it is first touched.
    """

    def __cinit__(self, uint32_t calls, uint32_t released, uint64_t secret, Plan plan):
        cdef uint32_t slots = calls + 1 + released
        cdef uint32_t i
        cdef int phase
        self.calls = <Call*>table_calloc(slots, sizeof(Call))
        self.free_slots = <int32_t*>malloc(slots * sizeof(int32_t))
        self.released = <int32_t*>malloc(released * sizeof(int32_t))
        if self.calls == NULL or self.free_slots == NULL or self.released == NULL or index_init(&self.index, calls + 1):
            raise MemoryError(f"no memory for a table of {calls} calls")
        for i in range(slots):
            self.free_slots[i] = <int32_t>(slots - 1 - i)
        for phase in range(PHASES):
            self.head[phase] = self.tail[phase] = NO_SLOT
        self.free_count = slots
        self.capacity = calls
        self.released_capacity = released
        self.secret = secret
        self.plan = &plan.plan
        self.next_due_ns = INT64_MAX

    def __dealloc__(self):
        table_free(self.calls)
        free(self.free_slots)
        free(self.released)
        index_free(&self.index)

    # -- messages -----------------------------------------------------------------------------------------

    cdef int32_t message(self, const Packet* packet, const SipMessage* message, uint8_t transport,
                         int64_t now_ns) noexcept nogil:
        cdef uint64_t key = message.call_id_key
        if key == 0:
            key = index_key(span_hash(message, message.call_id, self.secret))
        cdef int32_t slot = index_find(&self.index, key)
        cdef Call* call
        self.events = 0
        if slot == NO_SLOT:
            if message.method != METHOD_INVITE:
                return NO_SLOT
            slot = self._add(packet, message, key, transport, now_ns)
        call = &self.calls[slot]
        prefetch_all(call, CALL_TRACKED_BYTES)
        call.messages += 1
        call.last_ns = packet.time_ns
        if message.truncated:
            call.seen |= SEEN_TRUNCATED
        if call.phase != PHASE_ENDED:
            call.deadline_ns = now_ns + PATIENCE_NS[call.phase]
        if message.kind == SIP_REQUEST:
            self._request(slot, packet, message, now_ns)
        else:
            self._response(slot, message, packet.time_ns, now_ns)
        return slot

    cdef int32_t _add(self, const Packet* packet, const SipMessage* message, uint64_t key, uint8_t transport,
                      int64_t now_ns) noexcept nogil:
        """A slot for a new call. There is always one more than `capacity`: the owner makes room at once."""
        cdef int32_t slot
        cdef Call* call
        self.free_count -= 1
        slot = self.free_slots[self.free_count]
        call = &self.calls[slot]
        memset(call, 0, sizeof(Call) - CALL_ID_BYTES)
        self.live += 1
        self.total += 1
        call.key = key
        call.serial = self.total
        call.transport = transport
        call.first_ns = packet.time_ns
        call.deadline_ns = now_ns + PATIENCE_NS[PHASE_SETUP]
        call.caller_profile = call.callee_profile = call.source_profile = call.route = NO_SLOT
        call.from_tag = span_hash(message, message.from_tag, self.secret)
        call.invite_cseq = message.cseq
        self._describe(call, packet, message)
        index_insert(&self.index, key, slot)
        self._append(slot, PHASE_SETUP)
        call.seen |= TOLD_SETUP
        self.events = EVENT_SETUP
        return slot

    cdef void _describe(self, Call* call, const Packet* packet, const SipMessage* message) noexcept nogil:
        """Who calls whom from where. The number dialled is that of the Request-URI, when it is one: the To
        field is only what the caller says it is (RFC 3261 8.1.1.2), yet it is what people read."""
        if message.kind == SIP_REQUEST:
            call.source = packet.source
            call.destination = packet.destination
        else:
            call.source = packet.destination
            call.destination = packet.source
        call.call_id_length = copy_text(call.call_id, CALL_ID_BYTES, message, message.call_id)
        call.caller_length = copy_text(call.caller, USER_BYTES, message, message.from_uri.user)
        call.callee_length = copy_text(call.callee, USER_BYTES, message, message.to_uri.user)
        cdef int digits = e164_digits(
            message.data + message.from_uri.user.start, message.from_uri.user.length, self.plan, call.caller_e164)
        if digits > 0:
            call.caller_key = hash_bytes(<const uint8_t*>call.caller_e164, digits, self.secret)
        else:
            # a name is only a name at its own system: two boxes may each have an extension 100
            call.caller_key = span_hash(message, message.from_uri.user, address_hash(&call.source.address, self.secret))
        digits = 0
        if message.kind == SIP_REQUEST and message.request.user.length > 0:
            digits = e164_digits(
                message.data + message.request.user.start, message.request.user.length, self.plan, call.callee_e164)
        if digits == 0:
            digits = e164_digits(
                message.data + message.to_uri.user.start, message.to_uri.user.length, self.plan, call.callee_e164)
        if digits > 0:
            call.callee_key = hash_bytes(<const uint8_t*>call.callee_e164, digits, self.secret)
        else:
            call.callee_key = span_hash(message, message.to_uri.user, self.secret)

    cdef void _request(self, int32_t slot, const Packet* packet, const SipMessage* message,
                       int64_t now_ns) noexcept nogil:
        cdef Call* call = &self.calls[slot]
        if message.method == METHOD_INVITE:
            self._invite(slot, packet, message, now_ns)
        elif message.method == METHOD_ACK:
            self._ack(slot, message, packet.time_ns, now_ns)
        elif message.method == METHOD_BYE:
            self._replied(call, SEEN_IMPLIED)
            self._bye(slot, message, packet.time_ns, now_ns)
        elif message.method == METHOD_CANCEL:
            if message.cseq == call.invite_cseq:
                self._cancel(slot, packet.time_ns, now_ns)
        elif message.method == METHOD_PRACK:
            self._replied(call, SEEN_IMPLIED)

    cdef void _invite(self, int32_t slot, const Packet* packet, const SipMessage* message,
                      int64_t now_ns) noexcept nogil:
        cdef Call* call = &self.calls[slot]
        cdef bint first = not (call.seen & SEEN_INVITE)
        cdef int agent
        call.seen |= SEEN_INVITE
        if first:
            # the request may come after its response: what it says of the path is nearer the truth
            call.source = packet.source
            call.destination = packet.destination
            call.invite_ns = packet.time_ns
            agent = message.first[<int>HEADER_USER_AGENT]
            if agent >= 0:
                call.agent_length = copy_text(call.agent, AGENT_BYTES, message, Span(
                    message.fields[agent].value_start, message.fields[agent].value_length))
            if message.to_tag.length == 0:
                signalling_read(message, &call.signalling)
                identity_read(message, self.plan, &call.identity)
                call.contact = contact_host(message, self.secret)
        if message.to_tag.length > 0:
            if first and call.messages == 1:    # the capture began in the middle of a dialog
                self._answer(slot, 0, now_ns)
            return
        if message.cseq > call.invite_cseq:
            call.invite_cseq = message.cseq
            call.transaction_count = 0
            if call.state > CALL_ANSWERED and not call.seen & SEEN_2XX:
                call.state = CALL_TRYING
                call.progress_ns = call.ringing_ns = call.early_media_ns = call.end_ns = 0
                self._move(slot, PHASE_SETUP, now_ns)
        self._transaction(call, message, True)

    cdef void _ack(self, int32_t slot, const SipMessage* message, int64_t time_ns, int64_t now_ns) noexcept nogil:
        """An ACK whose 2xx or failure was not seen proves it: that of a failure has the branch of its INVITE
        (RFC 3261 17.1.1.3), that of a 2xx is a transaction of its own (13.2.2.4)."""
        cdef Call* call = &self.calls[slot]
        cdef int i
        self._replied(call, SEEN_IMPLIED)
        if message.cseq != call.invite_cseq:
            return
        i = self._transaction(call, message, False)
        if call.state <= CALL_RINGING and i >= 0:
            if call.transaction_status[i] == 0:
                call.transaction_status[i] = 1
                self._fail(slot, 0, time_ns, now_ns)
        elif i < 0:
            call.seen |= SEEN_ACK
            if call.state <= CALL_RINGING:
                self._answer(slot, time_ns, now_ns)
        elif call.state == CALL_ANSWERED:
            call.seen |= SEEN_ACK               # RFC 2543 clients reuse the branch

    cdef void _response(self, int32_t slot, const SipMessage* message, int64_t time_ns,
                        int64_t now_ns) noexcept nogil:
        cdef Call* call = &self.calls[slot]
        if message.method == METHOD_INVITE:
            self._invite_response(slot, message, time_ns, now_ns)
        elif message.method == METHOD_BYE:
            if 200 <= message.status_code < 300:
                self._bye(slot, message, time_ns, now_ns)
        elif message.method == METHOD_CANCEL:
            if message.cseq == call.invite_cseq and 200 <= message.status_code < 300:
                self._cancel(slot, time_ns, now_ns)

    cdef void _invite_response(self, int32_t slot, const SipMessage* message, int64_t time_ns,
                               int64_t now_ns) noexcept nogil:
        cdef Call* call = &self.calls[slot]
        cdef uint16_t status = message.status_code
        cdef int i = self._transaction(call, message, False)
        if i < 0:
            if message.cseq != call.invite_cseq or span_hash(message, message.from_tag, self.secret) != call.from_tag:
                return                          # of a re-INVITE, or of an attempt that is over
            i = self._transaction(call, message, True)
        self._replied(call, SEEN_REPLY)
        if call.answer_tag == SHAPE_NONE:
            call.answer_tag = text_shape(message.data + message.to_tag.start, message.to_tag.length)
        if call.state > CALL_ANSWERED and call.seen & TOLD_END and not 200 <= status < 300:
            return                              # a retransmission after the end
        if status < 200:
            if status > 100 and call.state <= CALL_RINGING:
                call.state = CALL_RINGING
                call.status_code = status
                if call.ringing_ns == 0:
                    call.ringing_ns = time_ns
                if call.progress_ns == 0:
                    call.progress_ns = time_ns
            elif call.status_code == 0:
                call.status_code = status
            if message.to_tag.length > 0:
                self._dialog(call, <uint32_t>span_hash(message, message.to_tag, self.secret), True)
            return
        call.transaction_status[i] = status
        if status == 401 or status == 407:
            call.seen |= SEEN_CHALLENGE
        if status < 300:
            call.seen |= SEEN_2XX
            i = self._dialog(call, <uint32_t>span_hash(message, message.to_tag, self.secret), True)
            if call.dialog_state[i] == DIALOG_EARLY:
                call.dialog_state[i] = DIALOG_CONFIRMED
            if call.state != CALL_COMPLETED and call.state != CALL_ANSWERED:
                call.status_code = status
                self._answer(slot, time_ns, now_ns)
        elif call.state != CALL_ANSWERED and call.state != CALL_COMPLETED:
            self._fail(slot, status, time_ns, now_ns)

    cdef void _replied(self, Call* call, uint16_t sign) noexcept nogil:
        """`sign`: what proves it, a response or a request that only follows one (CANCEL: RFC 3261 9.1)."""
        if not call.seen & (SEEN_REPLY | SEEN_IMPLIED | SEEN_CANCEL):
            self.events |= EVENT_REPLY
        call.seen |= sign

    # -- what they prove ----------------------------------------------------------------------------------

    cdef void _answer(self, int32_t slot, int64_t time_ns, int64_t now_ns) noexcept nogil:
        """`time_ns` 0: answered before the capture began."""
        cdef Call* call = &self.calls[slot]
        call.state = CALL_ANSWERED
        call.end_ns = 0
        call.answer_ns = time_ns
        if call.progress_ns == 0:
            call.progress_ns = time_ns
        self._move(slot, PHASE_TALK, now_ns)
        if not call.seen & TOLD_ANSWER:
            call.seen |= TOLD_ANSWER
            self.events |= EVENT_ANSWER

    cdef void _fail(self, int32_t slot, uint16_t status, int64_t time_ns, int64_t now_ns) noexcept nogil:
        """A transaction failed. The attempt has when they all have (RFC 3261 16.7)."""
        cdef Call* call = &self.calls[slot]
        cdef int i
        if call.progress_ns == 0 and status != 401 and status != 407:
            call.progress_ns = time_ns
        if status != 0:
            call.status_code = status
        for i in range(call.transaction_count):
            if call.transaction_status[i] == 0:
                return
        cdef uint8_t state = failure_state(status)
        if status == 0 and call.seen & SEEN_CANCEL:
            state = CALL_CANCELLED
        if call.end_ns != 0 and call.state == CALL_CANCELLED and state == CALL_CANCELLED:
            time_ns = call.end_ns               # it ended with the CANCEL, not with its 487
        self._end(slot, state, time_ns, now_ns, status != 0 and not may_be_retried(status))
        if may_be_retried(status):
            self._move(slot, PHASE_SETUP, now_ns)   # a person may have to type the password first

    cdef void _cancel(self, int32_t slot, int64_t time_ns, int64_t now_ns) noexcept nogil:
        """CANCEL asks; the final response to INVITE decides, and a 2xx may have crossed it (RFC 3261 9.1)."""
        cdef Call* call = &self.calls[slot]
        self._replied(call, SEEN_CANCEL)
        if call.state <= CALL_RINGING:
            self._end(slot, CALL_CANCELLED, time_ns, now_ns, False)

    cdef void _bye(self, int32_t slot, const SipMessage* message, int64_t time_ns, int64_t now_ns) noexcept nogil:
        cdef Call* call = &self.calls[slot]
        cdef int i
        cdef bint cancelled = call.state <= CALL_RINGING and call.seen & SEEN_REPLY != 0
        call.seen |= SEEN_BYE
        if call.state > CALL_ANSWERED and call.state != CALL_EXPIRED:
            return
        i = self._dialog(call, <uint32_t>span_hash(message, message.to_tag, self.secret), False)
        if i < 0:
            i = self._dialog(call, <uint32_t>span_hash(message, message.from_tag, self.secret), False)
        if i >= 0:
            call.dialog_state[i] = DIALOG_ENDED
            for i in range(CALL_DIALOGS):
                if call.dialog_state[i] == DIALOG_CONFIRMED:
                    return                      # another fork answered too and goes on
        call.hung_up = HUNG_UP_CALLEE
        if span_hash(message, message.from_tag, self.secret) == call.from_tag:
            call.hung_up = HUNG_UP_CALLER
        self._end(slot, CALL_CANCELLED if cancelled else CALL_COMPLETED, time_ns, now_ns, True)

    cdef void _end(self, int32_t slot, uint8_t state, int64_t time_ns, int64_t now_ns, bint certain) noexcept nogil:
        """`certain`: nothing that may still come revives the attempt, so its end can be told at once."""
        cdef Call* call = &self.calls[slot]
        call.state = state
        call.end_ns = time_ns
        if call.phase != PHASE_ENDED:
            self._move(slot, PHASE_ENDED, now_ns)
        if certain and not call.seen & TOLD_END:
            call.seen |= TOLD_END
            self.events |= EVENT_END

    cdef int _transaction(self, Call* call, const SipMessage* message, bint add) noexcept nogil:
        """The INVITE transaction of the message's branch, -1 when unknown and not to be added."""
        cdef uint32_t branch = <uint32_t>span_hash(message, message.branch, self.secret)
        cdef int i
        for i in range(call.transaction_count):
            if call.transactions[i] == branch:
                return i
        if not add:
            return -1
        if call.transaction_count < CALL_TRANSACTIONS:
            call.transaction_count += 1
        i = call.transaction_count - 1
        call.transactions[i] = branch
        call.transaction_status[i] = 0
        return i

    cdef int _dialog(self, Call* call, uint32_t tag, bint add) noexcept nogil:
        """The dialog of a tag, -1 when unknown and not to be added. The last place is shared by all beyond."""
        cdef int i
        for i in range(CALL_DIALOGS):
            if call.dialog_state[i] != 0 and call.dialogs[i] == tag:
                return i
            if call.dialog_state[i] == 0:
                break
        if not add:
            return -1
        call.dialogs[i] = tag
        call.dialog_state[i] = DIALOG_EARLY
        return i

    # -- queues -------------------------------------------------------------------------------------------

    cdef int32_t due(self, int64_t now_ns) noexcept nogil:
        cdef int32_t slot
        cdef int phase
        if now_ns < self.next_due_ns:
            return NO_SLOT
        for phase in range(PHASES):
            slot = self.head[phase]
            while slot != NO_SLOT and self.calls[slot].queue_due_ns <= now_ns:
                if self.calls[slot].deadline_ns <= now_ns:
                    self._prefetch_due(self.calls[slot].newer)
                    return slot
                self._unlink(slot)
                self._append(slot, phase)
                slot = self.head[phase]
        self._look_again()
        return NO_SLOT

    cdef void _prefetch_due(self, int32_t next) noexcept nogil:
        """The call that is due next, often, was asked for when this was done for the one before."""
        if next == NO_SLOT:
            return
        index_prefetch(&self.index, self.calls[next].key)
        if self.calls[next].newer != NO_SLOT:
            prefetch_all(&self.calls[self.calls[next].newer], CALL_TRACKED_BYTES)

    cdef void extend(self, int32_t slot, int64_t since_ns) noexcept nogil:
        self.calls[slot].deadline_ns = since_ns + PATIENCE_NS[self.calls[slot].phase]

    cdef void expire(self, int32_t slot) noexcept nogil:
        cdef Call* call = &self.calls[slot]
        if call.state <= CALL_ANSWERED:
            call.state = CALL_EXPIRED
            call.end_ns = call.last_ns

    cdef int32_t oldest(self) noexcept nogil:
        """The live call that is least missed: one that is over, else one not answered, else any."""
        if self.head[PHASE_ENDED] != NO_SLOT:
            return self.head[PHASE_ENDED]
        if self.head[PHASE_SETUP] != NO_SLOT:
            return self.head[PHASE_SETUP]
        return self.head[PHASE_TALK]

    cdef void release(self, int32_t slot) noexcept nogil:
        """Takes a call out of the table and keeps its slot until it has been reported."""
        self._unlink(slot)
        index_remove(&self.index, self.calls[slot].key)
        self.calls[slot].phase = PHASE_RELEASED
        self.released[self.released_count] = slot
        self.released_count += 1
        self.live -= 1

    cdef void free_released(self) noexcept nogil:
        cdef uint32_t i
        for i in range(self.released_count):
            self.free_slots[self.free_count] = self.released[i]
            self.free_count += 1
        self.released_count = 0

    cdef void _move(self, int32_t slot, uint8_t phase, int64_t now_ns) noexcept nogil:
        self._unlink(slot)
        self.calls[slot].deadline_ns = now_ns + PATIENCE_NS[phase]
        self._append(slot, phase)

    cdef void _append(self, int32_t slot, uint8_t phase) noexcept nogil:
        cdef Call* call = &self.calls[slot]
        call.phase = phase
        call.queue_due_ns = call.deadline_ns
        call.newer = NO_SLOT
        call.older = self.tail[phase]
        if call.older == NO_SLOT:
            self.head[phase] = slot
        else:
            self.calls[call.older].newer = slot
        self.tail[phase] = slot
        if call.queue_due_ns < self.next_due_ns:
            self.next_due_ns = call.queue_due_ns

    cdef void _unlink(self, int32_t slot) noexcept nogil:
        cdef Call* call = &self.calls[slot]
        if call.older == NO_SLOT:
            self.head[call.phase] = call.newer
        else:
            self.calls[call.older].newer = call.newer
        if call.newer == NO_SLOT:
            self.tail[call.phase] = call.older
        else:
            self.calls[call.newer].older = call.older

    cdef void _look_again(self) noexcept nogil:
        cdef int phase
        self.next_due_ns = INT64_MAX
        for phase in range(PHASES):
            if self.head[phase] != NO_SLOT and self.calls[self.head[phase]].queue_due_ns < self.next_due_ns:
                self.next_due_ns = self.calls[self.head[phase]].queue_due_ns
