# cython: language_level=3
"""Tunnels that carry IP in IP or UDP: GRE and ERSPAN, VXLAN, GTP-U.

Every function steps `layer` over the tunnel header and returns the EtherType of what it carries, or a
LayerStatus, after which the position of `layer` means nothing. UDP tunnels are found by their destination
port and must then look like what they claim, for a port alone may also be somebody's RTP.
"""
from libc.stdint cimport uint8_t, uint16_t, uint32_t

from capture.layer cimport LAYER_IGNORED, LAYER_MALFORMED, Layer, layer_open
from capture.link cimport ETHERTYPE_BRIDGED, ip_by_version
from capture.packet cimport read_be16, read_be32

cdef enum:
    GRE_BYTES = 4
    GRE_CHECKSUM = 0x8000           # RFC 2784; key and sequence: RFC 2890
    GRE_ROUTING = 0x4000            # RFC 1701, source routes: not followed
    GRE_KEY = 0x2000
    GRE_SEQUENCE = 0x1000
    GRE_VERSION_BITS = 0x0007       # 1 is PPTP (RFC 2637), not followed
    GRE_ERSPAN = 0x88be             # draft-foschiano-erspan: type I without, II with a sequence number
    GRE_ERSPAN_3 = 0x22eb
    ERSPAN_2_BYTES = 8
    ERSPAN_3_BYTES = 12
    ERSPAN_3_SUBHEADER_BYTES = 8    # there when the O bit is set

    PORT_GTP_U = 2152               # 3GPP TS 29.281 4.4.2
    PORT_VXLAN = 4789               # RFC 7348 8
    PORT_VXLAN_LINUX = 8472         # the default of Linux, from before the assignment
    VXLAN_BYTES = 8
    GTP_U_BYTES = 8
    GTP_U_OPTIONAL_BYTES = 4        # sequence, N-PDU number, next extension: all there if any is
    GTP_U_G_PDU = 255
    # Extension headers of one G-PDU. Precedent: TS 29.281 5.2.1 defines fewer than ten.
    GTP_U_MAXIMUM_EXTENSIONS = 16


cdef inline bint is_tunnel_port(uint16_t port) noexcept nogil:
    return port == PORT_VXLAN or port == PORT_GTP_U or port == PORT_VXLAN_LINUX


cdef inline int open_udp_tunnel(uint16_t port, Layer* layer) noexcept nogil:
    """LAYER_IGNORED when the payload does not look like the tunnel of that port."""
    if port == PORT_GTP_U:
        return open_gtp_u(layer)
    return open_vxlan(layer)


cdef inline int open_vxlan(Layer* layer) noexcept nogil:
    """RFC 7348 5: the I flag alone, and reserved bits of zero."""
    cdef const uint8_t* header = layer.data
    if layer.captured < VXLAN_BYTES or read_be32(header) != 0x08000000 or header[7] != 0:
        return LAYER_IGNORED
    layer_open(layer, VXLAN_BYTES)
    return ETHERTYPE_BRIDGED


cdef inline int open_gtp_u(Layer* layer) noexcept nogil:
    """3GPP TS 29.281 5.1: version 1, protocol type GTP, a G-PDU (other messages carry no user packet)."""
    cdef const uint8_t* header = layer.data
    cdef uint8_t flags, extension
    cdef uint32_t extension_bytes
    if layer.captured < GTP_U_BYTES or header[0] & 0xf0 != 0x30 or header[1] != GTP_U_G_PDU:
        return LAYER_IGNORED
    if read_be16(header + 2) > layer.wire - GTP_U_BYTES:
        return LAYER_IGNORED
    flags = header[0] & 0x07
    layer_open(layer, GTP_U_BYTES)
    if flags == 0:
        return ip_by_version(layer)
    header = layer.data
    if not layer_open(layer, GTP_U_OPTIONAL_BYTES):
        return LAYER_MALFORMED
    extension = header[3] if flags & 0x04 else 0
    for _ in range(GTP_U_MAXIMUM_EXTENSIONS):
        if extension == 0:
            return ip_by_version(layer)
        if layer.captured == 0:
            return LAYER_MALFORMED
        header = layer.data
        extension_bytes = header[0] * 4
        if extension_bytes == 0 or not layer_open(layer, extension_bytes):
            return LAYER_MALFORMED
        extension = header[extension_bytes - 1]
    return LAYER_IGNORED


cdef inline int open_gre(Layer* layer) noexcept nogil:
    cdef const uint8_t* header = layer.data
    cdef uint16_t flags
    cdef int carried
    if not layer_open(layer, GRE_BYTES):
        return LAYER_MALFORMED
    flags = read_be16(header)
    carried = read_be16(header + 2)
    if flags & (GRE_ROUTING | GRE_VERSION_BITS):
        return LAYER_IGNORED
    if not layer_open(layer, 4 * ((flags & GRE_CHECKSUM != 0) + (flags & GRE_KEY != 0) + (flags & GRE_SEQUENCE != 0))):
        return LAYER_MALFORMED
    if carried == GRE_ERSPAN:
        return open_erspan(layer, ERSPAN_2_BYTES if flags & GRE_SEQUENCE else 0)
    if carried == GRE_ERSPAN_3:
        if layer.captured < ERSPAN_3_BYTES:
            return LAYER_MALFORMED
        return open_erspan(layer, ERSPAN_3_BYTES + (ERSPAN_3_SUBHEADER_BYTES if layer.data[11] & 1 else 0))
    return carried


cdef inline int open_erspan(Layer* layer, uint32_t header_bytes) noexcept nogil:
    if not layer_open(layer, header_bytes):
        return LAYER_MALFORMED
    return ETHERTYPE_BRIDGED
