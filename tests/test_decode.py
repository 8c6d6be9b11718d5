"""Frames opened down to UDP and TCP: every encapsulation as scapy writes it, and headers that lie."""

import logging
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture.decode import Decoder

logging.getLogger("scapy").setLevel(logging.ERROR)
from scapy.contrib.erspan import ERSPAN_II, ERSPAN_III  # noqa: E402
from scapy.contrib.gtp import GTP_U_Header, GTPEchoRequest, GTPPDUSessionContainer  # noqa: E402
from scapy.contrib.mpls import MPLS  # noqa: E402
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_Router_Alert  # noqa: E402
from scapy.layers.inet6 import (  # noqa: E402
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
)
from scapy.layers.ipsec import AH  # noqa: E402
from scapy.layers.l2 import ARP, GRE, LLC, SNAP, CookedLinux, CookedLinuxV2, Dot1AD, Dot1Q, Ether, Loopback  # noqa: E402
from scapy.layers.ppp import HDLC, PPP, PPPoE  # noqa: E402
from scapy.layers.vxlan import VXLAN  # noqa: E402
from scapy.packet import Packet, Raw  # noqa: E402

ETHERNET, RAW = 1, 101
SOURCE, DESTINATION = ("192.0.2.1", 5060), ("198.51.100.7", 5062)
SOURCE6, DESTINATION6 = ("2001:db8::1", 5060), ("2001:db8:0:1::7", 5062)
TEXT = b"OPTIONS sip:a@b SIP/2.0\r\n"


def udp(payload: bytes = TEXT, **fields: int) -> Packet:
    return UDP(sport=SOURCE[1], dport=DESTINATION[1], **fields) / Raw(payload)


def ether(**fields: int) -> Packet:
    """With both addresses given: scapy would ask the network for them."""
    return Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02", **fields)


def ipv4(**fields: object) -> Packet:
    return IP(src=SOURCE[0], dst=DESTINATION[0], **fields)


def ipv6(**fields: object) -> Packet:
    return IPv6(src=SOURCE6[0], dst=DESTINATION6[0], **fields)


def outer(**fields: int) -> Packet:
    return ether() / IP(src="10.0.0.1", dst="10.0.0.2", **fields)


def outer6() -> Packet:
    return ether() / IPv6(src="fd00::1", dst="fd00::2")


INNER = ipv4() / udp()
INNER6 = ipv6() / udp()


def decode(frame: Packet | bytes, link_type: int = ETHERNET, **more: int) -> dict | None:
    return Decoder().decode_frame(bytes(frame), link_type, **more)


def is_the_datagram(packet: dict | None, *, version: int = 4) -> bool:
    ends = (SOURCE, DESTINATION) if version == 4 else (SOURCE6, DESTINATION6)
    return packet is not None and packet == {
        "time_ns": 0,
        "protocol": "udp",
        "source": ends[0],
        "destination": ends[1],
        "payload": TEXT,
        "truncated": False,
        "reassembled": False,
    }


# --- link layers

LINKS = {
    "Ethernet": (1, ether() / INNER, 4),
    "Ethernet with IPv6": (1, ether() / INNER6, 6),
    "802.1Q": (1, ether() / Dot1Q(vlan=5) / INNER, 4),
    "802.1ad around 802.1Q": (1, ether() / Dot1AD(vlan=5) / Dot1Q(vlan=6) / INNER6, 6),
    "QinQ before its standard": (1, ether(type=0x9100) / Dot1Q(vlan=5) / Dot1Q(vlan=6) / INNER, 4),
    "SNAP": (1, ether(type=len(INNER) + 8) / LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(code=0x0800) / INNER, 4),
    "MPLS": (1, ether() / MPLS(label=1, s=0) / MPLS(label=2, s=1) / INNER, 4),
    "MPLS with IPv6": (1, ether() / MPLS(label=2, s=1) / INNER6, 6),
    "PPPoE": (1, ether(type=0x8864) / PPPoE(sessionid=1) / PPP(proto=0x0021) / INNER, 4),
    "PPPoE in a VLAN with IPv6": (1, ether() / Dot1Q(type=0x8864) / PPPoE() / PPP(proto=0x0057) / INNER6, 6),
    "PPP": (9, PPP(proto=0x0021) / INNER, 4),
    "PPP with a short protocol number": (9, b"\x21" + bytes(INNER), 4),
    "PPP with MPLS": (9, PPP(proto=0x0281) / MPLS(s=1) / INNER, 4),
    "PPP in HDLC framing": (50, HDLC() / PPP(proto=0x0057) / INNER6, 6),
    "Cisco HDLC": (104, b"\x0f\x00\x08\x00" + bytes(INNER), 4),
    "Linux cooked": (113, CookedLinux(proto=0x0800) / INNER, 4),
    "Linux cooked with a VLAN": (113, CookedLinux(proto=0x8100) / Dot1Q() / INNER, 4),
    "Linux cooked, version 2": (276, CookedLinuxV2(proto=0x86DD) / INNER6, 6),
    "raw": (101, INNER, 4),
    "raw with IPv6": (101, INNER6, 6),
    "raw as FreeBSD numbers it": (12, INNER, 4),
    "raw as OpenBSD numbers it": (14, INNER6, 6),
    "raw IPv4": (228, INNER, 4),
    "raw IPv6": (229, INNER6, 6),
    "BSD loopback": (0, Loopback(type=2) / INNER, 4),
    "BSD loopback of the other byte order": (0, b"\x02\x00\x00\x00" + bytes(INNER), 4),
    "BSD loopback with FreeBSD's IPv6": (0, struct.pack("<I", 28) + bytes(INNER6), 6),
    "OpenBSD loopback": (108, struct.pack(">I", 24) + bytes(INNER6), 6),
}


