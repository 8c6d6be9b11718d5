# cython: language_level=3
"""A packet as the rest of the appliance sees it: who, to whom, when, and the transport payload."""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from capture.hashing cimport hash_mix

cdef extern from "endian.h" nogil:
    uint64_t htobe64(uint64_t)

cdef enum:
    PROTOCOL_TCP = 6        # IANA protocol numbers
    PROTOCOL_UDP = 17

cdef enum PacketFlag:
    PACKET_TRUNCATED = 1    # the snapshot length cut the payload: payload_bytes is what was captured
    PACKET_REASSEMBLED = 2  # put together from IP fragments
    PACKET_MESSAGE = 4      # the payload is one whole message, whatever the transport (HEP)

cdef enum TcpFlag:          # RFC 9293 3.1
    TCP_FIN = 0x01
    TCP_SYN = 0x02
    TCP_RST = 0x04
    TCP_ACK = 0x10

cdef struct Address:
    # 128 bits in network byte order in memory; IPv4 is mapped as ::ffff:a.b.c.d (RFC 4291 2.5.5.2)
    uint64_t high
    uint64_t low

cdef struct Endpoint:
    Address address
    uint16_t port           # host byte order

cdef struct Packet:
    int64_t time_ns         # since the Unix epoch, UTC
    const uint8_t* payload  # transport payload; valid as long as its record, put together until the next is decoded
    uint32_t payload_bytes
    uint8_t protocol        # PROTOCOL_UDP or PROTOCOL_TCP
    uint8_t flags           # PacketFlag
    uint8_t tcp_flags       # TcpFlag
    uint16_t ip_identification  # of the innermost IPv4 header; 0 without one, and where the sender leaves it at 0
    uint32_t tcp_sequence   # sequence number of the first payload byte (of the SYN when TCP_SYN is set)
    Endpoint source
    Endpoint destination


cdef inline uint16_t read_be16(const uint8_t* p) noexcept nogil:
    return <uint16_t>((p[0] << 8) | p[1])


cdef inline uint32_t read_be32(const uint8_t* p) noexcept nogil:
    return (<uint32_t>p[0] << 24) | (<uint32_t>p[1] << 16) | (<uint32_t>p[2] << 8) | p[3]


cdef inline void address_from_v4(Address* address, const uint8_t* octets) noexcept nogil:
    # in one piece: what is written in parts and soon read as a whole has to wait for all of them
    address.high = 0
    address.low = htobe64(<uint64_t>0xffff << 32 | read_be32(octets))


cdef inline void address_from_v6(Address* address, const uint8_t* octets) noexcept nogil:
    memcpy(address, octets, 16)


cdef inline bint address_is_v4(const Address* address) noexcept nogil:
    cdef const uint8_t* low = <const uint8_t*>&address.low
    return address.high == 0 and low[0] == 0 and low[1] == 0 and low[2] == 0xff and low[3] == 0xff


cdef inline bint address_equal(const Address* a, const Address* b) noexcept nogil:
    return a.high == b.high and a.low == b.low


cdef inline bint endpoint_equal(const Endpoint* a, const Endpoint* b) noexcept nogil:
    return a.port == b.port and address_equal(&a.address, &b.address)


cdef inline uint64_t address_hash(const Address* address, uint64_t secret) noexcept nogil:
    return hash_mix(address.high ^ secret, address.low)


cdef inline uint64_t endpoint_hash(const Endpoint* endpoint, uint64_t secret) noexcept nogil:
    return hash_mix(address_hash(&endpoint.address, secret), endpoint.port)
