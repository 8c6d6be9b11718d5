# cython: language_level=3
"""What a message says of credentials (RFC 3261 22), as far as a mirror can tell, and of what transaction it is."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from capture.hashing cimport hash_bytes, hash_mix
from capture.sip cimport (
    HEADER_AUTHORIZATION, HEADER_PROXY_AUTHENTICATE, HEADER_PROXY_AUTHORIZATION, HEADER_WWW_AUTHENTICATE, HeaderField,
    SipMessage,
)
from capture.sip_text cimport CLASS, WHITE, same_name


cdef inline bint brings_credentials(const SipMessage* message) noexcept nogil:
    """RFC 3261 22: to the user agent server, a registrar too, or to a proxy."""
    return message.first[<int>HEADER_AUTHORIZATION] >= 0 or message.first[<int>HEADER_PROXY_AUTHORIZATION] >= 0


cdef inline uint64_t transaction_key(const SipMessage* message, uint64_t secret) noexcept nogil:
    """Clients of RFC 2543 have no branch, but a Call-ID and a CSeq number for each request (RFC 3261 17.2.3)."""
    cdef uint64_t call_id = hash_bytes(message.data + message.call_id.start, message.call_id.length, secret)
    return hash_mix(
        call_id + message.cseq, hash_bytes(message.data + message.branch.start, message.branch.length, secret))


cdef inline bint says_stale(const SipMessage* message) noexcept nogil:
    """A challenge with `stale=true`: the password was right, and only the nonce too old (RFC 2617 3.2.1)."""
    cdef int at = message.first[<int>HEADER_WWW_AUTHENTICATE]
    if at < 0:
        at = message.first[<int>HEADER_PROXY_AUTHENTICATE]
    return at >= 0 and holds_stale(message.data + message.fields[at].value_start, message.fields[at].value_length)


cdef inline bint holds_stale(const uint8_t* value, uint32_t length) noexcept nogil:
    """The parameter may have white space around its equals sign, and quotes that no grammar gives it."""
    cdef uint32_t at, i
    for at in range(length):
        if length - at < 10 or not same_name(value + at, b"stale", 5):
            continue
        i = at + 5
        while i < length and (CLASS[value[i]] & WHITE or value[i] == b"=" or value[i] == b'"'):
            i += 1
        return length - i >= 4 and same_name(value + i, b"true", 4)
    return False
