# cython: language_level=3
"""SIP messages (RFC 3261): the reader that finds one in bytes, and the parts of it that the appliance uses.

All positions are offsets from `SipMessage.data`; nothing is copied. The message is valid as long as the
bytes are.
"""
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from capture.index cimport Index

cdef enum SipStatus:
    SIP_MESSAGE = 1         # a whole message; `bytes` says how long it is
    SIP_NEED_MORE = 0       # stream only: a message may begin here and has not ended; `bytes` is the least
                            # length at which asking again can give another answer
    SIP_MALFORMED = -1      # has a SIP start line (`kind`, `method`, `status_code` are set, so that it is counted)
                            # and no usable rest; error_* say how, `bytes` how much to skip
    SIP_OTHER = -2          # has no SIP start line

cdef enum SipKind:
    SIP_REQUEST = 1
    SIP_RESPONSE = 2

cdef enum SipMethod:
    METHOD_UNKNOWN = 0      # an extension method: see `method_name`
    METHOD_INVITE = 1
    METHOD_ACK = 2
    METHOD_BYE = 3
    METHOD_CANCEL = 4
    METHOD_REGISTER = 5
    METHOD_OPTIONS = 6
    METHOD_PRACK = 7        # RFC 3262
    METHOD_UPDATE = 8       # RFC 3311
    METHOD_REFER = 9        # RFC 3515
    METHOD_SUBSCRIBE = 10   # RFC 6665
    METHOD_NOTIFY = 11
    METHOD_MESSAGE = 12     # RFC 3428
    METHOD_INFO = 13        # RFC 6086
    METHOD_PUBLISH = 14     # RFC 3903

cdef enum SipHeader:
    HEADER_OTHER = 0
    HEADER_VIA = 1
    HEADER_FROM = 2
    HEADER_TO = 3
    HEADER_CALL_ID = 4
    HEADER_CSEQ = 5
    HEADER_CONTACT = 6
    HEADER_RECORD_ROUTE = 7
    HEADER_ROUTE = 8
    HEADER_MAX_FORWARDS = 9
    HEADER_CONTENT_LENGTH = 10
    HEADER_CONTENT_TYPE = 11
    HEADER_CONTENT_ENCODING = 12
    HEADER_CONTENT_DISPOSITION = 13
    HEADER_AUTHORIZATION = 14
    HEADER_PROXY_AUTHORIZATION = 15
    HEADER_P_ASSERTED_IDENTITY = 16   # RFC 3325
    HEADER_P_PREFERRED_IDENTITY = 17
    HEADER_REMOTE_PARTY_ID = 18
    HEADER_DIVERSION = 19             # RFC 5806
    HEADER_HISTORY_INFO = 20          # RFC 7044
    HEADER_IDENTITY = 21              # RFC 8224
    HEADER_REASON = 22                # RFC 3326
    HEADER_USER_AGENT = 23
    HEADER_SERVER = 24
    HEADER_PRIVACY = 25               # RFC 3323
    HEADER_ALLOW = 26
    HEADER_SUPPORTED = 27
    HEADER_REQUIRE = 28
    HEADER_EXPIRES = 29
    HEADER_WWW_AUTHENTICATE = 30
    HEADER_PROXY_AUTHENTICATE = 31
    HEADER_DATE = 32
    HEADER_WARNING = 33
    HEADER_KINDS = 34

cdef enum SipProblem:       # what the reader itself notices; the same numbers and names as capture/sip_errors.py
    SIP_NO_PROBLEM = 0
    SIP_HEADER_NOT_ENDED = 1
    SIP_BAD_HEADER_LINE = 2
    SIP_TOO_MANY_FIELDS = 3
    SIP_MISSING_CALL_ID = 4
    SIP_MISSING_CSEQ = 5
    SIP_MISSING_FROM = 6
    SIP_MISSING_TO = 7
    SIP_MISSING_VIA = 8
    SIP_BAD_CSEQ = 9
    SIP_BAD_CONTENT_LENGTH = 10
    SIP_CONTENT_LENGTHS_DIFFER = 11
    SIP_BODY_CUT = 12
    SIP_BAD_URI = 13
    SIP_HEADER_TOO_LONG = 14
    SIP_BODY_TOO_LONG = 15

