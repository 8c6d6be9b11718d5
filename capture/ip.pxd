# cython: language_level=3
"""IPv4 (RFC 791) and IPv6 (RFC 8200) headers, with IPv6 extension headers and fragments of both."""
from libc.stdint cimport uint8_t, uint16_t, uint32_t

from capture.layer cimport LAYER_IGNORED, LAYER_MALFORMED, Layer, layer_limit, layer_open
from capture.packet cimport (
    PROTOCOL_TCP, PROTOCOL_UDP, Packet, address_from_v4, address_from_v6, read_be16, read_be32,
)

cdef enum IpProtocol:               # IANA protocol numbers
    PROTOCOL_HOP_BY_HOP = 0         # the value of LAYER_IGNORED, which it amounts to outside IPv6
    PROTOCOL_IPV4 = 4
    PROTOCOL_IPV6 = 41
    PROTOCOL_ROUTING = 43
    PROTOCOL_FRAGMENT = 44
    PROTOCOL_GRE = 47
    PROTOCOL_AH = 51
    PROTOCOL_DESTINATION_OPTIONS = 60
    IP_FRAGMENTED = 256             # not a protocol number: a fragment, described apart

cdef enum:
    IPV4_BYTES = 20
    IPV6_BYTES = 40
    FRAGMENT_BYTES = 8
    IPV4_MORE_FRAGMENTS = 0x2000
    IPV4_OFFSET_BITS = 0x1fff       # units of 8 bytes
    IPV6_OFFSET_BITS = 0xfff8       # the same, shifted: bytes
    # Extension headers of one packet. Precedent: RFC 8504 5.3 lets a host refuse more than a few.
    MAXIMUM_EXTENSIONS = 16

cdef struct Fragment:               # of one fragmented packet; the addresses are in the Packet
    uint32_t identification
    uint32_t offset                 # bytes
    bint more
    uint8_t version                 # 4 or 6
    uint8_t protocol                # of the fragmented part


cdef inline int open_ipv4(Layer* layer, Packet* packet, Fragment* fragment) noexcept nogil:
    """Fills the addresses. The protocol that follows, IP_FRAGMENTED with `fragment` filled, or a LayerStatus.

    A total length of 0 is left by segmentation offload in the capturing host: the rest of the frame holds.
    """
    cdef const uint8_t* header = layer.data
    cdef uint32_t header_bytes, total_bytes
    cdef uint16_t offset
    if layer.captured < IPV4_BYTES:
        return LAYER_MALFORMED
    header_bytes = (header[0] & 0x0f) * 4
    if header[0] >> 4 != 4 or header_bytes < IPV4_BYTES:
        return LAYER_MALFORMED
    total_bytes = read_be16(header + 2)
    if total_bytes == 0:
        total_bytes = layer.wire
    if total_bytes < header_bytes or not layer_open(layer, header_bytes):
        return LAYER_MALFORMED
    layer_limit(layer, total_bytes - header_bytes)
    address_from_v4(&packet.source.address, header + 12)
    address_from_v4(&packet.destination.address, header + 16)
    packet.ip_identification = read_be16(header + 4)
    offset = read_be16(header + 6)
    if offset & (IPV4_MORE_FRAGMENTS | IPV4_OFFSET_BITS) == 0:
        return header[9]
    fragment.identification = packet.ip_identification
    fragment.offset = <uint32_t>(offset & IPV4_OFFSET_BITS) * 8
    fragment.more = offset & IPV4_MORE_FRAGMENTS != 0
    fragment.version = 4
    fragment.protocol = header[9]
    return IP_FRAGMENTED


cdef inline int open_ipv6(Layer* layer, Packet* packet) noexcept nogil:
    """Fills the addresses. The next header, or a LayerStatus.

    A payload length of 0 stands for a jumbogram (RFC 2675), which segmentation offload makes of large
    TCP sends, with or without its option: the rest of the frame holds.
    """
    cdef const uint8_t* header = layer.data
    cdef uint32_t payload_bytes
    if not layer_open(layer, IPV6_BYTES) or header[0] >> 4 != 6:
        return LAYER_MALFORMED
    payload_bytes = read_be16(header + 4)
    if payload_bytes != 0:
        layer_limit(layer, payload_bytes)
    address_from_v6(&packet.source.address, header + 8)
    address_from_v6(&packet.destination.address, header + 24)
    packet.ip_identification = 0
    return header[6]


cdef inline int open_extensions(int protocol, Layer* layer, Fragment* fragment) noexcept nogil:
    """Steps over extension headers (RFC 8200 4) and AH (RFC 4302, in IPv4 too) to what they announce.

    Stops at a fragment header, which fills `fragment`; the rest of the chain is in the whole datagram.
    """
    cdef const uint8_t* header
    cdef uint32_t header_bytes
    for _ in range(MAXIMUM_EXTENSIONS):
        if protocol == PROTOCOL_UDP or protocol == PROTOCOL_TCP:
            return protocol
        if protocol == PROTOCOL_FRAGMENT:
            return open_fragment(layer, fragment)
        header = layer.data
        if protocol == PROTOCOL_AH:
            header_bytes = ((header[1] if layer.captured > 1 else 0) + 2) * 4
        elif (protocol == PROTOCOL_HOP_BY_HOP or protocol == PROTOCOL_ROUTING
                or protocol == PROTOCOL_DESTINATION_OPTIONS):
            header_bytes = ((header[1] if layer.captured > 1 else 0) + 1) * 8
        else:
            return protocol
        if not layer_open(layer, header_bytes):
            return LAYER_MALFORMED
        protocol = header[0]
    return LAYER_IGNORED


cdef inline int open_fragment(Layer* layer, Fragment* fragment) noexcept nogil:
    """The fragment header (RFC 8200 4.5)."""
    cdef const uint8_t* header = layer.data
    cdef uint16_t offset
    if not layer_open(layer, FRAGMENT_BYTES):
        return LAYER_MALFORMED
    offset = read_be16(header + 2)
    fragment.identification = read_be32(header + 4)
    fragment.offset = offset & IPV6_OFFSET_BITS
    fragment.more = offset & 1
    fragment.version = 6
    fragment.protocol = header[0]
    return IP_FRAGMENTED
