# cython: language_level=3
"""Reading the host of a Contact header field."""
from libc.stdint cimport uint32_t, uint64_t

from capture.hashing cimport hash_bytes
from capture.scan cimport find_byte
from capture.sip cimport (
    HEADER_CONTACT, SIP_MESSAGE, HeaderField, SipMessage, SipUri, Span, sip_read_datagram, sip_uri_read,
)


cdef uint64_t contact_host(const SipMessage* message, uint64_t secret) noexcept nogil:
    cdef int i = message.first[<int>HEADER_CONTACT]
    cdef const HeaderField* field
    cdef uint32_t start, end
    cdef SipUri uri
    cdef uint64_t hashed
    if i < 0:
        return 0
    field = &message.fields[i]
    end = field.value_start + field.value_length
    start = find_byte(message.data, field.value_start, end, c'<')
    if start < end:                                     # name-addr: the URI is between angle brackets
        start += 1
        end = find_byte(message.data, start, end, c'>')
    else:                                               # addr-spec: parameters are those of the header field
        start = field.value_start
        end = find_byte(message.data, start, end, c';')
    if not sip_uri_read(message.data, Span(start, end - start), &uri) or uri.host.length == 0:
        return 0
    hashed = hash_bytes(message.data + uri.host.start, uri.host.length, secret)
    return hashed if hashed else 1


def contact_hash(bytes message, uint64_t secret=0):
    """The hash of a message's Contact host, 0 when it has none. Raises ValueError when it is no SIP message."""
    cdef SipMessage read
    if sip_read_datagram(message, <uint32_t>len(message), &read) != SIP_MESSAGE:
        raise ValueError("not a SIP message")
    return contact_host(&read, secret)
