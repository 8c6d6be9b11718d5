# cython: language_level=3
"""The decoder: opens link, network and tunnel headers until a UDP or TCP payload is reached.

All headers are read by inline functions (capture/link.pxd, ip.pxd, tunnel.pxd); the most usual ones (Ethernet, IPv4,
UDP) together, in half of the instructions. Checksums are not checked: offload leaves them unfilled in what a host
captures of its own sending.
"""
import ipaddress

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from capture.fragments cimport FRAGMENT_ALONE, FRAGMENT_KEPT, FRAGMENT_REASSEMBLED
from capture.hep cimport HEP_SIP, LINKTYPE_HEP, HepMessage, hep_read
from capture.ip cimport (
    IP_FRAGMENTED, IPV4_BYTES, IPV4_MORE_FRAGMENTS, IPV4_OFFSET_BITS, PROTOCOL_GRE, PROTOCOL_IPV4, PROTOCOL_IPV6,
    Fragment, open_extensions, open_ipv4, open_ipv6,
)
from capture.layer cimport LAYER_IGNORED, layer_limit, layer_open
from capture.link cimport (
    ETHERNET_BYTES, ETHERTYPE_IPV4, ETHERTYPE_IPV6, LINKTYPE_ETHERNET, open_link, open_tags,
)
from capture.packet cimport (
    PACKET_MESSAGE, PACKET_REASSEMBLED, PACKET_TRUNCATED, PROTOCOL_TCP, PROTOCOL_UDP, Address, Endpoint,
    address_from_v4, address_is_v4, read_be16, read_be32,
)
from capture.tunnel cimport is_tunnel_port, open_gre, open_udp_tunnel

cdef enum:
    UDP_BYTES = 8           # RFC 768
    UDP_LARGEST = 65535 - UDP_BYTES
    TCP_BYTES = 20          # RFC 9293 3.1


cdef inline int open_network(int network, Layer* layer, Packet* packet, Fragment* fragment) noexcept nogil:
    """The protocol in IP, IP_FRAGMENTED with `fragment` filled, or a LayerStatus."""
    if network == ETHERTYPE_IPV4:
        return open_extensions(open_ipv4(layer, packet, fragment), layer, fragment)
    if network == ETHERTYPE_IPV6:
        return open_extensions(open_ipv6(layer, packet), layer, fragment)
    return network


cdef inline int open_udp(Layer* layer, Packet* packet) noexcept nogil:
    cdef const uint8_t* header = layer.data
    cdef uint32_t length
    if not layer_open(layer, UDP_BYTES):
        return DECODE_MALFORMED
    length = read_be16(header + 4)
    if length >= UDP_BYTES:
        layer_limit(layer, length - UDP_BYTES)
    elif length != 0 or layer.wire <= UDP_LARGEST:      # 0 is a jumbogram's (RFC 2675 4), offload's in IPv4
        return DECODE_MALFORMED
    packet.source.port = read_be16(header)
    packet.destination.port = read_be16(header + 2)
    packet.protocol = PROTOCOL_UDP
    packet.tcp_flags = 0
    packet.tcp_sequence = 0
    return DECODED


cdef inline int open_tcp(Layer* layer, Packet* packet) noexcept nogil:
    cdef const uint8_t* header = layer.data
    cdef uint32_t header_bytes
    if layer.captured < TCP_BYTES:
        return DECODE_MALFORMED
    header_bytes = (header[12] >> 4) * 4
    if header_bytes < TCP_BYTES or not layer_open(layer, header_bytes):
        return DECODE_MALFORMED
    packet.source.port = read_be16(header)
    packet.destination.port = read_be16(header + 2)
    packet.protocol = PROTOCOL_TCP
    packet.tcp_flags = header[13]
    packet.tcp_sequence = read_be32(header + 4)
    return DECODED


cdef inline int finish(int status, const Layer* layer, Packet* packet) noexcept nogil:
    packet.payload = layer.data
    packet.payload_bytes = layer.captured
    if layer.captured < layer.wire:
        packet.flags |= PACKET_TRUNCATED
    return status


