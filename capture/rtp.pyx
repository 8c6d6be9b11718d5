# cython: language_level=3
"""RTP and RTCP headers (RFC 3550), and what else shares their ports (RFC 7983)."""
from libc.stdint cimport uint8_t, uint32_t

cdef enum:
    STATIC_TYPES = 128           # a payload type has seven bits
    RTCP_SR = 200                # RFC 3550 12.1
    RTCP_RR = 201

# RFC 3551 6, tables 4 and 5: encoding name and clock rate. G722 is 8000 by decree (4.5.2); 19 is the
# comfort noise of drafts before RFC 3389, still sent by old gateways.
STATIC_FORMATS = {
    0: (b"PCMU", 8000), 3: (b"GSM", 8000), 4: (b"G723", 8000), 5: (b"DVI4", 8000), 6: (b"DVI4", 16000),
    7: (b"LPC", 8000), 8: (b"PCMA", 8000), 9: (b"G722", 8000), 10: (b"L16", 44100), 11: (b"L16", 44100),
    12: (b"QCELP", 8000), 13: (b"CN", 8000), 14: (b"MPA", 90000), 15: (b"G728", 8000), 16: (b"DVI4", 11025),
    17: (b"DVI4", 22050), 18: (b"G729", 8000), 19: (b"CN", 8000), 25: (b"CELB", 90000), 26: (b"JPEG", 90000),
    28: (b"NV", 90000), 31: (b"H261", 90000), 32: (b"MPV", 90000), 33: (b"MP2T", 90000), 34: (b"H263", 90000),
}
PROTOCOL_NAMES = ("other", "stun", "zrtp", "dtls", "turn", "rtp or rtcp")

cdef StaticFormat[STATIC_TYPES] formats


def _fill_formats() -> None:
    cdef int payload_type
    for payload_type in range(STATIC_TYPES):
        formats[payload_type].clock_hz = 0
        formats[payload_type].name = b""
    for payload_type, (name, clock_hz) in STATIC_FORMATS.items():
        formats[payload_type].clock_hz = clock_hz
        formats[payload_type].name = <bytes>name     # owned by STATIC_FORMATS, which lives as long as the module


_fill_formats()


cdef const StaticFormat* static_format(uint8_t payload_type) noexcept nogil:
    """What RFC 3551 says of a payload type without help from SDP; an empty name when it says nothing."""
    return &formats[payload_type & 0x7f]


cdef int media_protocol(uint8_t first_byte) noexcept nogil:
    if first_byte <= 3:
        return PROTOCOL_STUN
    if 16 <= first_byte <= 19:
        return PROTOCOL_ZRTP
    if 20 <= first_byte <= 63:
        return PROTOCOL_DTLS
    if 64 <= first_byte <= 79:
        return PROTOCOL_TURN
    if 128 <= first_byte <= 191:
        return PROTOCOL_RTP_OR_RTCP
    return PROTOCOL_OTHER


cdef bint rtp_read_general(const uint8_t* data, uint32_t length, bint truncated, RtpHeader* header) noexcept nogil:
    """The checks of RFC 3550 A.1 for a packet with CSRC list, extension or padding; `rtp_read` calls this."""
    cdef uint32_t start = RTP_HEADER_BYTES + 4 * <uint32_t>(data[0] & 0x0f)
    cdef uint32_t padding = 0
    if data[0] & 0x10:                               # 5.3.1: 16 bits of profile, 16 bits of length in words
        if start + 4 > length:
            return False
        start += 4 + 4 * <uint32_t>read_be16(data + start + 2)
    if start > length:
        return False
    if data[0] & 0x20 and not truncated:             # 5.1: the last octet counts itself
        padding = data[length - 1]
        if padding == 0 or start + padding > length:
            return False
    header.payload_bytes = length - start - padding
    return True


cdef bint rtcp_is_compound(const uint8_t* data, uint32_t length, bint truncated) noexcept nogil:
    """RFC 3550 A.2: starts with an unpadded SR or RR, and the lengths of its packets add up to the datagram's.

    Strong enough to know RTCP without signalling. `truncated`: the last packet may lack its end.
    """
    cdef uint32_t at = 0
    cdef int _
    if length < RTCP_HEADER_BYTES or data[0] & 0xe0 != 0x80 or not RTCP_SR <= data[1] <= RTCP_RR:
        return False
    for _ in range(RTCP_MAX_PACKETS):
        if at + 4 > length:
            return truncated
        if data[at] >> 6 != 2 or not RTCP_FIRST_TYPE <= data[at + 1] <= RTCP_LAST_TYPE:
            return False
        at += 4 * (<uint32_t>read_be16(data + at + 2) + 1)
        if at == length:
            return True
        if at > length:
            return truncated
    return False


def protocol(const uint8_t[::1] datagram) -> str:
    """Which protocol of RFC 7983 the first byte of a datagram on a media port says it is: one of PROTOCOL_NAMES."""
    return PROTOCOL_NAMES[media_protocol(datagram[0])] if datagram.shape[0] > 0 else "other"


def read(const uint8_t[::1] datagram, bint truncated=False) -> dict | None:
    """The fields of an RTP packet (RFC 3550 5.1), None when it is not a valid one."""
    cdef RtpHeader header
    if datagram.shape[0] == 0 or not rtp_read(&datagram[0], <uint32_t>datagram.shape[0], truncated, &header):
        return None
    return {
        "marker": bool(header.marker), "payload_type": header.payload_type, "sequence": header.sequence,
        "timestamp": header.timestamp, "ssrc": header.ssrc, "payload_bytes": header.payload_bytes,
    }


def is_rtcp(const uint8_t[::1] datagram, bint truncated=False) -> bool:
    """Whether a datagram is a compound RTCP packet by RFC 3550 A.2."""
    return datagram.shape[0] > 0 and rtcp_is_compound(&datagram[0], <uint32_t>datagram.shape[0], truncated)
