# cython: language_level=3
"""RTP streams: which there are, whose they are, what they lost and how they jitter (RFC 3550)."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from capture.packet cimport Endpoint, Packet
from capture.sdp cimport SDP_NAME_BYTES, SdpMedia

cdef enum MediaStatus:
    MEDIA_RTP = 1           # counted to a stream
    MEDIA_RTCP = 2
    MEDIA_CANDIDATE = 3     # looks like RTP of a stream that is not yet proved
    MEDIA_NONE = 0

cdef struct Stream:
    uint64_t key
    Endpoint source
    Endpoint destination
    uint32_t ssrc
    int32_t call_slot       # NO_SLOT for a stream without signalling
    int32_t next_of_call    # next stream of the same call, NO_SLOT at the end
    uint64_t packets
    uint64_t expected       # RFC 3550 A.3
    double jitter_ticks     # RFC 3550 A.8
    uint32_t clock_hz
    uint8_t payload_type
    char codec[SDP_NAME_BYTES]
    int64_t first_ns
    int64_t last_ns
    # the rest is the kernel's own

cdef class MediaTable:
    # An SDP of a call names an endpoint where media is expected.
    cdef void expect(self, int32_t call_slot, const SdpMedia* media, int64_t now_ns) noexcept nogil
    # A UDP datagram that is not SIP.
    cdef int packet(self, const Packet* packet) noexcept nogil
    cdef int32_t first_stream(self, int32_t call_slot) noexcept nogil
    cdef const Stream* stream(self, int32_t slot) noexcept nogil
    # The call is about to be forgotten: its streams and expectations go with it.
    cdef void release_call(self, int32_t call_slot) noexcept nogil
