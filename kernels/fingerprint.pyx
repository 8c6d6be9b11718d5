# cython: language_level=3
"""Reads the marks of the software that wrote an INVITE.

The marks of the GoIP firmware are public: the vendor's user manual (v1.4B, page 63) and analyses of the firmware
GHSFVT-1.1 agree on its list of methods and on decimal tags and branches; the name and origin of its sessions and the
header X-ACrypt are from the firmware. None of the shapes alone is proof: honest telephones write decimals, too.

What a proxy adds or a single call brings (routes, credentials, identities) does not enter the fingerprint, nor does
the agent string, nor that there is one.
"""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memset

from capture.hashing cimport hash_bytes, hash_mix
from capture.scan cimport find_byte
from capture.sip cimport (
    HEADER_ALLOW, HEADER_AUTHORIZATION, HEADER_DATE, HEADER_DIVERSION, HEADER_HISTORY_INFO, HEADER_IDENTITY,
    HEADER_OTHER, HEADER_P_ASSERTED_IDENTITY, HEADER_P_PREFERRED_IDENTITY, HEADER_PRIVACY,
    HEADER_PROXY_AUTHORIZATION, HEADER_REASON, HEADER_RECORD_ROUTE, HEADER_REMOTE_PARTY_ID, HEADER_ROUTE,
    HEADER_SERVER, HEADER_USER_AGENT, HEADER_WARNING, SIP_MESSAGE, HeaderField, SipMessage, Span, sip_read_datagram,
    sip_sdp_body,
)
from capture.sip_text cimport same_name

SHAPE_NAMES = ("none", "decimal", "digits", "hex", "uuid", "word", "other")
HOST_NAMES = ("none", "ipv4", "other")
ALLOW_NAMES = ("none", "other", "goip")
SESSION_NAMES = ("none", "blank", "named", "goip")
CLAIM_NAMES = ("none", "fits", "contradicted")

cdef enum:
    UUID_BYTES = 36
    MAX_SHAPE_BYTES = 64        # of an identifier; what follows tells no more
    MAX_NAME_BYTES = 32         # of a session's name
    MAX_SDP_LINES = 12          # v, o, s, i, u, e, p, c, b, t and what stands before the first m
    SEED = 0x51

cdef extern from *:
    """
    #include <stdint.h>
    enum { SW_IS_DIGIT = 1, SW_LOWER_HEX = 2, SW_UPPER_HEX = 4, SW_LETTER = 8, SW_DASH = 16, SW_MARK = 32 };
    static const uint8_t sw_shape_class[256] = {
        [0 ... 255] = SW_MARK,
        ['0' ... '9'] = SW_IS_DIGIT, ['a' ... 'f'] = SW_LOWER_HEX, ['A' ... 'F'] = SW_UPPER_HEX,
        ['g' ... 'z'] = SW_LETTER, ['G' ... 'Z'] = SW_LETTER, ['-'] = SW_DASH,
    };
    static const char sw_goip_methods[] =
        "INVITE,ACK,BYE,CANCEL,OPTIONS,NOTIFY,REFER,REGISTER,MESSAGE,INFO,SUBSCRIBE";
    /* Products whose tags are never decimal numbers, by their sources (Asterisk's chan_sip and PJSIP, sofia-sip) or as
       their INVITEs in public captures show. */
    struct sw_product { const char *name; uint8_t length; };
    static const struct sw_product sw_products[] = {
        {"Asterisk", 8}, {"FPBX", 4}, {"FreeSWITCH", 10}, {"PJSUA", 5}, {"MicroSIP", 8}, {"Polycom", 7},
        {"Cisco-SIPGateway", 16}, {"snom", 4}, {0, 0},
    };
    """
    enum:
        IS_DIGIT "SW_IS_DIGIT"
        LOWER_HEX "SW_LOWER_HEX"
        UPPER_HEX "SW_UPPER_HEX"
        LETTER "SW_LETTER"
        DASH "SW_DASH"
        MARK "SW_MARK"
    const uint8_t* SHAPE_CLASS "sw_shape_class"
    const char* GOIP_METHODS "sw_goip_methods"
    cdef struct Product "sw_product":
        const char* name
        uint8_t length
    const Product* PRODUCTS "sw_products"

