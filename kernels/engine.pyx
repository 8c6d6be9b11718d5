# cython: language_level=3
"""The engine: one `nogil` pass that takes packets down to feature rows.

`run` takes packets from a source until none is within reach, and is called again, until a block is full. A block
ends where the data says so: when the room for feature rows or for finished calls is used up, or after as many
packets as the caller allows. Then the caller scores the rows, writes the verdicts back (`judge_calls`), reports the
finished calls, calls `next_block`, and runs on. What a row holds depends only on the packets before it, and a call
that is over keeps its slot until it was reported, outside the count of live calls. So every block size gives the
same answers.
"""
import numpy as np

from libc.stdint cimport INT64_MAX, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free

from capture.decode cimport DECODED, Decoder
from capture.duplicates cimport Duplicates
from capture.goip cimport GOIP_KEEPALIVE, GOIP_NONE, goip_read
from capture.hashing cimport hash_bytes
from capture.index cimport NO_SLOT
from capture.packet cimport (
    PACKET_MESSAGE, PACKET_TRUNCATED, PROTOCOL_UDP, address_equal, address_hash, endpoint_hash,
)
from capture.sdp cimport SdpSession, sdp_read
from capture.sip cimport (
    METHOD_ACK, METHOD_BYE, METHOD_CANCEL, METHOD_INVITE, SIP_MESSAGE, SIP_NEED_MORE, SIP_OTHER, SIP_REQUEST,
    SIP_RESPONSE, SipMessage, Span, sip_read_for, sip_sdp_body,
)
from capture.sip_text cimport same_name
from capture.source cimport RECORD_FOUND, RECORD_LEAVING, RECORD_NEED_MORE, Record, RecordSource
from capture.tcp cimport StreamTable
from kernels.break_ins cimport BreakIns
from kernels.calls cimport (
    CALL_ANSWERED, EVENT_ANSWER, EVENT_END, EVENT_REPLY, EVENT_SETUP, PHASE_TALK, SEEN_CHALLENGE, SEEN_CREDENTIALS,
    SEEN_INVITE, SEEN_REPLY, STAGE_ANSWER, STAGE_END, STAGE_SETUP, TOLD_END, TRANSPORT_TCP, TRANSPORT_UDP,
    TRANSPORT_WS, Call, CallTable,
)
from kernels.credentials cimport brings_credentials, says_stale, transaction_key
from kernels.media cimport MediaTable
from kernels.numbers cimport Plan
from kernels.profiles cimport CallerProfile, Profiles, SourceProfile
from kernels.signalling cimport SIGN_KEEPALIVE, SIGN_REMOTE_BUSY, SIGN_SIM_BANK
from kernels.slots cimport prefetch
from kernels.subscribers cimport Subscribers
from kernels.voice cimport voice_read

from kernels.schema import CALL_FEATURES, SOURCE_FEATURES

NEED_MORE = RUN_NEED_MORE
BLOCK = RUN_BLOCK
END = RUN_END

cdef enum:
    ROWS_PER_STEP = 4       # the most rows that one message makes: setup, answer, end, and the end of an evicted call
    BLOCK_ROWS = 1024       # four model batches of 256; with 32 features 128 KiB, inside any L2 cache
    ROWS_AHEAD = 8          # how far ahead memory is asked for the calls of rows
    RELEASE_STEPS = 3       # in which it is asked for what calls expected of media,
    RELEASES_AHEAD = 4      # so far from each other
    BLOCK_CALLS = 1024      # finished calls that wait for their verdict

# How far the time of a packet that comes in now may be from now. Clocks of agents that are kept by NTP are closer, and
# a ring that is read late holds some seconds; neither is enough to end a call.
cdef int64_t EARLY_NS = 5_000_000_000
cdef int64_t LATE_NS = 60_000_000_000
cdef int64_t FLUSH_NS = 1_000_000_000       # how often TCP streams are asked what they hold back


cdef inline bint is_early(const SipMessage* message) noexcept nogil:
    """A provisional response to INVITE: with a session description it opens early media (RFC 3960)."""
    return message.kind == SIP_RESPONSE and message.method == METHOD_INVITE and 100 < message.status_code < 200


