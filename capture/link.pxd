# cython: language_level=3
"""Link layers: from the first byte of a record to the network layer in it.

Every function steps `layer` over its header and returns an EtherType, or a LayerStatus (<= 0). The
EtherTypes that stand for further link headers (VLAN tags, MPLS, PPPoE, bridged Ethernet) are opened by
`open_tags`.
"""
from libc.stdint cimport int32_t, uint8_t, uint32_t

from capture.layer cimport LAYER_IGNORED, LAYER_MALFORMED, Layer, layer_open
from capture.packet cimport read_be16, read_be32

cdef enum LinkType:                 # tcpdump.org/linktypes.html
    LINKTYPE_NULL = 0               # BSD loopback, address family in the writer's byte order
    LINKTYPE_ETHERNET = 1
    LINKTYPE_PPP = 9
    LINKTYPE_RAW_BSD = 12           # DLT_RAW as some systems write it
    LINKTYPE_RAW_OPENBSD = 14
    LINKTYPE_PPP_HDLC = 50
    LINKTYPE_RAW = 101
    LINKTYPE_C_HDLC = 104
    LINKTYPE_LOOP = 108             # OpenBSD loopback, address family in network byte order
    LINKTYPE_LINUX_SLL = 113
    LINKTYPE_IPV4 = 228
    LINKTYPE_IPV6 = 229
    LINKTYPE_LINUX_SLL2 = 276

cdef enum EtherType:                # IANA IEEE 802 numbers
    ETHERTYPE_IPV4 = 0x0800
    ETHERTYPE_BRIDGED = 0x6558      # transparent Ethernet bridging (RFC 1701): an Ethernet frame follows
    ETHERTYPE_VLAN = 0x8100         # IEEE 802.1Q
    ETHERTYPE_IPV6 = 0x86dd
    ETHERTYPE_MPLS = 0x8847         # RFC 3032
    ETHERTYPE_MPLS_MULTICAST = 0x8848
    ETHERTYPE_PPPOE = 0x8864        # session stage, RFC 2516
    ETHERTYPE_SERVICE_VLAN = 0x88a8  # IEEE 802.1ad
    ETHERTYPE_OLD_QINQ = 0x9100
    SMALLEST_ETHERTYPE = 0x0600     # below: a length, of IEEE 802.3

cdef enum:
    ETHERNET_BYTES = 14
    VLAN_BYTES = 4
    SNAP_BYTES = 8                  # LLC, organisation, EtherType
    SNAP_LLC = 0xaaaa0300           # SNAP, SNAP, unnumbered information; organisation 00 00 00
    MPLS_BYTES = 4
    PPPOE_BYTES = 6
    SLL_BYTES = 16
    SLL2_BYTES = 20
    C_HDLC_BYTES = 4
    PPP_IPV4 = 0x0021
    PPP_IPV6 = 0x0057
    PPP_MPLS = 0x0281               # RFC 3032 4.1
    PPP_MPLS_MULTICAST = 0x0283
    # Tags and labels of one frame. Precedent: carriers stack two VLAN tags and up to five MPLS labels.
    MAXIMUM_TAGS = 16


cdef inline int ip_by_version(const Layer* layer) noexcept nogil:
    """Where nothing names the network layer, the IP version does."""
    if layer.captured == 0:
        return LAYER_MALFORMED
    if layer.data[0] >> 4 == 4:
        return ETHERTYPE_IPV4
    if layer.data[0] >> 4 == 6:
        return ETHERTYPE_IPV6
    return LAYER_IGNORED


cdef inline int open_ethernet(Layer* layer) noexcept nogil:
    cdef const uint8_t* header = layer.data
    cdef int ethertype
    if not layer_open(layer, ETHERNET_BYTES):
        return LAYER_MALFORMED
    ethertype = read_be16(header + 12)
    return ethertype if ethertype >= SMALLEST_ETHERTYPE else open_snap(layer)


cdef inline int open_snap(Layer* layer) noexcept nogil:
    """RFC 1042: IP over IEEE 802 networks. Other LLC traffic (spanning tree, ...) is not followed."""
    cdef const uint8_t* header = layer.data
    if layer.captured < SNAP_BYTES or read_be32(header) != SNAP_LLC or read_be16(header + 4) != 0:
        return LAYER_IGNORED
    layer_open(layer, SNAP_BYTES)
    return read_be16(header + 6)