@pytest.mark.parametrize("name", LINKS)
def test_a_link_layer_is_opened(name: str) -> None:
    link_type, frame, version = LINKS[name]
    assert is_the_datagram(decode(frame, link_type), version=version)


@pytest.mark.parametrize("name", LINKS)
def test_a_frame_cut_in_its_headers_is_never_decoded_and_never_read_past_its_end(name: str) -> None:
    link_type, frame, _ = LINKS[name]
    data = bytes(frame)
    for length in range(len(data) - len(TEXT)):
        assert decode(data[:length], link_type, wire_bytes=len(data)) is None
    for length in range(len(data) - len(TEXT), len(data)):
        packet = decode(data[:length], link_type, wire_bytes=len(data))
        assert packet is not None
        assert packet["truncated"]
        assert packet["payload"] == TEXT[: length - len(data)]


# --- tunnels

TUNNELS = {
    "IP in IP": (outer() / INNER, 4),
    "IPv6 in IPv4": (outer(proto=41) / INNER6, 6),
    "IPv4 in IPv6": (outer6() / INNER, 4),
    "GRE": (outer() / GRE() / INNER, 4),
    "GRE over IPv6": (outer6() / GRE() / INNER6, 6),
    "GRE with key": (outer() / GRE(key_present=1, key=7) / INNER, 4),
    "GRE with checksum, key and sequence": (
        outer() / GRE(chksum_present=1, key_present=1, seqnum_present=1, key=7, sequence_number=9) / INNER6,
        6,
    ),
    "GRE with Ethernet": (outer() / GRE(proto=0x6558) / ether() / Dot1Q() / INNER, 4),
    "GRE with MPLS": (outer() / GRE(proto=0x8847) / MPLS(s=1) / INNER, 4),
    "ERSPAN type I": (outer() / GRE(proto=0x88BE) / ether() / INNER, 4),
    "ERSPAN type II": (outer() / GRE(proto=0x88BE, seqnum_present=1) / ERSPAN_II() / ether() / INNER, 4),
    "ERSPAN type III": (outer() / GRE(proto=0x22EB, seqnum_present=1) / ERSPAN_III() / ether() / INNER6, 6),
    "ERSPAN type III with its subheader": (
        outer() / GRE(proto=0x22EB, seqnum_present=1) / Raw(bytes(ERSPAN_III(o=1))[:12] + bytes(8)) / ether() / INNER,
        4,
    ),
    "VXLAN": (outer() / UDP(sport=40000, dport=4789) / VXLAN(vni=5, flags=8) / ether() / INNER, 4),
    "VXLAN on the port of Linux": (outer6() / UDP(sport=1, dport=8472) / VXLAN(flags=8) / ether() / INNER6, 6),
    "GTP-U": (outer() / UDP(dport=2152) / GTP_U_Header(teid=3) / INNER, 4),
    "GTP-U with a sequence number": (outer() / UDP(dport=2152) / GTP_U_Header(S=1, seq=9) / INNER6, 6),
    "GTP-U with an extension header": (
        outer() / UDP(dport=2152) / GTP_U_Header(E=1, next_ex=0x85) / GTPPDUSessionContainer(type=0) / INNER,
        4,
    ),
    "VXLAN in GRE in GTP-U": (
        outer()
        / UDP(dport=2152)
        / GTP_U_Header()
        / IP()
        / GRE()
        / IP()
        / UDP(dport=4789)
        / VXLAN(flags=8)
        / ether()
        / INNER,
        4,
    ),
}


