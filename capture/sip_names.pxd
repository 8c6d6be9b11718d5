# cython: language_level=3
"""Names that the reader knows: header fields with their compact forms, and methods."""
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcmp

from capture.sip cimport *
from capture.sip_text cimport same_name


cdef inline uint8_t compact_kind(uint8_t letter) noexcept nogil:
    """Compact forms (IANA, SIP Parameters, Header Fields) of the kinds that are read."""
    letter |= 0x20
    if letter == c'v': return HEADER_VIA
    if letter == c'f': return HEADER_FROM
    if letter == c't': return HEADER_TO
    if letter == c'i': return HEADER_CALL_ID
    if letter == c'm': return HEADER_CONTACT
    if letter == c'l': return HEADER_CONTENT_LENGTH
    if letter == c'c': return HEADER_CONTENT_TYPE
    if letter == c'e': return HEADER_CONTENT_ENCODING
    if letter == c'k': return HEADER_SUPPORTED
    if letter == c'y': return HEADER_IDENTITY
    return HEADER_OTHER


cdef inline uint8_t usual_kind(const uint8_t* line, uint32_t* name_length) noexcept nogil:
    """The kind of a line whose name is one of the usual ones and is followed by its colon, else HEADER_OTHER.

    `line` has at least 16 bytes. Nine lines of ten end here, without a search for the colon.
    """
    cdef uint8_t first = line[0] | 0x20
    if first == c'c':
        if same_name(line, b"content-", 8):
            if same_name(line + 8, b"length:", 7):
                name_length[0] = 14
                return HEADER_CONTENT_LENGTH
            if same_name(line + 8, b"type:", 5):
                name_length[0] = 12
                return HEADER_CONTENT_TYPE
        elif same_name(line, b"call-id:", 8):
            name_length[0] = 7
            return HEADER_CALL_ID
        elif same_name(line, b"contact:", 8):
            name_length[0] = 7
            return HEADER_CONTACT
        elif same_name(line, b"cseq:", 5):
            name_length[0] = 4
            return HEADER_CSEQ
    elif first == c'v':
        if same_name(line, b"via:", 4):
            name_length[0] = 3
            return HEADER_VIA
    elif first == c'f':
        if same_name(line, b"from:", 5):
            name_length[0] = 4
            return HEADER_FROM
    elif first == c't':
        if same_name(line, b"to:", 3):
            name_length[0] = 2
            return HEADER_TO
    elif first == c'm':
        if same_name(line, b"max-forwards:", 13):
            name_length[0] = 12
            return HEADER_MAX_FORWARDS
    elif first == c'u':
        if same_name(line, b"user-agent:", 11):
            name_length[0] = 10
            return HEADER_USER_AGENT
    elif first == c'a':
        if same_name(line, b"allow:", 6):
            name_length[0] = 5
            return HEADER_ALLOW
    elif first == c's':
        if same_name(line, b"supported:", 10):
            name_length[0] = 9
            return HEADER_SUPPORTED
        if same_name(line, b"server:", 7):
            name_length[0] = 6
            return HEADER_SERVER
    return HEADER_OTHER