cdef extern from *:
    """
    #define SW_BIT(kind) (1ull << (kind))
    #define SW_FNV_PRIME 0x100000001b3ull
    """
    const uint64_t FNV_PRIME "SW_FNV_PRIME"     # of FNV-1a with 64 bits
    uint64_t bit "SW_BIT"(int kind) noexcept nogil

# What a proxy, a credential or one call adds. The rest is the client's habit.
cdef uint64_t NOT_STYLE = (
    bit(HEADER_ROUTE) | bit(HEADER_RECORD_ROUTE) | bit(HEADER_AUTHORIZATION) | bit(HEADER_PROXY_AUTHORIZATION)
    | bit(HEADER_P_ASSERTED_IDENTITY) | bit(HEADER_P_PREFERRED_IDENTITY) | bit(HEADER_REMOTE_PARTY_ID)
    | bit(HEADER_DIVERSION) | bit(HEADER_HISTORY_INFO) | bit(HEADER_IDENTITY) | bit(HEADER_REASON)
    | bit(HEADER_USER_AGENT) | bit(HEADER_SERVER) | bit(HEADER_PRIVACY) | bit(HEADER_DATE) | bit(HEADER_WARNING)
)


# -- identifiers ----------------------------------------------------------------------------------------------

cdef bint fits_32_bits(const uint8_t* digits, uint32_t length) noexcept nogil:
    """As printed: a leading zero is that of a text which only happens to have no letters."""
    if digits[0] == c'0':
        return length == 1
    return length < 10 or (length == 10 and memcmp(digits, b"4294967295", 10) <= 0)


cdef bint is_uuid(const uint8_t* text) noexcept nogil:
    cdef int i
    for i in range(UUID_BYTES):
        if (SHAPE_CLASS[text[i]] == DASH) != (i == 8 or i == 13 or i == 18 or i == 23):
            return False
    return True


cdef uint8_t text_shape(const uint8_t* text, uint32_t length) noexcept nogil:
    cdef uint32_t i
    cdef uint8_t classes = 0
    if length == 0:
        return SHAPE_NONE
    for i in range(min(length, <uint32_t>MAX_SHAPE_BYTES)):
        classes |= SHAPE_CLASS[text[i]]
    if classes == IS_DIGIT:
        return SHAPE_DECIMAL if fits_32_bits(text, length) else SHAPE_DIGITS
    if not classes & ~(IS_DIGIT | LOWER_HEX) or not classes & ~(IS_DIGIT | UPPER_HEX):
        return SHAPE_HEX
    if length == UUID_BYTES and not classes & (LETTER | MARK) and is_uuid(text):
        return SHAPE_UUID
    return SHAPE_OTHER if classes & (DASH | MARK) else SHAPE_WORD


cdef uint8_t host_shape(const uint8_t* host, uint32_t length) noexcept nogil:
    """`host` is behind the at sign: dotted decimals, or something else."""
    cdef uint32_t i
    cdef int dots = 0
    for i in range(length):
        dots += host[i] == c'.'
        if SHAPE_CLASS[host[i]] != IS_DIGIT and host[i] != c'.':
            return HOST_OTHER
    return HOST_IPV4 if dots == 3 else HOST_OTHER


cdef uint8_t branch_shape(const uint8_t* branch, uint32_t length) noexcept nogil:
    """Without the magic cookie of RFC 3261 8.1.1.7 it is RFC 2543's, which promised nothing."""
    if length < 7 or memcmp(branch, b"z9hG4bK", 7) != 0:
        return SHAPE_NONE if length == 0 else SHAPE_OTHER
    return text_shape(branch + 7, length - 7)


cdef void read_call_id(const SipMessage* message, Signalling* signalling) noexcept nogil:
    cdef const uint8_t* text = message.data + message.call_id.start
    cdef uint32_t length = message.call_id.length
    cdef uint32_t local = find_byte(text, 0, length, c'@')
    signalling.call_id = text_shape(text, local)
    signalling.call_id_host = host_shape(text + local + 1, length - local - 1) if local < length else HOST_NONE