@pytest.mark.parametrize("name", TUNNELS)
def test_a_tunnel_is_opened(name: str) -> None:
    frame, version = TUNNELS[name]
    assert is_the_datagram(decode(bytes(frame)), version=version)


@pytest.mark.parametrize("name", TUNNELS)
def test_a_tunnel_cut_anywhere_is_not_read_past_its_end(name: str) -> None:
    data = bytes(TUNNELS[name][0])
    for length in range(len(data)):
        packet = decode(data[:length], wire_bytes=len(data))
        assert packet is None or packet["truncated"]


@pytest.mark.parametrize("port", [2152, 4789, 8472])
@pytest.mark.parametrize(
    "payload", [b"\x80\x08\x00\x01" + bytes(160), TEXT, b"", b"\x30", b"\x30\xff\xff\xff" + bytes(8)]
)
def test_media_and_sip_on_the_port_of_a_tunnel_are_left_alone(port: int, payload: bytes) -> None:
    packet = decode(ether() / ipv4() / UDP(sport=SOURCE[1], dport=port) / Raw(payload))
    assert packet is not None
    assert packet["payload"] == payload
    assert packet["destination"] == (DESTINATION[0], port)


def test_a_gtp_message_that_carries_no_packet_is_left_alone() -> None:
    packet = decode(outer() / UDP(dport=2152) / GTP_U_Header(gtp_type=1) / GTPEchoRequest())
    assert packet is not None
    assert packet["destination"] == ("10.0.0.2", 2152)


def test_tunnels_in_tunnels_are_bounded() -> None:
    for depth, opened in ((7, True), (8, False), (60, False)):
        frame = ether()
        for _ in range(depth):
            frame = frame / IP()
        assert is_the_datagram(decode(frame / INNER)) == opened


def test_tags_and_labels_are_bounded() -> None:
    tags = b"\x81\x00\x00\x01" * 100
    assert decode(bytes(12) + tags + b"\x08\x00" + bytes(INNER)) is None
    assert decode(bytes(12) + b"\x88\x47" + bytes(4) * 300 + b"\x00\x00\x01\x00" + bytes(INNER)) is None


def test_pptp_and_source_routes_in_gre_are_not_followed() -> None:
    assert decode(outer(proto=47) / Raw(b"\x00\x01\x08\x00" + bytes(INNER))) is None
    assert decode(outer(proto=47) / Raw(b"\x40\x00\x08\x00" + bytes(INNER))) is None


# --- IP


def test_options_of_ipv4_are_skipped() -> None:
    assert is_the_datagram(decode(ether() / ipv4(options=[IPOption_Router_Alert()]) / udp()))


@pytest.mark.parametrize(
    "extensions",
    [
        IPv6ExtHdrHopByHop(),
        IPv6ExtHdrRouting(addresses=["2001:db8::9"]),
        IPv6ExtHdrDestOpt(),
        IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / IPv6ExtHdrRouting(addresses=[]) / IPv6ExtHdrDestOpt(),
        AH(nh=17, payloadlen=4, spi=1, seq=1, icv=b"x" * 12),
        IPv6ExtHdrHopByHop() / AH(nh=17, payloadlen=4, spi=1, seq=1, icv=b"x" * 12),
        IPv6ExtHdrFragment(offset=0, m=0, id=1),
    ],
)
def test_extension_headers_are_stepped_over(extensions: Packet) -> None:
    assert is_the_datagram(decode(ether() / ipv6() / extensions / udp()), version=6)


def test_ah_is_stepped_over_in_ipv4() -> None:
    assert is_the_datagram(decode(ether() / ipv4(proto=51) / AH(nh=17, payloadlen=4, icv=b"x" * 12) / udp()))


def test_a_chain_of_extension_headers_is_bounded() -> None:
    chain = (b"\x3c\x00" + bytes(6)) * 1000
    assert decode(ether() / ipv6(nh=60) / Raw(chain + b"\x11\x00" + bytes(6) + bytes(udp()))) is None


def test_an_extension_header_longer_than_the_packet_is_malformed() -> None:
    decoder = Decoder()
    assert decoder.decode_frame(bytes(ether() / ipv6(nh=60) / Raw(b"\x11\xff" + bytes(20))), ETHERNET) is None
    assert decoder.counts()["malformed"] == 1