cdef inline bint is_remote_busy(const SipMessage* message) noexcept nogil:
    """`480 Remote Busy`: RFC 3261 21.4.18 says Temporarily Unavailable, the GoIP firmware this."""
    return (
        message.status_code == 480 and message.reason_phrase.length == 11
        and same_name(message.data + message.reason_phrase.start, b"remote busy", 11)
    )


cdef class Engine:
    """All tables of the appliance and the pass over them.

    Sizes are counts of entries, `block_packets` the most that a block takes; `region` is the home country (ISO 3166)
    or None; `secret` keys every hash. `subscribers`: how many of them statistics are kept of, 0 for none. With
    `duplicate_window_ns` a packet that comes again within that time is passed over: live sources see some twice
    (capture/duplicates.pyx).

    Time. In a replay it comes with the packets alone. A live box calls `advance` with the time of a clock that never
    steps: from then on calls run out while no packet comes, and what a packet says of its time is believed only as far
    as it can be, so that a clock that was set, here or at an agent, neither ends all calls nor lets none end. Inside
    the engine that is the only time there is. What is reported is in wall clock time: `offset_ns` is added.
    """

    def __cinit__(self, *, uint32_t calls, uint32_t callers, uint32_t callees, uint32_t sources, uint32_t streams,
                  uint32_t tcp_connections, uint64_t tcp_bytes, uint32_t block_packets, uint64_t secret, region=None,
                  int64_t duplicate_window_ns=0, uint32_t subscribers=0):
        self.secret = self.descriptions.secret = secret
        self.plan = Plan(region)
        self.decoder = Decoder(secret)
        if duplicate_window_ns > 0:
            self.duplicates = Duplicates(duplicate_window_ns, secret)
        self.streams = StreamTable(tcp_connections, tcp_bytes, secret)
        self.calls = CallTable(calls, BLOCK_CALLS, secret, self.plan)
        self.lookup.index, self.lookup.secret = &self.calls.index, secret
        self.media = MediaTable(streams, calls + 1 + BLOCK_CALLS, secret)
        self.profiles = Profiles(callers, sources, callees, secret)
        if subscribers:
            self.subscribers = Subscribers(subscribers)
        self.packet = self.media.place()
        self.nothing = RecordSource()
        self.stream_slot = NO_SLOT
        self.rows_capacity = BLOCK_ROWS
        self.block_packets = self.block_end = block_packets
        self.call_features = np.zeros((BLOCK_ROWS, len(CALL_FEATURES)), np.float32)
        self.source_features = np.zeros((BLOCK_ROWS, len(SOURCE_FEATURES)), np.float32)
        self.call_rows = self.call_features
        self.source_rows = self.source_features
        self.call_notes = <RowNote*>calloc(BLOCK_ROWS, sizeof(RowNote))
        self.source_notes = <RowNote*>calloc(BLOCK_ROWS, sizeof(RowNote))
        self.break_ins = BreakIns(BLOCK_ROWS)
        if self.call_notes == NULL or self.source_notes == NULL:
            raise MemoryError("no memory for the rows of a block")

    def __dealloc__(self):
        free(self.call_notes)
        free(self.source_notes)

    # -- the pass -----------------------------------------------------------------------------------------

    def run(self, RecordSource source, bint live=False):
        """Takes packets until none is within reach (NEED_MORE), the block is full (BLOCK), or the source is no longer
        readable (END). A block goes on over many buffers: large batches cost the model less. `live`: packets come in
        as they are sent, rather than from a recording."""
        with nogil:
            status = self._run(source, live)
            self.media.catch_up()
        return status

    def advance(self, int64_t now_ns, int64_t offset_ns):
        """It is `now_ns` by a clock that never steps, and `offset_ns` later by the wall clock. Takes what is due by
        then: as `run`, without packets. Who calls it once has to go on calling it."""
        self.now_ns = max(self.now_ns, now_ns)
        self.offset_ns = offset_ns
        self.clock_ns = max(self.clock_ns, now_ns)
        return self.run(self.nothing)

    cdef void _own_time(self, Record* record, bint live) noexcept nogil:
        """Wall clock time to the engine's own. A recording may be from long ago, yet not from times to come."""
        record.time_ns -= self.offset_ns
        if record.time_ns > self.now_ns + EARLY_NS or (live and record.time_ns < self.now_ns - LATE_NS):
            record.time_ns = self.now_ns
            self.corrected += 1

    cdef int _run(self, RecordSource source, bint live) noexcept nogil:
        cdef Record record
        cdef int status
        while True:
            if self._full():
                return RUN_BLOCK
            if self.stream_slot != NO_SLOT:
                self._segment()
                continue
            if self.calls.next_due_ns <= self.clock_ns and not self._expire():
                continue
            if self.clock_ns >= self.next_flush_ns:
                self._flush(self.clock_ns)
                continue
            if self.packets == self.block_end:
                return RUN_BLOCK
            status = source.next(&record)
            if status != RECORD_FOUND:
                if status == RECORD_LEAVING:
                    self.media.catch_up()
                    continue
                return RUN_NEED_MORE if status == RECORD_NEED_MORE else RUN_END
            if self.now_ns != 0:
                self._own_time(&record, live)
            self.packets += 1
            self.bytes += record.wire_bytes
            if record.time_ns > self.clock_ns:
                self.clock_ns = record.time_ns
            if self.first_ns == 0 or record.time_ns < self.first_ns:
                self.first_ns = record.time_ns
            if record.time_ns > self.last_ns:
                self.last_ns = record.time_ns
            self.packet = self.media.place()
            if self.decoder.decode(&record, self.packet) == DECODED:
                if self.duplicates is not None and self.duplicates.seen(self.packet):
                    source.duplicates += 1
                else:
                    self._packet()

    cdef bint _full(self) noexcept nogil:
        return (
            self.call_rows_count + ROWS_PER_STEP > self.rows_capacity
            or self.source_rows_count + ROWS_PER_STEP > self.rows_capacity
            or self.calls.released_count + ROWS_PER_STEP > self.calls.released_capacity
        )

    cdef void _packet(self) noexcept nogil:
        cdef int status
        cdef uint8_t first
        if self.packet.protocol != PROTOCOL_UDP and not self.packet.flags & PACKET_MESSAGE:
            self.stream_slot = self.streams.feed(self.packet)
            return
        if self.packet.payload_bytes == 0:
            return
        first = self.packet.payload[0]
        if first >= 0x80:                       # RTP and RTCP are version 2 (RFC 7983); SIP begins with ASCII
            self.media.take()
            return
        status = sip_read_for(self.packet.payload, self.packet.payload_bytes, &self.lookup, &self.message)
        if status == SIP_OTHER:
            self._beside_sip()
            return
        if self.packet.flags & PACKET_TRUNCATED:
            self.message.truncated = 1
        self._message(status, TRANSPORT_UDP if self.packet.protocol == PROTOCOL_UDP else TRANSPORT_TCP)

    cdef void _beside_sip(self) noexcept nogil:
        """What gateways exchange with their managers and SIM banks: only that they do is kept."""
        cdef int traffic = goip_read(
            self.packet.payload, self.packet.payload_bytes, self.packet.source.port, self.packet.destination.port)
        if traffic != GOIP_NONE:
            self._gateway_sign(SIGN_KEEPALIVE if traffic == GOIP_KEEPALIVE else SIGN_SIM_BANK)

    cdef void _gateway_sign(self, uint8_t sign) noexcept nogil:
        """The sender of the packet at hand has shown one. A gateway may do nothing else, and is scored for it, too."""
        cdef int32_t slot = self.profiles.on_gateway_sign(&self.packet.source.address, sign, self.packet.time_ns)
        if self.profiles.source_is_due(slot):
            self._source_row(slot, self.packet.time_ns)

    cdef void _segment(self) noexcept nogil:
        """Takes one message of the TCP direction at hand."""
        cdef int status = self.streams.next_message(self.stream_slot, &self.message)
        if status == SIP_NEED_MORE:
            self.stream_slot = NO_SLOT
        else:
            self._message(status, TRANSPORT_WS if self.streams.is_websocket(self.stream_slot) else TRANSPORT_TCP)

    cdef void _flush(self, int64_t now_ns) noexcept nogil:
        """Looks for a message behind a gap in a TCP stream that nobody fills."""
        self.packet = self.media.place()
        self.stream_slot = self.streams.flush(now_ns, self.packet)
        if self.stream_slot == NO_SLOT:
            self.next_flush_ns = self.clock_ns + FLUSH_NS

    cdef void _message(self, int status, uint8_t transport) noexcept nogil:
        """A message with a SIP start line is counted. One that broke the grammar is followed as far as it goes,
        since attackers send such; one of which no call can be told (SIP_MALFORMED) is not."""
        cdef SdpSession session
        cdef int32_t slot
        cdef bint offered
        self.media.catch_up()
        if self.message.kind == SIP_REQUEST:
            self.sip_requests += 1
        else:
            self.sip_responses += 1
        self.malformed += self.message.error != 0
        if status != SIP_MESSAGE:
            return
        if is_remote_busy(&self.message):
            self._gateway_sign(SIGN_REMOTE_BUSY)
        slot = self.calls.message(self.packet, &self.message, transport, self.clock_ns)
        if slot == NO_SLOT:
            self._outside_calls()
            return
        if self.calls.events & ~<int>EVENT_REPLY:
            self.profiles.prefetch(&self.calls.calls[slot], self.calls.events & EVENT_SETUP != 0)
        offered = self.message.body.length > 0 and self._read_offer(slot, &session)
        if self.calls.events:
            self._tell(slot, self.calls.events, self.packet.time_ns)
        if self.message.method == METHOD_INVITE and self.calls.calls[slot].seen & SEEN_CHALLENGE:
            self._try(slot)
        if offered:
            self._expect(slot, &session)
        if self.calls.live > self.calls.capacity:
            self.evicted += 1
            self._retire(self.calls.oldest())

    cdef void _outside_calls(self) noexcept nogil:
        """REGISTER, OPTIONS, ...: behaviour of their source, whose profile is scored as it grows."""
        cdef int32_t slot
        cdef uint64_t user, call_id, transaction
        if self.message.method in (METHOD_INVITE, METHOD_ACK, METHOD_BYE, METHOD_CANCEL):
            return
        user = hash_bytes(
            self.message.data + self.message.to_uri.user.start, self.message.to_uri.user.length, self.secret)
        call_id = hash_bytes(self.message.data + self.message.call_id.start, self.message.call_id.length, self.secret)
        transaction = transaction_key(&self.message, self.secret)
        if self.message.kind == SIP_REQUEST:
            slot = self.profiles.on_request(
                &self.packet.source.address, endpoint_hash(&self.packet.destination, self.secret), self.message.method,
                user, call_id, transaction, brings_credentials(&self.message), self.packet.time_ns)
            if slot != NO_SLOT and self.profiles.source_is_due(slot):
                self._source_row(slot, self.packet.time_ns)
        else:
            slot = self.profiles.on_response(
                &self.packet.destination.address, address_hash(&self.packet.source.address, self.secret),
                self.message.method, user, call_id, transaction, self.message.status_code, says_stale(&self.message),
                self.packet.time_ns)
            if slot != NO_SLOT:
                self._let_in(slot, self.message.to_uri.user)

    cdef void _try(self, int32_t slot) noexcept nogil:
        """An INVITE of a call that was challenged, or a response to one, where the call comes from."""
        cdef Call* call = &self.calls.calls[slot]
        cdef Span user = self.message.from_uri.user
        cdef uint64_t transaction = transaction_key(&self.message, self.secret)
        cdef int32_t source
        if self.message.kind == SIP_REQUEST:
            if (self.message.to_tag.length == 0 and brings_credentials(&self.message)
                    and address_equal(&self.packet.source.address, &call.source.address)):
                call.seen |= SEEN_CREDENTIALS
                self.profiles.on_try(&call.source.address, transaction)
            return
        if not call.seen & SEEN_CREDENTIALS:
            return
        source = self.profiles.on_try_answered(
            &call.source.address, address_hash(&call.destination.address, self.secret),
            endpoint_hash(&call.destination, self.secret),
            hash_bytes(self.message.data + user.start, user.length, self.secret), transaction,
            self.message.status_code, says_stale(&self.message), self.packet.time_ns)
        if source != NO_SLOT and self.profiles.guess.tries > 0:
            self._let_in(source, user)
        elif source != NO_SLOT and self.profiles.source_is_due(source):
            self._source_row(source, self.packet.time_ns)

    cdef void _let_in(self, int32_t slot, Span user) noexcept nogil:
        """A user has been let in at a source after wrong passwords: it is looked at at once."""
        self.break_ins.note(&self.profiles.guess, self.source_rows_count, self.message.data + user.start, user.length)
        self._source_row(slot, self.packet.time_ns)

    cdef bint _read_offer(self, int32_t slot, SdpSession* session) noexcept nogil:
        """The session description of the message, if it has one: where media is going to be."""
        cdef Span body
        cdef int i
        if not sip_sdp_body(&self.message, &body):
            return False
        if sdp_read(self.message.data + body.start, body.length, session, &self.descriptions) <= 0:
            return False
        if is_early(&self.message) and self.calls.calls[slot].early_media_ns == 0:
            self.calls.calls[slot].early_media_ns = self.packet.time_ns
        for i in range(session.media_count):
            self.media.expectations.prefetch(slot, &session.media[i])     # there is a row to fill before they are added
        return True

    cdef void _expect(self, int32_t slot, const SdpSession* session) noexcept nogil:
        cdef bint of_caller = self._is_of_caller(slot)
        cdef int i
        for i in range(session.media_count):
            self.media.expect(slot, &session.media[i], of_caller, self.packet.time_ns)

    cdef bint _is_of_caller(self, int32_t slot) noexcept nogil:
        """Whether the caller's side sent the message: a response has the From tag of its request (RFC 3261 8.2.6.2)."""
        cdef uint64_t tag = hash_bytes(
            self.message.data + self.message.from_tag.start, self.message.from_tag.length, self.secret)
        return (tag == self.calls.calls[slot].from_tag) == (self.message.kind == SIP_REQUEST)

    # -- what happened to a call --------------------------------------------------------------------------

    cdef void _tell(self, int32_t slot, int events, int64_t now_ns) noexcept nogil:
        cdef Call* call = &self.calls.calls[slot]
        if events & EVENT_SETUP:
            self.profiles.on_setup(call, now_ns)
            self._call_row(slot, STAGE_SETUP, now_ns)
            if self.profiles.source_is_due(call.source_profile):
                self._source_row(call.source_profile, now_ns)
        if events & EVENT_REPLY:
            self.profiles.on_reply(call, now_ns)
        if events & EVENT_ANSWER:
            self.media.listen(slot)
            self.profiles.on_answer(call, now_ns)
            self._call_row(slot, STAGE_ANSWER, now_ns)
        if events & EVENT_END:
            self._hear(slot)
            self.profiles.on_end(call, now_ns)
            if self.subscribers is not None:
                self.subscribers.on_end(call, now_ns, self.offset_ns)
            self._call_row(slot, STAGE_END, now_ns)

    cdef void _hear(self, int32_t slot) noexcept nogil:
        """Notes whose RTP there was. A mirror of one direction has requests or responses, and never both."""
        cdef Call* call = &self.calls.calls[slot]
        cdef bint two_way = call.seen & SEEN_INVITE != 0 and call.seen & SEEN_REPLY != 0
        if call.answer_ns:
            voice_read(self.media, slot, two_way, &call.voice)

    cdef bint _expire(self) noexcept nogil:
        """Ends one call whose time is up. True when none is left."""
        cdef int32_t slot = self.calls.due(self.clock_ns)
        self.media.catch_up()
        if slot == NO_SLOT:
            return True
        self.calls.extend(slot, self.media.last_ns(slot) if self.calls.calls[slot].phase == PHASE_TALK else 0)
        if self.calls.calls[slot].deadline_ns <= self.clock_ns:
            self.calls.expire(slot)
            self._retire(slot)
        return False

    cdef void _retire(self, int32_t slot) noexcept nogil:
        """Lets a call go. Its profiles hear of its end, whatever is known of it."""
        cdef Call* call = &self.calls.calls[slot]
        if not call.seen & TOLD_END:
            call.seen |= TOLD_END
            self._hear(slot)
            self.profiles.on_end(call, self.clock_ns)
            if call.state > CALL_ANSWERED:
                self._call_row(slot, STAGE_END, self.clock_ns)
        self.calls.release(slot)

    cdef void _call_row(self, int32_t slot, uint8_t stage, int64_t now_ns) noexcept nogil:
        cdef uint32_t i = self.call_rows_count
        cdef const Call* call = &self.calls.calls[slot]
        cdef const CallerProfile* caller = self.profiles.caller_of(call)
        cdef RowNote* note = &self.call_notes[i]
        self.profiles.call_row(call, stage, now_ns, &self.call_rows[i, 0])
        note.source = call.source.address
        note.time_ns = now_ns
        note.first_ns = caller.first_ns if caller != NULL else call.first_ns
        note.requests = caller.calls if caller != NULL else 1
        note.call_slot = slot
        note.stage = stage
        self.call_rows_count += 1

    cdef void _source_row(self, int32_t slot, int64_t now_ns) noexcept nogil:
        cdef uint32_t i = self.source_rows_count
        cdef const SourceProfile* source = &self.profiles.source_profiles[slot]
        cdef RowNote* note = &self.source_notes[i]
        self.profiles.source_row(slot, now_ns, &self.source_rows[i, 0])
        note.source = source.address
        note.time_ns = now_ns
        note.first_ns = source.first_ns
        note.requests = source.requests
        note.call_slot = NO_SLOT
        self.source_rows_count += 1

    # -- between blocks -----------------------------------------------------------------------------------

    def finish(self):
        """After the last packet: takes what TCP still held back, and releases calls until the block is full. False
        when none is left."""
        cdef int32_t slot
        while True:
            if self._full():
                return True
            if self.stream_slot != NO_SLOT:
                self._segment()
                continue
            self._flush(INT64_MAX)
            if self.stream_slot == NO_SLOT:
                break
        while self.calls.live > 0:
            if self._full():
                return True
            slot = self.calls.oldest()
            if self.calls.calls[slot].state > CALL_ANSWERED:
                self._retire(slot)
            else:
                self.calls.release(slot)        # not over, only no longer watched
        return False

    def judge_calls(self, const float[::1] scores, const uint8_t[::1] verdicts, const uint32_t[::1] fraud_types):
        """Writes the verdicts of the block's call rows back. The indices of the rows that raised a verdict, int32."""
        cdef uint32_t i, raised = 0
        cdef Call* call
        cdef int32_t[::1] rows = np.empty(self.call_rows_count, np.int32)
        for i in range(self.call_rows_count):
            if i + ROWS_AHEAD < self.call_rows_count:
                prefetch(&self.calls.calls[self.call_notes[i + ROWS_AHEAD].call_slot].score)
            call = &self.calls.calls[self.call_notes[i].call_slot]
            if scores[i] > call.score:
                call.score = scores[i]
            if verdicts[i] == 0:
                continue
            call.fraud_types |= fraud_types[i]
            if verdicts[i] <= call.verdict:
                continue
            if call.verdict == 0:
                call.flagged_ns = self.call_notes[i].time_ns
                call.flagged_stage = self.call_notes[i].stage
                self.watched += 1
            if verdicts[i] == 2:
                self.watched -= 1
                self.flagged += 1
            call.verdict = verdicts[i]
            rows[raised] = i
            raised += 1
        return np.asarray(rows[:raised])

    def next_block(self):
        """Forgets the rows and the finished calls of the block."""
        cdef uint32_t i
        cdef int step
        for i in range(self.calls.released_count):
            for step in range(RELEASE_STEPS):
                if i + (RELEASE_STEPS - step) * RELEASES_AHEAD < self.calls.released_count:
                    self.media.expectations.prefetch_release(
                        self.calls.released[i + (RELEASE_STEPS - step) * RELEASES_AHEAD], step)
            self.media.release_call(self.calls.released[i])
        self.calls.free_released()
        if self.subscribers is not None:
            self.subscribers.next_block()
        self.call_rows_count = 0
        self.source_rows_count = 0
        self.break_ins.count = 0
        self.block_end = self.packets + self.block_packets

    @property
    def call_block(self):
        """The block's call rows: float32 [n, len(CALL_FEATURES)], a view that is valid until `next_block`."""
        return self.call_features[:self.call_rows_count]

    @property
    def source_block(self):
        """The block's source rows: float32 [n, len(SOURCE_FEATURES)], a view that is valid until `next_block`."""
        return self.source_features[:self.source_rows_count]

    @property
    def rows(self):
        """How many rows of the block wait to be scored."""
        return self.call_rows_count + self.source_rows_count

    @property
    def open_calls(self):
        """How many calls are followed, and over for less than the time in which they may still be retransmitted."""
        return self.calls.live

    @property
    def time_ns(self):
        """How far the engine is, in wall clock time; 0 before the first packet."""
        return self.clock_ns + self.offset_ns if self.clock_ns else 0

    @property
    def finished_calls(self):
        """How many calls are over and wait to be reported."""
        return self.calls.released_count

    def call_of_row(self, uint32_t i):
        """The call of a row of the block: (serial, Call-ID, caller as sent), the texts as bytes."""
        if i >= self.call_rows_count:
            raise IndexError(i)
        call = &self.calls.calls[self.call_notes[i].call_slot]
        return call.serial, call.call_id[:call.call_id_length], call.caller[:call.caller_length]

    def note_of_row(self, uint32_t i, bint of_source):
        """What a row is about: (address, 16 bytes; time of the row, ns; first request, ns; requests; stage)."""
        if i >= (self.source_rows_count if of_source else self.call_rows_count):
            raise IndexError(i)
        note = &self.source_notes[i] if of_source else &self.call_notes[i]
        return (
            (<const char*>&note.source)[:16], note.time_ns + self.offset_ns, note.first_ns + self.offset_ns,
            note.requests, note.stage,
        )

    def row_times(self):
        """When the packets came that made the rows of the block: int64 [n], ns, in wall clock time."""
        cdef uint32_t i
        cdef int64_t[::1] times = np.empty(self.call_rows_count + self.source_rows_count, np.int64)
        for i in range(self.call_rows_count):
            times[i] = self.call_notes[i].time_ns + self.offset_ns
        for i in range(self.source_rows_count):
            times[self.call_rows_count + i] = self.source_notes[i].time_ns + self.offset_ns
        return np.asarray(times)

    def counters(self):
        """Totals since the start, by the names of the contract's summary."""
        return {
            "packets": self.packets,
            "bytes": self.bytes,
            "sip_messages": self.sip_requests + self.sip_responses,
            "sip_requests": self.sip_requests,
            "sip_responses": self.sip_responses,
            "malformed": self.malformed,
            "calls": self.calls.total,
            "rtp_packets": self.media.rtp_packets,
            "rtp_streams": self.media.rtp_streams,
            "flagged": self.flagged,
            "watched": self.watched,
            "evicted": sum(self.evictions().values()),
            "capture_span_s": (self.last_ns - self.first_ns) / 1e9,
        }

    def evictions(self):
        """Entries that made room for others since the start, by table."""
        return {
            "calls": self.evicted,
            "callers": self.profiles.callers.evicted,
            "callees": self.profiles.callees.evicted,
            "sources": self.profiles.sources.evicted,
            "routes": self.profiles.relations.routes.evicted,
            "crowds": self.profiles.relations.crowds.evicted,
            "recordings": self.profiles.relations.recordings.evicted,
            "subscribers": 0 if self.subscribers is None else self.subscribers.table.evicted,
            "streams": self.media.evicted,
            "tcp_connections": self.streams.totals.evicted,
            "fragments": self.decoder.fragments.counters.evicted,
        }
