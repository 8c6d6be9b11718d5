# cython: language_level=3
"""RTP streams: which there are, whose they are, what they lost and how they jitter (RFC 3550).

A stream is one SSRC from one endpoint to another. It is proved at once where an SDP expects media and lists
its payload type; elsewhere it is a candidate until MIN_SEQUENTIAL packets look like one stream, and only
then counted, with all of its packets. RTP has no signature, so whatever fails to look like one stays out.

Candidates live in the same array behind the proved streams: one index probe finds either, statistics are kept
from the first packet on, and garbage can only push out other candidates.
"""
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset, strcmp, strncpy

from capture.endpoints cimport endpoint_from_pair, endpoint_to_pair, flow_key
from capture.index cimport (
    NO_SLOT, index_find, index_free, index_init, index_insert, index_prefetch, index_remove, prefetch,
)
from capture.memory cimport table_calloc, table_free
from capture.packet cimport PACKET_REASSEMBLED, PACKET_TRUNCATED, PROTOCOL_UDP, Endpoint, Packet
from capture.rtp cimport (
    RtpHeader, StaticFormat, rtcp_is_compound, rtcp_starts_here, rtp_header_bytes, rtp_read, static_format,
)
from capture.sdp cimport SDP_IMAGE, SDP_AUDIO, SDP_MAX_FORMATS, SDP_NAME_BYTES, SdpMedia
from kernels.expectations cimport Expectation, Expectations, Format
from kernels.recordings cimport LISTENED_PACKETS, Sound, is_voice, sound_digest, sound_hear
from kernels.stream_statistics cimport statistics_begin, statistics_jitter, statistics_sequence

cdef enum:
    MIN_CANDIDATES = 4096           # being proved at once; or as many as streams: all may be there at the start
    CALL_STREAMS = 32               # of one call; two are usual, and an attacker can make up SSRCs
    ENDPOINTS_A_CALL = 2            # offer and answer; room for all calls together, see Expectations
    # RFC 3550 A.1 asks for 2 where a session is known to be there. Here any UDP may pass, a quarter of random
    # bytes has version 2, and counters in other protocols are common: 4 in a row of one SSRC, see also _continues.
    MIN_SEQUENTIAL = 4
    MAX_CANDIDATE_GAP = 16          # packets lost in a row while a stream is being proved
    FIRST_EPHEMERAL_PORT = 1024     # RFC 6335 6: below are system ports, where media is never sent unannounced
    FIRST_DYNAMIC_TYPE = 96         # RFC 3551 6
    EVENT_BYTES = 4                 # RFC 4733 2.3: a telephone-event report
    MAX_CLOCK_HZ = 96000            # fastest clock of the registered audio and video formats in common use
    EVICTION_SAMPLE = 16            # slots looked at for the least recently heard (precedent: Redis samples 5)
    SWEEP_SLOTS = 4                 # slots looked at for silent streams with each new stream
    NO_PAYLOAD_TYPE = 255

cdef int64_t IDLE_NS = 60 * 1000000000          # a stream without a call is over after so long a silence
cdef int64_t SECOND_NS = 1000000000
STATUS_NAMES = {MEDIA_NONE: "none", MEDIA_RTP: "rtp", MEDIA_RTCP: "rtcp", MEDIA_CANDIDATE: "candidate"}


cdef inline bint _is_event_name(const char* name) noexcept nogil:
    """Formats that share a stream's SSRC and do not carry its clock evenly: RFC 4733 and RFC 3389."""
    return strcmp(name, b"TELEPHONE-EVENT") == 0 or strcmp(name, b"CN") == 0 or strcmp(name, b"TONE") == 0


cdef inline bint _continues(const Stream* stream, const RtpHeader* header, int64_t time_ns) noexcept nogil:
    """Whether a packet plausibly belongs beside a candidate's last: its sequence number is near, and its timestamp lies
    on the same side and no further than the time between them allows."""
    cdef int16_t ahead = <int16_t>(header.sequence - stream.max_sequence)
    cdef int32_t advanced = <int32_t>(header.timestamp - stream.last_timestamp)
    cdef double elapsed_s = <double>(time_ns - stream.last_ns) / SECOND_NS
    if ahead < 0:
        ahead = -ahead
        advanced = -advanced
    # One second of grace: packets of one burst share an arrival time.
    return 0 < ahead <= MAX_CANDIDATE_GAP and elapsed_s >= 0 and 0 <= advanced <= (elapsed_s + 1) * MAX_CLOCK_HZ