cdef enum:
    # What a stream may claim before it is no longer waited for. A SIP message that fits UDP is below 64 KiB;
    # precedent: OpenSIPS tcp_max_msg_size 65536, Kamailio tcp_rd_buf_size 16384 by default.
    MAX_HEADER_BYTES = 65536
    MAX_BODY_BYTES = 1048576
    MAX_HEADER_FIELDS = 128  # precedent: Kamailio 100-odd by memory, OpenSIPS likewise; more is an attack

cdef struct Span:
    uint32_t start
    uint32_t length

cdef struct HeaderField:
    uint32_t name_start
    uint32_t value_start     # first byte of the value, leading white space skipped
    uint32_t value_length    # trailing white space cut; folded lines still hold their line ends
    uint16_t name_length
    uint8_t kind             # SipHeader
    uint8_t folded           # the value spans lines

cdef struct SipUri:
    Span scheme
    Span user                # without password; empty when absent
    Span host                # IPv6 references without their brackets
    uint16_t port            # 0 when absent

# A look into a large table waits for memory as long as half a message takes to read. So its place is asked for as soon
# as the Call-ID is there.
cdef struct Lookup:
    const Index* index
    uint64_t secret

cdef struct SipMessage:
    const uint8_t* data
    uint32_t bytes           # of the whole message, body included
    uint8_t kind             # SipKind
    uint8_t method           # SipMethod: of the request line, or of the CSeq of a response
    uint16_t status_code     # responses, else 0
    Span method_name
    Span request_uri
    Span reason_phrase
    uint32_t cseq
    Span cseq_method         # empty when the CSeq is absent or broken
    Span call_id
    Span branch              # of the topmost Via
    Span from_tag
    Span to_tag              # empty when absent
    SipUri request           # parts of the Request-URI (requests)
    SipUri from_uri
    SipUri to_uri
    Span body
    int64_t content_length   # as said by the header field, -1 when absent
    uint8_t truncated        # a datagram shorter than its Content-Length
    uint16_t field_count
    int16_t first[HEADER_KINDS]      # index in `fields` of the first field of a kind, -1 when absent
    HeaderField fields[MAX_HEADER_FIELDS]
    uint32_t error_offset
    uint16_t error           # SipError of capture/sip_errors.py, 0 when none
    uint16_t reserved
    const Lookup* lookup     # where the Call-ID will be looked up, or NULL
    uint64_t call_id_key     # of `lookup`, else 0

# One UDP datagram holds one message (RFC 3261 18.3): never SIP_NEED_MORE. A start line with any use left in the
# rest is a SIP_MESSAGE, `error` then says what is wrong with it.
cdef int sip_read_datagram(const uint8_t* data, uint32_t length, SipMessage* message) noexcept nogil
# The same for who will look the Call-ID up.
cdef int sip_read_for(const uint8_t* data, uint32_t length, const Lookup* lookup, SipMessage* message) noexcept nogil
# The first message of a byte stream, framed by Content-Length (RFC 3261 18.3; absent or broken: no body). Line ends
# before the start line (RFC 3261 7.5, RFC 5626 3.5.1 keep-alives) are skipped and are part of `bytes`.
cdef int sip_read_stream(const uint8_t* data, uint32_t length, SipMessage* message) noexcept nogil
# Whether a whole SIP start line is the first line of the data (the end of the data ends the line, too).
cdef bint sip_starts_here(const uint8_t* data, uint32_t length) noexcept nogil
# The parts of a URI; False when it is not one. Schemes other than sip, sips and tel give the scheme only;
# the user of a tel URI is its number.
cdef bint sip_uri_read(const uint8_t* data, Span whole, SipUri* uri) noexcept nogil
# Where the session description is: the body, or the application/sdp part of a multipart body (RFC 5621).
cdef bint sip_sdp_body(const SipMessage* message, Span* body) noexcept nogil