def test_padding_behind_the_datagram_is_cut_off() -> None:
    assert is_the_datagram(decode(bytes(ether() / INNER) + bytes(18)))
    assert is_the_datagram(decode(bytes(ether() / INNER6) + bytes(18)), version=6)


def test_bytes_behind_the_udp_length_are_not_payload() -> None:
    datagram = bytes(udp()) + b"surplus"
    assert is_the_datagram(decode(ether() / ipv4(proto=17) / Raw(datagram)))


def test_a_total_length_of_zero_left_by_offload_means_the_rest_of_the_frame() -> None:
    segment = bytes(TCP(sport=1, dport=2, chksum=0)) + b"x" * 70_000
    frame = bytearray(bytes(ether() / ipv4(proto=6)) + segment)
    frame[16:18] = b"\0\0"
    packet = decode(bytes(frame))
    assert packet is not None
    assert packet["payload"] == b"x" * 70_000
    assert not packet["truncated"]


@pytest.mark.parametrize("hop_by_hop", [b"", b"\x06\x00\xc2\x04" + struct.pack(">I", 70_028)])
def test_a_jumbogram_is_read_with_and_without_its_option(hop_by_hop: bytes) -> None:
    tcp = bytes(TCP(sport=1, dport=2)) + b"x" * 70_000
    frame = bytes(ether() / ipv6(plen=0, nh=0 if hop_by_hop else 6)) + hop_by_hop + tcp
    packet = decode(frame)
    assert packet is not None
    assert packet["payload"] == b"x" * 70_000


def test_a_udp_length_of_zero_is_a_jumbograms_alone() -> None:
    large = bytes(udp(b"x" * 70_000, len=0))
    packet = decode(bytes(ether() / ipv6(plen=0, nh=17)) + large)
    assert packet is not None
    assert packet["payload"] == b"x" * 70_000
    assert decode(ether() / ipv6() / udp(len=0)) is None
    assert decode(ether() / ipv4() / udp(len=0)) is None


# --- UDP and TCP


def test_a_tcp_segment_has_its_flags_sequence_and_payload() -> None:
    tcp = TCP(sport=5060, dport=5062, seq=0xFEDCBA98, flags="PA", options=[("NOP", None), ("Timestamp", (1, 2))])
    packet = decode(ether() / ipv4() / tcp / Raw(TEXT))
    assert packet == {
        "time_ns": 0,
        "protocol": "tcp",
        "source": SOURCE,
        "destination": DESTINATION,
        "payload": TEXT,
        "truncated": False,
        "reassembled": False,
        "tcp_flags": 0x18,
        "tcp_sequence": 0xFEDCBA98,
    }


@pytest.mark.parametrize("payload_bytes", [0, 1])
def test_a_short_payload_is_a_payload(payload_bytes: int) -> None:
    packet = decode(ether() / ipv4() / udp(b"x" * payload_bytes))
    assert packet is not None
    assert packet["payload"] == b"x" * payload_bytes


def test_a_udp_length_past_the_end_of_the_frame_counts_as_truncated() -> None:
    packet = decode(ether() / ipv4() / udp(len=2000))
    assert packet is not None
    assert packet["payload"] == TEXT
    assert packet["truncated"]


def test_an_ip_length_past_the_end_of_the_frame_does_no_harm_to_a_datagram_that_is_whole() -> None:
    assert is_the_datagram(decode(ether() / ipv4(len=2000) / udp()))


LIES = {
    "an IPv4 header shorter than its fixed part": ether() / ipv4(ihl=4) / udp(),
    "an IPv4 header longer than the packet": ether() / ipv4(ihl=15, proto=17, len=40) / Raw(bytes(20)),
    "an IPv4 total length below the header": ether() / ipv4(len=19) / udp(),
    "an IPv4 EtherType before another version": ether(type=0x0800) / Raw(b"\x55" + bytes(60)),
    "an IPv6 EtherType before another version": ether(type=0x86DD) / Raw(b"\x45" + bytes(60)),
    "a UDP length below the header": ether() / ipv4() / udp(len=7),
    "a TCP header shorter than its fixed part": ether() / ipv4() / TCP(dataofs=4),
    "a TCP header longer than the packet": ether() / ipv4() / TCP(dataofs=15),
    "an IP packet too short for UDP": ether() / ipv4(len=27) / udp(),
    "no bytes at all": Raw(b""),
}