cdef inline bint _may_be_unannounced(const Packet* packet, const RtpHeader* header) noexcept nogil:
    """Whether RTP that no SDP told of could look like this."""
    if packet.source.port < FIRST_EPHEMERAL_PORT or packet.destination.port < FIRST_EPHEMERAL_PORT:
        return False
    if header.ssrc == 0 or header.payload_bytes == 0:      # RFC 3550 8: random, so 0 is no SSRC
        return False
    return header.payload_type >= FIRST_DYNAMIC_TYPE or static_format(header.payload_type).name[0] != 0


cdef class MediaTable:
    """All RTP streams, bounded.

    `streams`: proved streams kept at once, 256 bytes each, and room for as many candidates; `calls`: slots of the
    call table (call slots of `expect` and `first_stream` are below it); `secret` keys the hashes, random when not
    given.
    """

    def __cinit__(self, int32_t streams=16384, int32_t calls=65536, secret=None):
        cdef int32_t slot
        cdef int32_t candidates = max(streams, MIN_CANDIDATES)
        cdef int32_t total = streams + candidates
        if streams < 1 or calls < 1:
            raise ValueError("streams and calls must be at least 1")
        if secret is None:
            from secrets import randbits    # with all that it imports, only where it is needed
            secret = randbits(64)
        self.secret = secret
        self.capacity = streams
        self.candidates = candidates
        self.calls = calls
        self.expectations = Expectations(max(calls * ENDPOINTS_A_CALL, 64), calls, self.secret)
        self.first_of_call = <int32_t*>malloc(calls * sizeof(int32_t))
        self.streams = <Stream*>table_calloc(total, sizeof(Stream))
        if (self.first_of_call == NULL or index_init(&self.index, total) != 0
                or self.streams == NULL):
            raise MemoryError("no memory for the media table")
        for slot in range(calls):
            self.first_of_call[slot] = NO_SLOT
        self.free_slot = NO_SLOT
        for slot in range(PACKETS_AHEAD):
            self.waiting[slot].slot = NO_SLOT

    def __dealloc__(self):
        index_free(&self.index)
        table_free(self.streams)
        free(self.first_of_call)

    cdef void expect(self, int32_t call_slot, const SdpMedia* media, bint of_caller,
                     int64_t now_ns) noexcept nogil:
        self.expectations.add(call_slot, media, of_caller)

    cdef void take(self) noexcept nogil:
        cdef Waiting* waiting = &self.waiting[self.taken % PACKETS_AHEAD]
        cdef const Packet* packet = &waiting.packet
        cdef int32_t slot
        if not rtp_read(
                packet.payload, packet.payload_bytes, packet.flags & PACKET_TRUNCATED != 0, &waiting.header):
            self.catch_up()
            self._not_rtp(packet)
            return
        waiting.key = flow_key(packet, waiting.header.ssrc, self.secret)
        index_prefetch(&self.index, waiting.key)
        self.taken += 1
        if self.taken - self.counted > PACKETS_AHEAD // 2:      # this one's place in the index is there by now
            waiting = &self.waiting[(self.taken - PACKETS_AHEAD // 2) % PACKETS_AHEAD]
            slot = waiting.slot = index_find(&self.index, waiting.key)
            if slot != NO_SLOT:
                prefetch(&self.streams[slot])
                prefetch(&self.streams[slot].seen)
        if self.taken - self.counted == PACKETS_AHEAD:
            self._count_oldest()

    cdef void catch_up(self) noexcept nogil:
        while self.counted != self.taken:
            self._count_oldest()

    cdef void _count_oldest(self) noexcept nogil:
        cdef Waiting* waiting = &self.waiting[self.counted % PACKETS_AHEAD]
        self._count(self._slot(waiting), &waiting.packet, &waiting.header, waiting.key)
        waiting.slot = NO_SLOT
        self.counted += 1

    cdef int32_t _slot(self, const Waiting* waiting) noexcept nogil:
        """Of its stream, now: packets before it may have moved or removed it, or begun it."""
        cdef const Stream* stream
        if waiting.slot != NO_SLOT:
            stream = &self.streams[waiting.slot]
            if stream.live and stream.key == waiting.key:
                return waiting.slot
        return index_find(&self.index, waiting.key)

    cdef int packet(self, const Packet* packet) noexcept nogil:
        cdef RtpHeader header
        cdef uint64_t key
        if not rtp_read(packet.payload, packet.payload_bytes, packet.flags & PACKET_TRUNCATED != 0, &header):
            return self._not_rtp(packet)
        key = flow_key(packet, header.ssrc, self.secret)
        return self._count(index_find(&self.index, key), packet, &header, key)

    cdef int _count(self, int32_t slot, const Packet* packet, const RtpHeader* header, uint64_t key) noexcept nogil:
        if slot == NO_SLOT:
            return self._first_packet(packet, header, key)
        if slot >= self.capacity:
            return self._candidate_packet(slot, packet, header)
        if self.streams[slot].call_slot == NO_SLOT and self.streams[slot].generation != self.expectations.generation:
            self._look_for_call(slot)
        self.rtp_packets += 1
        self._known_packet(&self.streams[slot], packet, header)
        return MEDIA_RTP

    cdef void _known_packet(self, Stream* stream, const Packet* packet, const RtpHeader* header) noexcept nogil:
        cdef bint event = False
        if header.payload_type != stream.payload_type or header.payload_type == stream.event_type:
            event = self._is_event(stream, header)
            if event:
                stream.event_type = header.payload_type
            else:
                stream.event_type = NO_PAYLOAD_TYPE
                self._set_format(stream, header.payload_type)
        stream.payload_bytes = header.payload_bytes
        # What comes late, or twice, is passed over: a sound is in order.
        if stream.listens and <int16_t>(header.sequence - stream.max_sequence) > 0:
            self._hear(stream, packet, header)
        # Events repeat the timestamp of their start and comfort noise comes at will: neither tells the time.
        if statistics_sequence(stream, header.sequence, packet.time_ns) and not event:
            statistics_jitter(stream, header.timestamp, packet.time_ns)

    cdef int _first_packet(self, const Packet* packet, const RtpHeader* header, uint64_t key) noexcept nogil:
        """A packet of a stream that is not in the table."""
        cdef const Expectation* expectation = self._expectation(&packet.source, &packet.destination)
        cdef int32_t slot
        if expectation == NULL:
            if not _may_be_unannounced(packet, header):
                return MEDIA_NONE
        elif not expectation.is_rtp:
            return MEDIA_NONE
        elif self._format(&packet.source, &packet.destination, header.payload_type) != NULL:
            slot = self._allocate(packet.time_ns)
            self._begin(&self.streams[slot], key, packet, header)
            index_insert(&self.index, key, slot)
            self._adopt(slot, expectation.call_slot)
            self.streams[slot].listens = LISTENED_PACKETS
            self._hear(&self.streams[slot], packet, header)
            self.rtp_packets += 1
            return MEDIA_RTP
        slot = self.capacity + self.candidate_hand
        self.candidate_hand = (self.candidate_hand + 1) % self.candidates
        if self.streams[slot].live:
            index_remove(&self.index, self.streams[slot].key)
        self._begin(&self.streams[slot], key, packet, header)
        index_insert(&self.index, key, slot)
        return MEDIA_CANDIDATE

    cdef int _candidate_packet(self, int32_t slot, const Packet* packet, const RtpHeader* header) noexcept nogil:
        cdef Stream* stream = &self.streams[slot]
        cdef uint64_t key = stream.key
        cdef const Expectation* expectation = NULL
        if stream.generation != self.expectations.generation:
            expectation = self._expectation(&packet.source, &packet.destination)
            stream.generation = self.expectations.generation
            if expectation != NULL and not expectation.is_rtp:
                stream.live = False
                index_remove(&self.index, key)
                return MEDIA_NONE
        if header.sequence == stream.max_sequence and header.timestamp == stream.last_timestamp:
            stream.packets += 1                         # sent or captured twice: neither for nor against
            stream.duplicates += 1
            return MEDIA_CANDIDATE
        if not _continues(stream, header, packet.time_ns) or (
                header.payload_type != stream.payload_type and not self._is_event(stream, header)):
            self._begin(stream, key, packet, header)
            return MEDIA_CANDIDATE
        if header.timestamp != stream.last_timestamp:
            stream.timestamp_moved = True
        self._known_packet(stream, packet, header)
        # A constant where the timestamp would be is another protocol's, unless it is one long telephone event.
        if stream.packets - stream.duplicates < MIN_SEQUENTIAL or not (
                stream.timestamp_moved or stream.event_type == stream.payload_type):
            return MEDIA_CANDIDATE
        slot = self._promote(slot)
        self._look_for_call(slot)
        return MEDIA_RTP

    cdef void _hear(self, Stream* stream, const Packet* packet, const RtpHeader* header) noexcept nogil:
        """Tells the sound of a stream its next packet. Of what is cut by the capture, or put together from fragments,
        the payload is not there."""
        cdef const uint8_t* payload
        stream.listens -= 1
        if header.payload_type == stream.event_type or packet.flags & (PACKET_TRUNCATED | PACKET_REASSEMBLED):
            return
        payload = packet.payload + rtp_header_bytes(packet.payload)
        if is_voice(payload, header.payload_bytes) and not sound_hear(
                &stream.sound, payload, header.payload_bytes, self.secret):
            stream.listens = 0

    cdef int _not_rtp(self, const Packet* packet) noexcept nogil:
        """A datagram that is no RTP: RTCP, or nothing of media."""
        cdef Endpoint source, destination
        cdef const Expectation* expectation
        if not rtcp_starts_here(packet.payload, packet.payload_bytes):
            return MEDIA_NONE
        if not rtcp_is_compound(packet.payload, packet.payload_bytes, packet.flags & PACKET_TRUNCATED):
            # Reduced-size (RFC 5506) or encrypted behind its header (RFC 3711 3.4): only where a call is known to
            # have media, on the same port (RFC 5761) or the next (RFC 3550 11).
            expectation = self._expectation(&packet.source, &packet.destination)
            if expectation == NULL:
                source = packet.source
                destination = packet.destination
                source.port -= 1
                destination.port -= 1
                expectation = self._expectation(&source, &destination)
            if expectation == NULL or not expectation.is_rtp:
                return MEDIA_NONE
        self.rtcp_packets += 1
        return MEDIA_RTCP

    cdef const Expectation* _expectation(self, const Endpoint* source, const Endpoint* destination) noexcept nogil:
        """What the receiver's SDP says, else the sender's: only one may have been seen (symmetric RTP, RFC 4961)."""
        cdef const Expectation* found = self.expectations.find(destination)
        return found if found != NULL else self.expectations.find(source)

    cdef const Format* _format(
            self, const Endpoint* source, const Endpoint* destination, uint8_t payload_type) noexcept nogil:
        """What SDP calls a payload type: in the receiver's numbers (RFC 3264 5.1), else in the sender's."""
        cdef const Expectation* side = self.expectations.find(destination)
        cdef const Format* format = NULL
        if side != NULL:
            format = self.expectations.format_of(side, payload_type)
        if format == NULL:
            side = self.expectations.find(source)
            if side != NULL:
                format = self.expectations.format_of(side, payload_type)
        return format

    cdef bint _is_event(self, const Stream* stream, const RtpHeader* header) noexcept nogil:
        cdef const Format* format
        if header.payload_type < FIRST_DYNAMIC_TYPE:
            return _is_event_name(static_format(header.payload_type).name)
        format = self._format(&stream.source, &stream.destination, header.payload_type)
        if format != NULL:
            return _is_event_name(format.name)
        return header.payload_bytes == EVENT_BYTES      # no SDP: codecs of dynamic types do not have frames of 4 bytes

    cdef void _set_format(self, Stream* stream, uint8_t payload_type) noexcept nogil:
        """Names the codec and its clock, from SDP or RFC 3551. A clock that neither tells stays as it was: formats of
        one SSRC share it (RFC 3550 5.2), and redundancy or FEC come and go between packets."""
        cdef const Format* format = self._format(&stream.source, &stream.destination, payload_type)
        cdef const StaticFormat* fixed = static_format(payload_type)
        cdef uint32_t clock_hz = fixed.clock_hz
        cdef double scale
        memset(stream.codec, 0, SDP_NAME_BYTES)
        strncpy(stream.codec, fixed.name, SDP_NAME_BYTES - 1)
        if format != NULL and format.name[0] != 0:
            memcpy(stream.codec, format.name, SDP_NAME_BYTES)
            clock_hz = format.clock_hz
        stream.payload_type = payload_type
        if clock_hz == 0 or clock_hz == stream.clock_hz:
            return
        if stream.clock_hz != 0:
            scale = <double>clock_hz / stream.clock_hz
            stream.jitter_ticks *= scale
            stream.jitter_sum_ticks *= scale
            stream.jitter_max_ticks *= scale
        stream.clock_hz = clock_hz
        stream.ticks_per_ns = clock_hz / <double>SECOND_NS
        stream.has_reference = False                    # no difference between timestamps of two clocks

    cdef void _look_for_call(self, int32_t slot) noexcept nogil:
        """Gives a stream without a call to the call whose SDP names one of its endpoints, if there is one by now."""
        cdef Stream* stream = &self.streams[slot]
        cdef const Expectation* expectation = self._expectation(&stream.source, &stream.destination)
        stream.generation = self.expectations.generation
        if expectation != NULL and expectation.is_rtp:
            self._adopt(slot, expectation.call_slot)
            self._set_format(stream, stream.payload_type)

    cdef void _adopt(self, int32_t slot, int32_t call_slot) noexcept nogil:
        """Puts a stream last in its call's list; the first gives way when the list is too long."""
        cdef int32_t* link = &self.first_of_call[call_slot]
        cdef int length = 0
        while link[0] != NO_SLOT:
            link = &self.streams[link[0]].next_of_call
            length += 1
        link[0] = slot
        self.streams[slot].call_slot = call_slot
        self.streams[slot].next_of_call = NO_SLOT
        if length >= CALL_STREAMS:
            self._remove(self.first_of_call[call_slot])
            self.evicted += 1

    cdef void _begin(self, Stream* stream, uint64_t key, const Packet* packet, const RtpHeader* header) noexcept nogil:
        """Makes a slot the stream of its first packet. The slot is in no list and no index."""
        memset(stream, 0, sizeof(Stream))
        stream.key = key
        stream.source = packet.source
        stream.destination = packet.destination
        stream.ssrc = header.ssrc
        stream.call_slot = NO_SLOT
        stream.next_of_call = NO_SLOT
        stream.generation = self.expectations.generation
        stream.payload_bytes = header.payload_bytes
        stream.event_type = NO_PAYLOAD_TYPE
        stream.live = True
        self._set_format(stream, header.payload_type)
        statistics_begin(stream, header.sequence, packet.time_ns)
        stream.last_timestamp = header.timestamp
        if self._is_event(stream, header):
            stream.event_type = header.payload_type
        else:
            statistics_jitter(stream, header.timestamp, packet.time_ns)

    cdef int32_t _promote(self, int32_t candidate) noexcept nogil:
        """Moves a proved candidate to a slot of its own and counts all it has seen."""
        cdef Stream* proved = &self.streams[candidate]
        cdef int32_t slot = self._allocate(proved.last_ns)
        memcpy(&self.streams[slot], proved, sizeof(Stream))
        index_remove(&self.index, proved.key)
        index_insert(&self.index, proved.key, slot)
        proved.live = False
        self.streams[slot].listens = LISTENED_PACKETS
        self.rtp_packets += proved.packets
        return slot

    cdef int32_t _allocate(self, int64_t now_ns) noexcept nogil:
        """A slot for one more proved stream."""
        cdef int32_t slot
        if self.live > self.capacity // 2:
            self._sweep(now_ns)
        if self.live == self.capacity:
            self._make_room(now_ns)
        slot = self.free_slot
        if slot == NO_SLOT:
            slot = self.used_slots
            self.used_slots += 1
        else:
            self.free_slot = self.streams[slot].next_of_call
        self.live += 1
        self.rtp_streams += 1
        return slot

    cdef void _remove(self, int32_t slot) noexcept nogil:
        cdef Stream* stream = &self.streams[slot]
        cdef int32_t* link
        if stream.call_slot != NO_SLOT:
            link = &self.first_of_call[stream.call_slot]
            while link[0] != slot:
                link = &self.streams[link[0]].next_of_call
            link[0] = stream.next_of_call
        index_remove(&self.index, stream.key)
        stream.live = False
        stream.next_of_call = self.free_slot
        self.free_slot = slot
        self.live -= 1

    cdef void _make_room(self, int64_t now_ns) noexcept nogil:
        """Evicts the least recently heard of a sample: an exact order would cost every packet two cache lines more."""
        cdef int32_t victim = self.hand
        cdef int _
        for _ in range(EVICTION_SAMPLE):
            if self.streams[self.hand].last_ns < self.streams[victim].last_ns:
                victim = self.hand
            self.hand = (self.hand + 1) % self.capacity
        self._remove(victim)
        self.evicted += 1

    cdef void _sweep(self, int64_t now_ns) noexcept nogil:
        """Forgets streams without a call that have been silent. Only a filling table does so: a pause is not an end."""
        cdef Stream* stream
        cdef int _
        for _ in range(SWEEP_SLOTS):
            stream = &self.streams[self.hand]
            if stream.live and stream.call_slot == NO_SLOT and now_ns - stream.last_ns > IDLE_NS:
                self._remove(self.hand)
                self.expired += 1
            self.hand = (self.hand + 1) % self.capacity

    cdef int32_t first_stream(self, int32_t call_slot) noexcept nogil:
        return self.first_of_call[call_slot]

    cdef const Stream* stream(self, int32_t slot) noexcept nogil:
        return &self.streams[slot]

    cdef int64_t last_ns(self, int32_t call_slot) noexcept nogil:
        cdef int32_t slot = self.first_of_call[call_slot]
        cdef int64_t last_ns = 0
        while slot != NO_SLOT:
            last_ns = max(last_ns, self.streams[slot].last_ns)
            slot = self.streams[slot].next_of_call
        return last_ns

    cdef void listen(self, int32_t call_slot) noexcept nogil:
        cdef int32_t slot = self.first_of_call[call_slot]
        while slot != NO_SLOT:
            memset(&self.streams[slot].sound, 0, sizeof(Sound))
            self.streams[slot].listens = LISTENED_PACKETS
            slot = self.streams[slot].next_of_call

    cdef void release_call(self, int32_t call_slot) noexcept nogil:
        while self.first_of_call[call_slot] != NO_SLOT:
            self._remove(self.first_of_call[call_slot])
        self.expectations.release_call(call_slot)

    # The Python face: one packet or one media description at a time, for tests and tools.

    def feed(self, source, destination, const uint8_t[::1] payload, int64_t time_ns, bint truncated=False) -> str:
        """Takes one UDP datagram between (address text, port) pairs at nanoseconds since the epoch.

        What it was: "rtp" (counted to a stream), "rtcp", "candidate" (a stream that is not yet proved) or "none".
        """
        cdef Packet packet
        cdef uint8_t nothing = 0
        memset(&packet, 0, sizeof(Packet))
        packet.time_ns = time_ns
        packet.payload_bytes = <uint32_t>payload.shape[0]
        packet.payload = &payload[0] if payload.shape[0] > 0 else &nothing
        packet.protocol = PROTOCOL_UDP
        packet.flags = PACKET_TRUNCATED if truncated else 0
        packet.source = endpoint_from_pair(source)
        packet.destination = endpoint_from_pair(destination)
        return STATUS_NAMES[self.packet(&packet)]

    def expect_media(self, int32_t call_slot, endpoint, formats=(), bint is_rtp=True) -> None:
        """As if an SDP of a call had named `endpoint`; `formats`: (payload type, encoding name, clock in Hz)."""
        cdef SdpMedia media
        cdef bytes encoded
        cdef const char* text
        cdef int i
        if not 0 <= call_slot < self.calls or len(formats) > SDP_MAX_FORMATS:
            raise ValueError(f"call slot {call_slot} or number of formats {len(formats)} is out of range")
        memset(&media, 0, sizeof(SdpMedia))
        media.rtp = endpoint_from_pair(endpoint)
        media.kind = SDP_AUDIO if is_rtp else SDP_IMAGE
        media.is_rtp = is_rtp
        media.format_count = len(formats)
        for i, (payload_type, name, clock_hz) in enumerate(formats):
            media.formats[i].payload_type = payload_type
            media.formats[i].clock_hz = clock_hz
            encoded = name.upper().encode("ascii")
            text = encoded
            strncpy(media.formats[i].name, text, SDP_NAME_BYTES - 1)
        self.expect(call_slot, &media, True, 0)

    def release(self, int32_t call_slot) -> None:
        """Forgets a call: its streams and where it expected media."""
        if not 0 <= call_slot < self.calls:
            raise ValueError(f"call slot {call_slot} is out of range")
        self.release_call(call_slot)

    def list_streams(self, call_slot=None) -> list[dict]:
        """The proved streams, of one call (in order of appearance) or all. Endpoints as (text, port); jitter in ms is
        None without a clock; `codec` None when it has no name; `lost` may be negative (RFC 3550 A.3: duplicates)."""
        cdef int32_t slot
        found = []
        if call_slot is None:
            for slot in range(self.capacity):
                if self.streams[slot].live:
                    found.append(_describe(&self.streams[slot]))
        elif 0 <= call_slot < self.calls:
            slot = self.first_stream(call_slot)
            while slot != NO_SLOT:
                found.append(_describe(&self.streams[slot]))
                slot = self.streams[slot].next_of_call
        return found

    @property
    def counters(self) -> dict[str, int]:
        """Totals since the table was made."""
        return {
            "rtp_packets": self.rtp_packets, "rtcp_packets": self.rtcp_packets, "rtp_streams": self.rtp_streams,
            "evicted": self.evicted, "expired": self.expired,
            "expectations_evicted": self.expectations.evicted, "formats_unnamed": self.expectations.unnamed,
        }

    @property
    def stream_bytes(self) -> int:
        """Memory of one stream."""
        return sizeof(Stream)


cdef dict _describe(const Stream* stream):
    cdef double ms_a_tick = 1000.0 / stream.clock_hz if stream.clock_hz != 0 else 0
    timed = stream.clock_hz != 0
    return {
        "source": endpoint_to_pair(&stream.source),
        "destination": endpoint_to_pair(&stream.destination),
        "ssrc": stream.ssrc,
        "call_slot": stream.call_slot if stream.call_slot != NO_SLOT else None,
        "payload_type": stream.payload_type,
        "codec": (<const char*>stream.codec).decode("ascii", "replace") or None,
        "clock_hz": stream.clock_hz,
        "packets": stream.packets,
        "expected": stream.expected,
        "lost": <int64_t>stream.expected - <int64_t>stream.packets,
        "duplicates": stream.duplicates,
        "reordered": stream.reordered,
        "restarts": stream.restarts,
        "jitter_ticks": stream.jitter_ticks,
        "jitter_ms": stream.jitter_ticks * ms_a_tick if timed else None,
        "jitter_max_ms": stream.jitter_max_ticks * ms_a_tick if timed else None,
        "jitter_mean_ms": (
            stream.jitter_sum_ticks / stream.jitter_samples * ms_a_tick if timed and stream.jitter_samples else None
        ),
        "first_ns": stream.first_ns,
        "last_ns": stream.last_ns,
        "sound": sound_digest(&stream.sound) or None,
    }
