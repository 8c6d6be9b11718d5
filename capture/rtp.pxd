# cython: language_level=3
"""RTP and RTCP headers (RFC 3550), and what else shares their ports (RFC 7983)."""
from libc.stdint cimport uint8_t, uint16_t, uint32_t

from capture.packet cimport read_be16, read_be32

cdef enum:
    RTP_HEADER_BYTES = 12        # RFC 3550 5.1, without CSRC list and extension
    RTCP_HEADER_BYTES = 8        # RFC 3550 6.4: with the SSRC of the sender
    RTCP_FIRST_TYPE = 192        # RFC 5761 4: packet types that no RTP payload type may look like
    RTCP_LAST_TYPE = 223
    RTCP_MAX_PACKETS = 64        # of one compound; more cannot be useful in 1500 bytes

cdef enum MediaProtocol:         # RFC 7983 7, figure 3: by the first byte
    PROTOCOL_OTHER = 0
    PROTOCOL_STUN = 1            # 0..3
    PROTOCOL_ZRTP = 2            # 16..19
    PROTOCOL_DTLS = 3            # 20..63
    PROTOCOL_TURN = 4            # 64..79
    PROTOCOL_RTP_OR_RTCP = 5     # 128..191

cdef struct RtpHeader:
    uint32_t ssrc
    uint32_t timestamp
    uint32_t payload_bytes       # without CSRC list, extension and padding
    uint16_t sequence
    uint8_t payload_type
    uint8_t marker

cdef struct StaticFormat:        # RFC 3551 6, tables 4 and 5
    uint32_t clock_hz            # 0: not assigned, or dynamic
    const char* name

cdef int media_protocol(uint8_t first_byte) noexcept nogil
cdef const StaticFormat* static_format(uint8_t payload_type) noexcept nogil
cdef bint rtp_read_general(const uint8_t* data, uint32_t length, bint truncated, RtpHeader* header) noexcept nogil
cdef bint rtcp_is_compound(const uint8_t* data, uint32_t length, bint truncated) noexcept nogil


cdef inline uint32_t rtp_header_bytes(const uint8_t* data) noexcept nogil:
    """Where the payload of a packet begins that `rtp_read` has taken: behind CSRC list and extension."""
    cdef uint32_t start = RTP_HEADER_BYTES + 4 * <uint32_t>(data[0] & 0x0f)
    return start + 4 + 4 * <uint32_t>read_be16(data + start + 2) if data[0] & 0x10 else start


cdef inline bint rtcp_starts_here(const uint8_t* data, uint32_t length) noexcept nogil:
    """An RTCP packet by version and packet type, compound or reduced-size (RFC 5506). Where media is."""
    return (length >= RTCP_HEADER_BYTES and data[0] >> 6 == 2
            and RTCP_FIRST_TYPE <= data[1] <= RTCP_LAST_TYPE)


cdef inline bint rtp_read(const uint8_t* data, uint32_t length, bint truncated, RtpHeader* header) noexcept nogil:
    """Fills `header` from a valid RTP packet (RFC 3550 A.1, the checks that need no state).

    `truncated`: the capture cut the packet, so its end says nothing about padding.
    """
    if length < RTP_HEADER_BYTES or data[0] >> 6 != 2 or RTCP_FIRST_TYPE <= data[1] <= RTCP_LAST_TYPE:
        return False
    header.marker = data[1] >> 7
    header.payload_type = data[1] & 0x7f
    header.sequence = read_be16(data + 2)
    header.timestamp = read_be32(data + 4)
    header.ssrc = read_be32(data + 8)
    header.payload_bytes = length - RTP_HEADER_BYTES
    if data[0] == 0x80:          # version 2 and nothing else: nearly every packet
        return True
    return rtp_read_general(data, length, truncated, header)