@pytest.mark.parametrize("name", LIES)
def test_a_header_that_lies_is_malformed(name: str) -> None:
    decoder = Decoder()
    assert decoder.decode_frame(bytes(LIES[name]), ETHERNET) is None
    counts = decoder.counts()
    assert counts["malformed"] == 1
    assert sum(counts.values()) == 1


@pytest.mark.parametrize(
    "frame",
    [
        ether() / ARP(),
        ether() / ipv4() / ICMP(),
        ether() / ipv4(proto=132) / Raw(bytes(20)),
        ether(type=0x88CC) / Raw(bytes(20)),
        ether(type=38) / LLC(dsap=0x42, ssap=0x42, ctrl=3) / Raw(bytes(35)),
        ether() / ipv6(nh=59),
    ],
)
def test_what_is_not_followed_is_ignored(frame: Packet) -> None:
    decoder = Decoder()
    assert decoder.decode_frame(bytes(frame), ETHERNET) is None
    assert decoder.counts()["ignored"] == 1


def test_an_unknown_link_type_is_ignored() -> None:
    decoder = Decoder()
    assert decoder.decode_frame(bytes(ether() / INNER), 147) is None
    assert decoder.counts()["ignored"] == 1


def test_every_frame_is_counted_once() -> None:
    decoder = Decoder()
    frame = bytes(ether() / INNER)
    decoder.decode_frame(frame, ETHERNET)
    decoder.decode_frame(frame[:-1], ETHERNET)
    decoder.decode_frame(frame[:30], ETHERNET)
    decoder.decode_frame(bytes(ether() / ARP()), ETHERNET)
    decoder.decode_frame(bytes(ether() / ipv4(flags="MF") / Raw(bytes(16))), ETHERNET)
    counts = decoder.counts()
    assert {name: counts[name] for name in ("decoded", "truncated", "malformed", "ignored", "pending")} == {
        "decoded": 2,
        "truncated": 1,
        "malformed": 1,
        "ignored": 1,
        "pending": 1,
    }


SEEDS = [(link_type, bytes(frame)) for link_type, frame, _ in LINKS.values()]
SEEDS += [(ETHERNET, bytes(frame)) for frame, _ in TUNNELS.values()]
LINK_TYPES = [0, 1, 9, 12, 14, 50, 101, 104, 108, 113, 228, 229, 276]


@st.composite
def mutated_frames(draw: st.DrawFn) -> tuple[int, bytes]:
    link_type, frame = draw(st.sampled_from(SEEDS))
    data = bytearray(frame)
    for at, value in draw(st.lists(st.tuples(st.integers(0, len(data) - 1), st.integers(0, 255)), max_size=5)):
        data[at] = value
    return link_type, bytes(data[: draw(st.integers(0, len(data)))])


@settings(max_examples=500)
@given(
    st.lists(mutated_frames() | st.tuples(st.sampled_from(LINK_TYPES), st.binary(max_size=120)), max_size=20),
    st.integers(0, 300),
)
def test_no_frame_breaks_the_decoder(frames: list[tuple[int, bytes]], lost: int) -> None:
    decoder = Decoder()
    for number, (link_type, frame) in enumerate(frames):
        packet = decoder.decode_frame(frame, link_type, time_ns=number, wire_bytes=len(frame) + lost)
        assert packet is None or packet["reassembled"] or packet["payload"] in frame
    counts = decoder.counts()
    assert sum(counts[name] for name in ("decoded", "malformed", "ignored", "pending")) == len(frames)


@settings(max_examples=500)
@given(
    st.lists(
        st.tuples(st.integers(0, 27), st.sampled_from([0, 1, 0x40, 0x45, 0x46, 17]) | st.integers(0, 255)), max_size=3
    ),
    st.binary(max_size=20),
    st.integers(0, 80),
    st.integers(0, 3),
)
def test_a_plain_frame_comes_to_the_same_as_layer_by_layer(
    changes: list[tuple[int, int]], padding: bytes, captured: int, lost: int
) -> None:
    packet = bytearray(bytes(ipv4() / udp()) + padding)
    for at, value in changes:
        packet[at] = value
    plain, tagged = (
        bytes(head) + bytes(packet[:captured]) for head in (ether(type=0x0800), ether() / Dot1Q(type=0x0800))
    )
    at_once, by_layer = Decoder(), Decoder()
    found = at_once.decode_frame(plain, ETHERNET, wire_bytes=len(plain) + lost)
    assert found == by_layer.decode_frame(tagged, ETHERNET, wire_bytes=len(tagged) + lost)
    assert at_once.counts() == by_layer.counts()
