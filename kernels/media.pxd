# cython: language_level=3
"""RTP streams: which there are, whose they are, what they lost and how they jitter (RFC 3550)."""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from capture.index cimport Index
from capture.packet cimport Endpoint, Packet
from capture.rtp cimport RtpHeader
from capture.sdp cimport SDP_NAME_BYTES, SdpMedia
from kernels.expectations cimport Expectation, Expectations, Format
from kernels.recordings cimport Sound

cdef enum MediaStatus:
    MEDIA_RTP = 1           # counted to a stream
    MEDIA_RTCP = 2
    MEDIA_CANDIDATE = 3     # looks like RTP of a stream that is not yet proved
    MEDIA_NONE = 0

cdef struct Stream:
    # First cache line: all that a packet in order reads and writes, but for the second line's sums.
    int64_t last_ns
    int64_t arrival_ns       # of the last packet that told the time: the reference of the next D (RFC 3550 6.4.1)
    uint64_t packets
    uint64_t expected        # RFC 3550 A.3
    double jitter_ticks      # RFC 3550 A.8
    double ticks_per_ns      # 0 when the clock is not known
    uint32_t last_timestamp
    uint16_t max_sequence    # RFC 3550 A.1 max_seq
    uint8_t payload_type
    uint8_t event_type       # payload type of telephone-event or comfort noise, NO_PAYLOAD_TYPE when not seen
    uint32_t bad_sequence    # RFC 3550 A.1 bad_seq
    uint32_t generation      # of the expectations, when they were last asked about this stream
    # Second line
    uint64_t seen            # bit n: max_sequence - n has arrived
    double jitter_sum_ticks  # of the running jitter after each packet, for its mean
    double jitter_max_ticks
    uint32_t jitter_samples
    uint32_t duplicates
    uint32_t reordered
    uint32_t restarts        # jumps of the sequence number that were taken for a new start (RFC 3550 A.1)
    int32_t call_slot        # NO_SLOT for a stream without signalling
    int32_t next_of_call     # next stream of the same call, NO_SLOT at the end; next free slot when free
    uint64_t key
    uint32_t payload_bytes   # of the last packet
    uint8_t has_reference    # arrival_ns and last_timestamp hold a packet
    uint8_t timestamp_moved  # more than one timestamp was seen
    uint8_t live
    uint8_t listens          # to so many packets more at most, for its sound
    # Third
    uint32_t ssrc
    uint32_t clock_hz
    Endpoint source
    Endpoint destination
    int64_t first_ns
    # Fourth
    char codec[SDP_NAME_BYTES]
    Sound sound              # from the answer on when that was seen
    uint8_t padding[8]       # to four whole cache lines


cdef enum:
    PACKETS_AHEAD = 8       # between the moment at which memory is asked for a packet's stream, and that of its use

cdef struct Waiting:        # an RTP packet that is still to be counted
    Packet packet           # its payload is gone when it was put together
    RtpHeader header
    uint64_t key
    int32_t slot            # where its stream was when memory was asked for it, or NO_SLOT


@cython.final
cdef class MediaTable:
    # An SDP of a call, of the caller's side or of the other, names an endpoint where media is expected.
    cdef void expect(self, int32_t call_slot, const SdpMedia* media, bint of_caller, int64_t now_ns) noexcept nogil
    # A UDP datagram that is not SIP. Of what was decoded into `place`, `take` counts what is RTP a few packets later,
    # or with `catch_up`, which has to come before anything else is asked or told; `packet` counts at once.
    cdef inline Packet* place(self) noexcept nogil:
        return &self.waiting[self.taken % PACKETS_AHEAD].packet
    cdef void take(self) noexcept nogil
    # What was decoded into places has to stay valid until then, but for a payload that was put together.
    cdef void catch_up(self) noexcept nogil
    cdef int packet(self, const Packet* packet) noexcept nogil
    cdef int32_t first_stream(self, int32_t call_slot) noexcept nogil
    cdef const Stream* stream(self, int32_t slot) noexcept nogil
    # When a packet of the call's streams was heard last, 0 for never.
    cdef int64_t last_ns(self, int32_t call_slot) noexcept nogil
    # The call is answered: what its streams sound like counts from now on.
    cdef void listen(self, int32_t call_slot) noexcept nogil
    # The call is about to be forgotten: its streams and expectations go with it.
    cdef void release_call(self, int32_t call_slot) noexcept nogil
    # Totals since the table was made.
    cdef uint64_t rtp_packets       # of proved streams
    cdef uint64_t rtcp_packets
    cdef uint64_t rtp_streams       # ever proved
    cdef uint64_t evicted           # streams that made room for others while they might still have been alive
    cdef uint64_t expired           # streams without a call that had been silent

    # the rest is the kernel's own
    cdef Index index
    cdef Stream* streams            # `capacity` proved streams, then `candidates` that are being proved
    cdef int32_t* first_of_call
    cdef readonly Expectations expectations
    cdef uint64_t secret
    cdef int32_t capacity
    cdef int32_t candidates
    cdef int32_t calls
    cdef int32_t live
    cdef int32_t free_slot          # the slot that was freed last, NO_SLOT when none is
    cdef int32_t used_slots         # slots from here on were never used
    cdef int32_t hand               # where the search for a stream to evict goes on
    cdef int32_t candidate_hand
    cdef Waiting waiting[PACKETS_AHEAD]
    cdef uint32_t taken             # packets that ever waited
    cdef uint32_t counted           # and no longer do
    cdef int32_t _slot(self, const Waiting* waiting) noexcept nogil
    cdef void _count_oldest(self) noexcept nogil
    cdef int _count(self, int32_t slot, const Packet* packet, const RtpHeader* header, uint64_t key) noexcept nogil
    cdef int _first_packet(self, const Packet* packet, const RtpHeader* header, uint64_t key) noexcept nogil
    cdef int _candidate_packet(self, int32_t slot, const Packet* packet, const RtpHeader* header) noexcept nogil
    cdef void _known_packet(self, Stream* stream, const Packet* packet, const RtpHeader* header) noexcept nogil
    cdef void _hear(self, Stream* stream, const Packet* packet, const RtpHeader* header) noexcept nogil
    cdef int _not_rtp(self, const Packet* packet) noexcept nogil
    cdef const Expectation* _expectation(self, const Endpoint* source, const Endpoint* destination) noexcept nogil
    cdef const Format* _format(
        self, const Endpoint* source, const Endpoint* destination, uint8_t payload_type) noexcept nogil
    cdef bint _is_event(self, const Stream* stream, const RtpHeader* header) noexcept nogil
    cdef void _set_format(self, Stream* stream, uint8_t payload_type) noexcept nogil
    cdef void _look_for_call(self, int32_t slot) noexcept nogil
    cdef void _adopt(self, int32_t slot, int32_t call_slot) noexcept nogil
    cdef void _begin(self, Stream* stream, uint64_t key, const Packet* packet, const RtpHeader* header) noexcept nogil
    cdef int32_t _promote(self, int32_t candidate) noexcept nogil
    cdef int32_t _allocate(self, int64_t now_ns) noexcept nogil
    cdef void _remove(self, int32_t slot) noexcept nogil
    cdef void _make_room(self, int64_t now_ns) noexcept nogil
    cdef void _sweep(self, int64_t now_ns) noexcept nogil