cdef inline bint open_plain(const Record* record, Packet* packet) noexcept nogil:
    """Nearly every packet that carries voice: Ethernet, IPv4 without options and whole, UDP that fills it, no tunnel.
    False for anything else, which is opened layer by layer; to open these so would come to the same."""
    cdef const uint8_t* ip
    cdef const uint8_t* udp
    cdef uint32_t total_bytes, udp_bytes
    cdef uint16_t port
    if record.link_type != LINKTYPE_ETHERNET or record.captured_bytes < ETHERNET_BYTES + IPV4_BYTES + UDP_BYTES:
        return False
    ip = record.data + ETHERNET_BYTES
    udp = ip + IPV4_BYTES
    if read_be16(ip - 2) != ETHERTYPE_IPV4 or ip[0] != 0x45 or ip[9] != PROTOCOL_UDP:
        return False
    total_bytes = read_be16(ip + 2)
    udp_bytes = read_be16(udp + 4)
    port = read_be16(udp + 2)
    if (read_be16(ip + 6) & (IPV4_MORE_FRAGMENTS | IPV4_OFFSET_BITS) or is_tunnel_port(port) or udp_bytes < UDP_BYTES
            or total_bytes != udp_bytes + IPV4_BYTES or total_bytes > record.captured_bytes - ETHERNET_BYTES):
        return False
    packet.time_ns = record.time_ns
    packet.payload = udp + UDP_BYTES
    packet.payload_bytes = udp_bytes - UDP_BYTES
    packet.protocol = PROTOCOL_UDP
    packet.flags = 0
    packet.tcp_flags = 0
    packet.ip_identification = read_be16(ip + 4)
    packet.tcp_sequence = 0
    address_from_v4(&packet.source.address, ip + 12)
    address_from_v4(&packet.destination.address, ip + 16)
    packet.source.port = read_be16(udp)
    packet.destination.port = port
    return True


cdef int open_hep(const Record* record, Packet* packet) noexcept nogil:
    """A packet as an agent tells of it; the moment is that of the record, in which the agent's was corrected."""
    cdef HepMessage message
    if hep_read(record.data, record.captured_bytes, &message) != HEP_SIP:
        return DECODE_MALFORMED
    packet.time_ns = record.time_ns
    packet.payload = message.payload
    packet.payload_bytes = message.payload_bytes
    packet.protocol = PROTOCOL_UDP if message.ip_protocol == PROTOCOL_UDP else PROTOCOL_TCP
    packet.flags = PACKET_MESSAGE
    packet.ip_identification = 0
    packet.tcp_flags = 0
    packet.tcp_sequence = 0
    packet.source = message.source
    packet.destination = message.destination
    return DECODED


