# cython: language_level=3
"""Session descriptions (RFC 8866), as far as finding and naming media needs them."""
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from capture.packet cimport Endpoint

cdef enum:
    SDP_MAX_MEDIA = 8
    SDP_MAX_FORMATS = 16
    SDP_NAME_BYTES = 16

cdef enum SdpMediaKind:
    SDP_OTHER = 0
    SDP_AUDIO = 1
    SDP_VIDEO = 2
    SDP_IMAGE = 3           # T.38 over UDPTL: not RTP

cdef struct SdpFormat:
    uint8_t payload_type
    uint32_t clock_hz       # 0 when neither rtpmap nor RFC 3551 says
    char name[SDP_NAME_BYTES]        # encoding name, upper case, NUL-terminated

cdef struct SdpMedia:
    Endpoint rtp            # port 0: declined or held
    Endpoint rtcp           # RFC 3605 a=rtcp, else the next port; RFC 5761 a=rtcp-mux: the same
    uint8_t kind            # SdpMediaKind
    uint8_t is_rtp          # RTP/AVP, RTP/SAVP, ...
    uint8_t format_count
    SdpFormat formats[SDP_MAX_FORMATS]

cdef struct SdpSession:
    uint8_t media_count
    SdpMedia media[SDP_MAX_MEDIA]

cdef enum:
    SDP_HABITS = 256

cdef struct SdpHabit:       # how one text behind the port of a media description reads
    uint64_t key            # keyed hash of the text, 0 for none
    uint8_t is_rtp
    uint8_t format_count
    SdpFormat formats[SDP_MAX_FORMATS]

# A telephone describes its media in the same words every time, address and port apart: they are read once. All zero but
# for the secret, which keys the hashes, is the empty memory.
cdef struct SdpMemory:
    uint64_t secret
    SdpHabit habits[SDP_HABITS]

# How many media descriptions were read, up to SDP_MAX_MEDIA; -1 when the text does not begin with v=0. A media
# description whose connection address is a host name, or is missing, has the unspecified address (::). `memory` may be
# NULL: it makes no difference to what is read.
cdef int sdp_read(const uint8_t* data, uint32_t length, SdpSession* session, SdpMemory* memory) noexcept nogil