# -- header fields --------------------------------------------------------------------------------------------

cdef bint is_goip_methods(const uint8_t* value, uint32_t length) noexcept nogil:
    """Whatever white space is between them."""
    cdef uint32_t i
    cdef int at = 0
    for i in range(length):
        if value[i] <= c' ':
            continue
        if value[i] != <uint8_t>GOIP_METHODS[at]:       # also at the end of the list
            return False
        at += 1
    return GOIP_METHODS[at] == 0


cdef uint64_t read_fields(const SipMessage* message, Signalling* signalling) noexcept nogil:
    """A hash of the order of header fields. Repeated neighbours count once: proxies add to them."""
    cdef const HeaderField* field
    cdef const uint8_t* name
    cdef uint64_t order = SEED
    cdef uint64_t token, before = 0
    cdef int i
    for i in range(message.field_count):
        field = &message.fields[i]
        if NOT_STYLE >> field.kind & 1:
            continue
        token = <uint64_t>field.kind << 1 | (field.name_length == 1)
        if field.kind == HEADER_OTHER:
            name = message.data + field.name_start
            token = <uint64_t>field.name_length << 24 | <uint64_t>(name[0] | 0x20) << 16 | \
                <uint64_t>(name[field.name_length - 1] | 0x20) << 8
            if field.name_length == 8 and same_name(name, b"x-acrypt", 8):
                signalling.acrypt = 1
                continue
        if token != before:
            order = (order ^ token) * FNV_PRIME
        before = token
    return order


cdef uint64_t read_allow(const SipMessage* message, Signalling* signalling) noexcept nogil:
    cdef int i = message.first[<int>HEADER_ALLOW]
    cdef const HeaderField* field
    if i < 0:
        return 0
    field = &message.fields[i]
    signalling.allow = ALLOW_OTHER
    if is_goip_methods(message.data + field.value_start, field.value_length):
        signalling.allow = ALLOW_GOIP
    return hash_bytes(message.data + field.value_start, field.value_length, SEED)


cdef void read_claim(const SipMessage* message, Signalling* signalling) noexcept nogil:
    """Whether the agent claims a product that does not write what this INVITE holds."""
    cdef int i = message.first[<int>HEADER_USER_AGENT]
    cdef const HeaderField* field
    cdef const Product* product = PRODUCTS
    cdef const uint8_t* agent
    if i < 0:
        return
    field = &message.fields[i]
    agent = message.data + field.value_start
    while product.name != NULL:
        if field.value_length >= product.length and agent[0] == <uint8_t>product.name[0] and \
                memcmp(agent, product.name, product.length) == 0:
            signalling.agent = CLAIM_FITS
            if signalling.tag == SHAPE_DECIMAL or signalling.allow == ALLOW_GOIP or signalling.session == SESSION_GOIP:
                signalling.agent = CLAIM_CONTRADICTED
            return
        product += 1


# -- the session description ----------------------------------------------------------------------------------

cdef inline bint is_line(const uint8_t* line, uint32_t length, const char* text, uint32_t text_length) noexcept nogil:
    return length == text_length and memcmp(line, text, length) == 0


cdef uint64_t read_name(const uint8_t* line, uint32_t length, Signalling* signalling) noexcept nogil:
    """The name as far as its first digit: what follows may be a version or a counter."""
    cdef uint32_t at = 0
    if is_line(line, length, b"DBL Session", 11):
        signalling.session = SESSION_GOIP
    elif signalling.session != SESSION_GOIP and length > 0 and line[0] != c'-' and line[0] != c' ':
        signalling.session = SESSION_NAMED
    while at < length and at < <uint32_t>MAX_NAME_BYTES and SHAPE_CLASS[line[at]] != IS_DIGIT:
        at += 1
    return hash_bytes(line, at, SEED)