cdef inline uint8_t header_kind(const uint8_t* name, uint32_t length) noexcept nogil:
    """The SipHeader of a field name, which is a token. Case does not matter (RFC 3261 7.3.1)."""
    if length == 1:
        return compact_kind(name[0])
    if length == 2:
        if same_name(name, b"to", 2): return HEADER_TO
    elif length == 3:
        if same_name(name, b"via", 3): return HEADER_VIA
    elif length == 4:
        if same_name(name, b"from", 4): return HEADER_FROM
        if same_name(name, b"cseq", 4): return HEADER_CSEQ
        if same_name(name, b"date", 4): return HEADER_DATE
    elif length == 5:
        if same_name(name, b"allow", 5): return HEADER_ALLOW
        if same_name(name, b"route", 5): return HEADER_ROUTE
    elif length == 6:
        if same_name(name, b"server", 6): return HEADER_SERVER
        if same_name(name, b"reason", 6): return HEADER_REASON
    elif length == 7:
        if same_name(name, b"call-id", 7): return HEADER_CALL_ID
        if same_name(name, b"contact", 7): return HEADER_CONTACT
        if same_name(name, b"expires", 7): return HEADER_EXPIRES
        if same_name(name, b"privacy", 7): return HEADER_PRIVACY
        if same_name(name, b"require", 7): return HEADER_REQUIRE
        if same_name(name, b"warning", 7): return HEADER_WARNING
    elif length == 8:
        if same_name(name, b"identity", 8): return HEADER_IDENTITY
    elif length == 9:
        if same_name(name, b"supported", 9): return HEADER_SUPPORTED
        if same_name(name, b"diversion", 9): return HEADER_DIVERSION
    elif length == 10:
        if same_name(name, b"user-agent", 10): return HEADER_USER_AGENT
    elif length == 12:
        if same_name(name, b"max-forwards", 12): return HEADER_MAX_FORWARDS
        if same_name(name, b"content-type", 12): return HEADER_CONTENT_TYPE
        if same_name(name, b"record-route", 12): return HEADER_RECORD_ROUTE
        if same_name(name, b"history-info", 12): return HEADER_HISTORY_INFO
    elif length == 13:
        if same_name(name, b"authorization", 13): return HEADER_AUTHORIZATION
    elif length == 14:
        if same_name(name, b"content-length", 14): return HEADER_CONTENT_LENGTH
    elif length == 15:
        if same_name(name, b"remote-party-id", 15): return HEADER_REMOTE_PARTY_ID
    elif length == 16:
        if same_name(name, b"www-authenticate", 16): return HEADER_WWW_AUTHENTICATE
        if same_name(name, b"content-encoding", 16): return HEADER_CONTENT_ENCODING
    elif length == 18:
        if same_name(name, b"proxy-authenticate", 18): return HEADER_PROXY_AUTHENTICATE
    elif length == 19:
        if same_name(name, b"p-asserted-identity", 19): return HEADER_P_ASSERTED_IDENTITY
        if same_name(name, b"proxy-authorization", 19): return HEADER_PROXY_AUTHORIZATION
        if same_name(name, b"content-disposition", 19): return HEADER_CONTENT_DISPOSITION
    elif length == 20:
        if same_name(name, b"p-preferred-identity", 20): return HEADER_P_PREFERRED_IDENTITY
    return HEADER_OTHER


cdef inline uint8_t method_kind(const uint8_t* name, uint32_t length) noexcept nogil:
    """The SipMethod of a method name. Case matters (RFC 3261 7.1): `invite` is an extension method."""
    if length == 3:
        if memcmp(name, b"ACK", 3) == 0: return METHOD_ACK
        if memcmp(name, b"BYE", 3) == 0: return METHOD_BYE
    elif length == 4:
        if memcmp(name, b"INFO", 4) == 0: return METHOD_INFO
    elif length == 5:
        if memcmp(name, b"PRACK", 5) == 0: return METHOD_PRACK
        if memcmp(name, b"REFER", 5) == 0: return METHOD_REFER
    elif length == 6:
        if memcmp(name, b"INVITE", 6) == 0: return METHOD_INVITE
        if memcmp(name, b"CANCEL", 6) == 0: return METHOD_CANCEL
        if memcmp(name, b"UPDATE", 6) == 0: return METHOD_UPDATE
        if memcmp(name, b"NOTIFY", 6) == 0: return METHOD_NOTIFY
    elif length == 7:
        if memcmp(name, b"OPTIONS", 7) == 0: return METHOD_OPTIONS
        if memcmp(name, b"MESSAGE", 7) == 0: return METHOD_MESSAGE
        if memcmp(name, b"PUBLISH", 7) == 0: return METHOD_PUBLISH
    elif length == 8:
        if memcmp(name, b"REGISTER", 8) == 0: return METHOD_REGISTER
    elif length == 9:
        if memcmp(name, b"SUBSCRIBE", 9) == 0: return METHOD_SUBSCRIBE
    return METHOD_UNKNOWN
