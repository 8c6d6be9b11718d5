# cython: language_level=3
"""Messages of the Homer Encapsulation Protocol (HEP/EEP), revision 3.

Source: "The Extensible Encapsulation Protocol, HEP/EEP, revision 3" (github.com/sipcapture/HEP). A message is "HEP3",
its length, and chunks of a vendor, a type, a length and a value; a chunk that is not known is passed over, and of two
of a kind the last holds. What matters here: addresses, ports, the moment, and the payload, which is one whole SIP
message whatever transport it came by.

Revisions 1 and 2 are recognised, and counted as what they are: they carry no authentication and too little time.
"""
from libc.stdint cimport uint16_t
from libc.string cimport memcmp, memset

from capture.endpoints cimport endpoint_to_pair
from capture.packet cimport address_from_v4, address_from_v6, read_be16, read_be32

cdef enum ChunkType:                # of vendor 0
    CHUNK_IP_PROTOCOL = 0x0002
    CHUNK_SOURCE_V4 = 0x0003
    CHUNK_DESTINATION_V4 = 0x0004
    CHUNK_SOURCE_V6 = 0x0005
    CHUNK_DESTINATION_V6 = 0x0006
    CHUNK_SOURCE_PORT = 0x0007
    CHUNK_DESTINATION_PORT = 0x0008
    CHUNK_SECONDS = 0x0009
    CHUNK_MICROSECONDS = 0x000a
    CHUNK_PAYLOAD_TYPE = 0x000b
    CHUNK_AGENT_ID = 0x000c
    CHUNK_KEY = 0x000e
    CHUNK_PAYLOAD = 0x000f
    CHUNK_COMPRESSED = 0x0010

cdef enum:
    CHUNK_BYTES = 6                 # vendor, type, length
    PAYLOAD_SIP = 1
    # What of a message has been met.
    MET_SOURCE = 1
    MET_DESTINATION = 2
    MET_NEEDED = MET_SOURCE | MET_DESTINATION

_STATUS_NAMES = {
    HEP_SIP: "sip", HEP_NEED_MORE: "need_more", HEP_OTHER: "other", HEP_COMPRESSED: "compressed", HEP_OLD: "old",
    HEP_MALFORMED: "malformed",
}


cdef inline bint is_old(const uint8_t* data, uint32_t length) noexcept nogil:
    """Revision 1 or 2: version, length of the header, which says the family (2 or 10), and that family."""
    return length >= 3 and (data[0] == 1 or data[0] == 2) and 16 <= data[1] <= 64 and (data[2] == 2 or data[2] == 10)


cdef int hep_length(const uint8_t* data, uint32_t length) noexcept nogil:
    cdef int total
    if memcmp(data, b"HEP3", min(length, 4)) != 0:
        return -1
    if length < HEP_HEADER_BYTES:
        return 0
    total = read_be16(data + 4)
    return total if total >= HEP_HEADER_BYTES else -1


cdef int hep_read(const uint8_t* data, uint32_t length, HepMessage* message) noexcept nogil:
    cdef int total = hep_length(data, length)
    cdef uint32_t at = HEP_HEADER_BYTES
    cdef uint32_t chunk_bytes
    cdef uint32_t microseconds = 0
    cdef uint32_t seconds = 0
    cdef uint16_t kind
    cdef int met = 0
    cdef bint compressed = False
    cdef const uint8_t* value
    if total < 0:
        return HEP_OLD if is_old(data, length) else HEP_MALFORMED
    if total == 0 or <uint32_t>total > length:
        return HEP_NEED_MORE
    memset(message, 0, sizeof(HepMessage))
    message.bytes = <uint32_t>total
    while at < <uint32_t>total:
        if <uint32_t>total - at < CHUNK_BYTES:
            return HEP_MALFORMED
        chunk_bytes = read_be16(data + at + 4)
        if chunk_bytes < CHUNK_BYTES or chunk_bytes > <uint32_t>total - at:
            return HEP_MALFORMED
        kind = read_be16(data + at + 2) if read_be16(data + at) == 0 else 0
        value = data + at + CHUNK_BYTES
        at += chunk_bytes
        chunk_bytes -= CHUNK_BYTES
        if kind == CHUNK_PAYLOAD:
            message.payload = value
            message.payload_bytes = chunk_bytes
        elif kind == CHUNK_COMPRESSED:
            compressed = True
        elif kind == CHUNK_KEY:
            message.key = value
            message.key_bytes = chunk_bytes
        elif chunk_bytes == 1:
            if kind == CHUNK_IP_PROTOCOL:
                message.ip_protocol = value[0]
            elif kind == CHUNK_PAYLOAD_TYPE:
                message.payload_type = value[0]
        elif chunk_bytes == 2:
            if kind == CHUNK_SOURCE_PORT:
                message.source.port = read_be16(value)
            elif kind == CHUNK_DESTINATION_PORT:
                message.destination.port = read_be16(value)
        elif chunk_bytes == 4:
            if kind == CHUNK_SOURCE_V4:
                address_from_v4(&message.source.address, value)
                met |= MET_SOURCE
            elif kind == CHUNK_DESTINATION_V4:
                address_from_v4(&message.destination.address, value)
                met |= MET_DESTINATION
            elif kind == CHUNK_SECONDS:
                seconds = read_be32(value)
            elif kind == CHUNK_MICROSECONDS:
                microseconds = read_be32(value)
            elif kind == CHUNK_AGENT_ID:
                message.agent_id = read_be32(value)
        elif chunk_bytes == 16:
            if kind == CHUNK_SOURCE_V6:
                address_from_v6(&message.source.address, value)
                met |= MET_SOURCE
            elif kind == CHUNK_DESTINATION_V6:
                address_from_v6(&message.destination.address, value)
                met |= MET_DESTINATION
    message.time_ns = <int64_t>seconds * 1_000_000_000 + <int64_t>microseconds * 1000
    if message.payload_type != PAYLOAD_SIP:
        return HEP_OTHER
    if message.payload == NULL and compressed:
        return HEP_COMPRESSED
    return HEP_SIP if message.payload != NULL and met == MET_NEEDED else HEP_MALFORMED


def read(const uint8_t[::1] data not None) -> dict:
    """One message as a dict: `status` ("sip", "need_more", "other", "compressed", "old", "malformed"), and when it is
    "sip" `bytes`, `time_ns`, `source` and `destination` (address, port), `ip_protocol`, `agent_id`, `key` (bytes or
    None), `payload`."""
    cdef HepMessage message
    cdef int status = hep_read(&data[0], <uint32_t>data.shape[0], &message) if data.shape[0] else <int>HEP_NEED_MORE
    result = {"status": _STATUS_NAMES[status]}
    if status == HEP_SIP:
        result |= {
            "bytes": message.bytes,
            "time_ns": message.time_ns,
            "source": endpoint_to_pair(&message.source),
            "destination": endpoint_to_pair(&message.destination),
            "ip_protocol": message.ip_protocol,
            "agent_id": message.agent_id,
            "key": None if message.key == NULL else (<const char*>message.key)[:message.key_bytes],
            "payload": (<const char*>message.payload)[:message.payload_bytes],
        }
    return result