cdef inline int open_loopback(Layer* layer) noexcept nogil:
    """AF_INET is 2 everywhere; AF_INET6 differs, so any other family is judged by the IP version."""
    if not layer_open(layer, 4):
        return LAYER_MALFORMED
    return ip_by_version(layer)


cdef inline int open_ppp(Layer* layer) noexcept nogil:
    """RFC 1661, with or without the address and control bytes of RFC 1662, and with short protocol numbers."""
    cdef const uint8_t* header = layer.data
    cdef uint32_t protocol
    if layer.captured >= 2 and read_be16(header) == 0xff03:
        layer_open(layer, 2)
        header += 2
    if layer.captured < 2:
        return LAYER_MALFORMED
    if header[0] & 1:
        protocol = header[0]
        layer_open(layer, 1)
    else:
        protocol = read_be16(header)
        layer_open(layer, 2)
    if protocol == PPP_IPV4:
        return ETHERTYPE_IPV4
    if protocol == PPP_IPV6:
        return ETHERTYPE_IPV6
    if protocol == PPP_MPLS or protocol == PPP_MPLS_MULTICAST:
        return ETHERTYPE_MPLS
    return LAYER_IGNORED


cdef inline int open_at(Layer* layer, uint32_t header_bytes, uint32_t ethertype_at) noexcept nogil:
    """A header of fixed size that says the EtherType at a fixed place."""
    cdef const uint8_t* header = layer.data
    if not layer_open(layer, header_bytes):
        return LAYER_MALFORMED
    return read_be16(header + ethertype_at)


cdef inline int open_link(int32_t link_type, Layer* layer) noexcept nogil:
    if link_type == LINKTYPE_ETHERNET:
        return open_ethernet(layer)
    if link_type == LINKTYPE_LINUX_SLL:
        return open_at(layer, SLL_BYTES, 14)
    if link_type == LINKTYPE_LINUX_SLL2:
        return open_at(layer, SLL2_BYTES, 0)
    if (link_type == LINKTYPE_RAW or link_type == LINKTYPE_RAW_BSD or link_type == LINKTYPE_RAW_OPENBSD
            or link_type == LINKTYPE_IPV4 or link_type == LINKTYPE_IPV6):
        return ip_by_version(layer)
    if link_type == LINKTYPE_NULL or link_type == LINKTYPE_LOOP:
        return open_loopback(layer)
    if link_type == LINKTYPE_PPP or link_type == LINKTYPE_PPP_HDLC:
        return open_ppp(layer)
    if link_type == LINKTYPE_C_HDLC:
        return open_at(layer, C_HDLC_BYTES, 2)
    return LAYER_IGNORED


cdef inline int open_mpls(Layer* layer) noexcept nogil:
    """Labels up to the bottom of the stack (RFC 3032 2.1), below which the IP version decides."""
    cdef const uint8_t* header
    for _ in range(MAXIMUM_TAGS):
        header = layer.data
        if not layer_open(layer, MPLS_BYTES):
            return LAYER_MALFORMED
        if header[2] & 1:
            return ip_by_version(layer)
    return LAYER_IGNORED


cdef inline int open_pppoe(Layer* layer) noexcept nogil:
    if not layer_open(layer, PPPOE_BYTES):
        return LAYER_MALFORMED
    return open_ppp(layer)


cdef inline int open_tags(int ethertype, Layer* layer) noexcept nogil:
    """Opens whatever stands between the link header and IP; the EtherType of the network layer."""
    for _ in range(MAXIMUM_TAGS):
        if ethertype == ETHERTYPE_IPV4 or ethertype == ETHERTYPE_IPV6:
            return ethertype
        if ethertype == ETHERTYPE_VLAN or ethertype == ETHERTYPE_SERVICE_VLAN or ethertype == ETHERTYPE_OLD_QINQ:
            ethertype = open_at(layer, VLAN_BYTES, 2)
        elif ethertype == ETHERTYPE_MPLS or ethertype == ETHERTYPE_MPLS_MULTICAST:
            return open_mpls(layer)
        elif ethertype == ETHERTYPE_PPPOE:
            ethertype = open_pppoe(layer)
        elif ethertype == ETHERTYPE_BRIDGED:
            ethertype = open_ethernet(layer)
        else:
            return ethertype if ethertype <= 0 else LAYER_IGNORED
    return LAYER_IGNORED
