# cython: language_level=3
"""How an INVITE is signalled: marks of the software that wrote it, which a changed agent string leaves alone."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from capture.sip cimport SipMessage

cdef enum TextShape:            # of a tag, of a branch behind its magic cookie, of a Call-ID before its at sign
    SHAPE_NONE = 0              # absent or empty
    SHAPE_DECIMAL = 1           # a decimal number below 2^32, without leading zeros
    SHAPE_DIGITS = 2            # other digits
    SHAPE_HEX = 3               # with letters of one case
    SHAPE_UUID = 4              # RFC 9562
    SHAPE_WORD = 5              # letters and digits
    SHAPE_OTHER = 6

cdef enum HostShape:            # of a Call-ID behind its at sign
    HOST_NONE = 0
    HOST_IPV4 = 1
    HOST_OTHER = 2

cdef enum AllowShape:
    ALLOW_NONE = 0
    ALLOW_OTHER = 1
    ALLOW_GOIP = 2              # the methods of the GoIP firmware in its order

cdef enum SessionShape:         # of the session description
    SESSION_NONE = 0            # there is none
    SESSION_BLANK = 1           # the session is named `-` or not at all
    SESSION_NAMED = 2
    SESSION_GOIP = 3            # named, or its origin numbered, as by the GoIP firmware

cdef enum AgentClaim:
    CLAIM_NONE = 0              # names no product of the list
    CLAIM_FITS = 1
    CLAIM_CONTRADICTED = 2

cdef struct Signalling:         # 16 bytes; all zero: the first INVITE was not seen
    uint64_t fingerprint        # the same on every box, never 0: order of header fields, of methods and of codecs,
                                # shapes of identifiers and of the session description
    uint8_t branch              # TextShape
    uint8_t tag
    uint8_t call_id
    uint8_t call_id_host        # HostShape
    uint8_t allow               # AllowShape
    uint8_t session             # SessionShape
    uint8_t agent               # AgentClaim
    uint8_t acrypt              # has the GoIP's header X-ACrypt

# Of an INVITE without a To tag.
cdef void signalling_read(const SipMessage* message, Signalling* signalling) noexcept nogil
cdef uint8_t text_shape(const uint8_t* text, uint32_t length) noexcept nogil