cdef class Decoder:
    """Decodes frames; its only state is counters and the fragments that wait.

    `secret` keys the hashes of the fragment table, whose bounds are those of FragmentTable.
    """

    def __cinit__(self, uint64_t secret=0, FragmentTable fragments=None):
        self.fragments = FragmentTable(secret=secret) if fragments is None else fragments

    cdef int decode(self, const Record* record, Packet* packet) noexcept nogil:
        """Fills `packet` when DECODED; what it holds otherwise means nothing. A DecodeStatus."""
        cdef int status
        if open_plain(record, packet):
            self.counters.decoded += 1
            return DECODED
        status = self._open(record, packet)
        if status == DECODED:
            self.counters.decoded += 1
            self.counters.truncated += packet.flags & PACKET_TRUNCATED
        elif status == DECODE_IGNORED:
            self.counters.ignored += 1
        elif status == DECODE_PENDING:
            self.counters.pending += 1
        else:
            self.counters.malformed += 1
        return status

    cdef int _open(self, const Record* record, Packet* packet) noexcept nogil:
        cdef Layer layer, other         # `other` leaves this function, so that `layer` can stay in registers
        cdef Fragment fragment
        cdef int network, protocol, status
        layer.data = record.data
        layer.captured = record.captured_bytes
        layer.wire = record.wire_bytes
        packet.time_ns = record.time_ns
        packet.flags = 0
        if record.link_type == LINKTYPE_HEP:
            return open_hep(record, packet)
        network = open_link(record.link_type, &layer)
        for _ in range(MAXIMUM_NESTING):
            protocol = open_network(open_tags(network, &layer), &layer, packet, &fragment)
            if protocol == IP_FRAGMENTED:
                other = layer
                protocol = self._gather(fragment, &other, packet)
                layer = other
            if protocol == PROTOCOL_UDP:
                status = open_udp(&layer, packet)
                if status != DECODED or not is_tunnel_port(packet.destination.port):
                    return finish(status, &layer, packet)
                other = layer
                network = open_udp_tunnel(packet.destination.port, &other)
                if network == LAYER_IGNORED:
                    return finish(status, &layer, packet)
                layer = other
            elif protocol == PROTOCOL_TCP:
                return finish(open_tcp(&layer, packet), &layer, packet)
            elif protocol == PROTOCOL_GRE:
                network = open_gre(&layer)
            elif protocol == PROTOCOL_IPV4:
                network = ETHERTYPE_IPV4
            elif protocol == PROTOCOL_IPV6:
                network = ETHERTYPE_IPV6
            elif protocol == IP_FRAGMENTED:
                return DECODE_PENDING
            else:
                return DECODE_MALFORMED if protocol < 0 else DECODE_IGNORED
        return DECODE_IGNORED

    cdef int _gather(self, Fragment fragment, Layer* layer, Packet* packet) noexcept nogil:
        """Of a fragmented packet the protocol in IP, IP_FRAGMENTED while some of it is missing, or a LayerStatus."""
        cdef int protocol
        cdef int status = self.fragments.add(packet, &fragment, layer)
        if status == FRAGMENT_KEPT:
            return IP_FRAGMENTED
        if status == FRAGMENT_REASSEMBLED:
            packet.flags |= PACKET_REASSEMBLED
        elif status != FRAGMENT_ALONE:
            return status
        protocol = open_extensions(fragment.protocol, layer, &fragment)
        return protocol if protocol != IP_FRAGMENTED else <int>DECODE_MALFORMED

    def decode_frame(self, const uint8_t[::1] frame not None, int32_t link_type, *, int64_t time_ns=0, wire_bytes=None):
        """One frame, or None when nothing comes of it (now): see `counts()`.

        A dict of `time_ns`, `protocol` ("udp" or "tcp"), `source` and `destination` (address, port),
        `payload`, `truncated`, `reassembled`, and for TCP `tcp_flags` and `tcp_sequence`.
        """
        cdef Record record
        cdef Packet packet
        record.data = &frame[0] if frame.shape[0] else NULL
        record.captured_bytes = <uint32_t>frame.shape[0]
        record.wire_bytes = frame.shape[0] if wire_bytes is None else max(wire_bytes, frame.shape[0])
        record.link_type = link_type
        record.time_ns = time_ns
        return _as_dict(&packet) if self.decode(&record, &packet) == DECODED else None

    def counts(self) -> dict[str, int]:
        """DecodeCounters by name, and those of the fragments as `fragments_...`."""
        return dict(self.counters) | {f"fragments_{name}": n for name, n in self.fragments.counts().items()}


cdef dict _as_dict(const Packet* packet):
    result = {
        "time_ns": packet.time_ns,
        "protocol": "udp" if packet.protocol == PROTOCOL_UDP else "tcp",
        "source": _endpoint(&packet.source),
        "destination": _endpoint(&packet.destination),
        "payload": (<const char*>packet.payload)[:packet.payload_bytes],
        "truncated": packet.flags & PACKET_TRUNCATED != 0,
        "reassembled": packet.flags & PACKET_REASSEMBLED != 0,
    }
    if packet.protocol == PROTOCOL_TCP:
        result |= {"tcp_flags": packet.tcp_flags, "tcp_sequence": packet.tcp_sequence}
    return result


cdef tuple _endpoint(const Endpoint* endpoint):
    octets = (<const char*>&endpoint.address)[:sizeof(Address)]
    address = ipaddress.IPv4Address(octets[12:]) if address_is_v4(&endpoint.address) else ipaddress.IPv6Address(octets)
    return str(address), endpoint.port