cdef uint64_t read_origin(const uint8_t* line, uint32_t length, Signalling* signalling) noexcept nogil:
    """The kind of character that the user name begins with: the name itself may be a subscriber's."""
    if length > 24 and line[0] == c'u' and memcmp(line, b"userX 20000001 20000001 ", 24) == 0:
        signalling.session = SESSION_GOIP
    return SHAPE_CLASS[line[0]] if length > 0 else 0


cdef uint64_t read_session(const SipMessage* message, Signalling* signalling) noexcept nogil:
    """A hash of origin, name, and the order of the codecs of the first medium."""
    cdef Span body
    cdef const uint8_t* data = message.data
    cdef uint32_t at, end, stop, length
    cdef uint64_t style = SEED
    cdef int _line
    body = message.body
    if body.length < 3:
        return 0
    if memcmp(data + body.start, b"v=0", 3) != 0 and not sip_sdp_body(message, &body):
        return 0
    signalling.session = SESSION_BLANK
    at = body.start
    end = body.start + body.length
    for _line in range(MAX_SDP_LINES):
        stop = find_byte(data, at, end, c'\n')
        length = stop - at
        if length > 0 and data[stop - 1] == c'\r':
            length -= 1
        if length >= 2 and data[at + 1] == c'=':
            if data[at] == c's':
                style = hash_mix(style, read_name(data + at + 2, length - 2, signalling))
            elif data[at] == c'o':
                style = hash_mix(style, read_origin(data + at + 2, length - 2, signalling))
            elif data[at] == c'm':
                return hash_mix(style, read_codecs(data + at, length))
        if stop == end:
            break
        at = stop + 1
    return style


cdef uint64_t read_codecs(const uint8_t* line, uint32_t length) noexcept nogil:
    """Everything of an m= line but the port, its second word."""
    cdef uint32_t port = find_byte(line, 0, length, c' ')
    cdef uint32_t rest = find_byte(line, port + 1, length, c' ')
    return hash_bytes(line, port, hash_bytes(line + rest, length - rest, SEED)) if rest < length else 0


# -- the whole ------------------------------------------------------------------------------------------------

cdef void signalling_read(const SipMessage* message, Signalling* signalling) noexcept nogil:
    cdef uint64_t style
    memset(signalling, 0, sizeof(Signalling))
    signalling.branch = branch_shape(message.data + message.branch.start, message.branch.length)
    signalling.tag = text_shape(message.data + message.from_tag.start, message.from_tag.length)
    read_call_id(message, signalling)
    style = hash_mix(read_fields(message, signalling), read_allow(message, signalling))
    style = hash_mix(style, read_session(message, signalling))
    style = hash_mix(style, (<uint64_t>signalling.branch << 24) | (<uint64_t>signalling.tag << 16)
                     | (<uint64_t>signalling.call_id << 8) | signalling.call_id_host)
    signalling.fingerprint = style if style != 0 else 1
    read_claim(message, signalling)


def signalling(bytes message):
    """The marks of an INVITE: dict of the fields of Signalling, shapes by name, `fingerprint` as an int.

    message: a SIP message as it is in a datagram. Raises ValueError when it is none.
    """
    cdef SipMessage read
    cdef Signalling found
    if sip_read_datagram(message, <uint32_t>len(message), &read) != SIP_MESSAGE:
        raise ValueError("not a SIP message")
    signalling_read(&read, &found)
    return {
        "fingerprint": found.fingerprint,
        "branch": SHAPE_NAMES[found.branch],
        "tag": SHAPE_NAMES[found.tag],
        "call_id": SHAPE_NAMES[found.call_id],
        "call_id_host": HOST_NAMES[found.call_id_host],
        "allow": ALLOW_NAMES[found.allow],
        "session": SESSION_NAMES[found.session],
        "agent": CLAIM_NAMES[found.agent],
        "acrypt": bool(found.acrypt),
    }


def shape(bytes text):
    """One of SHAPE_NAMES for an identifier."""
    cdef const uint8_t* data = text
    return SHAPE_NAMES[text_shape(data, <uint32_t>len(text))]
