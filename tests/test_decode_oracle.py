"""Every frame of the corpus, decoded as tshark decodes it.

tshark is run once for each link type, over one capture of all the frames of that type, and with only the
dissectors of protocols that the decoder follows: what is left is the innermost UDP or TCP header.
"""

import itertools
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from capture.decode import Decoder
from capture.errors import CaptureFileError
from capture.file import CaptureFile
from tests.captures import Record, pcap

LINK_TYPES = (0, 1, 9, 50, 101, 104, 113, 228, 229)
DISSECTORS = [
    "frame",
    "data",
    "eth",
    "ethertype",
    "vlan",
    "ieee8021ad",
    "llc",
    "sll",
    "null",
    "raw",
    "ppp",
    "pppoes",
    "chdlc",
    "mpls",
    "ip",
    "ah",
    "udp",
    "tcp",
    "gre",
    "erspan",
    "vxlan",
    "gtp",
    "ipv6",
    "ipv6.hopopts",
    "ipv6.dstopts",
    "ipv6.fraghdr",
    "ipv6.routing",
    "ipv6.routing.type.rt0",
    "ipv6.routing.type.srh",
    "ipv6.routing.type.mipv6",
    "ipv6.routing.type.crh",
]
FOLLOWED = ("ip", "ipv6", "udp", "tcp", "gre", "vxlan", "gtp", "eth", "mpls", "ah")
FIELDS = [
    "frame.protocols",
    "ip.src",
    "ip.dst",
    "ipv6.src",
    "ipv6.dst",
    "udp.srcport",
    "udp.dstport",
    "udp.length",
    "tcp.srcport",
    "tcp.dstport",
    "tcp.len",
    "tcp.hdr_len",
]

# Captures in which the decoder is right to differ, with the reason.
DIFFERENT = {
    "mpls-over-udp.pcap": "MPLS over UDP is not followed",
    "wccp_redirect_gre.pcap": "WCCP over GRE is not followed",
    "arkime_synthetic.pcap": "holds VXLAN-GPE (port 4790), which is not followed",
    "esp_truncated.pcap": "no VXLAN on port 8472, where this test makes tshark look for nothing else",
    "LINKTYPE_IPV6_invalid.pcap": "IPv4 under the link type of IPv6: read by its version",
    "LINKTYPE_IPV4_invalid.pcap": "IPv6 under the link type of IPv4: read by its version",
    "beep-oobr.pcap": "cut inside the options of TCP, of which tshark still shows the ports",
    "heapoverflow-tcp_print.pcap": "the same",
    "tcp-auth-heapoverflow.pcap": "the same",
    **{
        f"bigtcp-ipv{outer}{tunnel}.pcap": "lengths of zero left by offload: tshark 4.0 stops there"
        for outer in (4, 6)
        for tunnel in ("", *(f"-{kind}-ipv{inner}" for kind in ("geneve", "vxlan") for inner in (4, 6)))
    },
}

Innermost = tuple[str, str, int, str, int, int] | None
Frame = tuple[str, Record, dict | None]


@pytest.fixture(scope="module")
def frames(corpus: Path, negative_captures: Path) -> dict[int, list[Frame]]:
    """By link type: where each frame of the corpus comes from, itself, and what the decoder makes of it."""
    found = defaultdict(list)
    for path in sorted(
        path for path in itertools.chain(negative_captures.rglob("*"), corpus.glob("*_pcap/**/*")) if path.is_file()
    ):
        decoder = Decoder()
        try:
            with CaptureFile(path) as file:
                for number, record in enumerate(file, 1):
                    time_ns, link_type, data, wire_bytes = record
                    packet = decoder.decode_frame(data, link_type, time_ns=time_ns, wire_bytes=wire_bytes)
                    found[link_type].append((f"{path.name}:{number}", record, packet))
        except CaptureFileError:
            continue
    return found


@pytest.fixture(scope="module")
def only_followed(tshark: str) -> list[str]:
    """Options that leave tshark with the DISSECTORS."""
    listing = subprocess.run([tshark, "-G", "protocols"], check=True, capture_output=True, text=True).stdout
    names = [line.split("\t")[2] for line in listing.splitlines()]
    assert set(DISSECTORS) - set(names) == set()
    options = [option for name in names if name not in DISSECTORS for option in ("--disable-protocol", name)]
    return [*options, "-d", "udp.port==8472,vxlan", "-o", "tcp.desegment_tcp_streams:FALSE"]


def innermost(row: list[str]) -> Innermost:
    """What tshark says of the last UDP or TCP header, None when it is not the end of what is followed."""
    values = dict(zip(FIELDS, row, strict=True))
    followed = [name for name in values["frame.protocols"].split(":") if name in FOLLOWED]
    if not followed or followed[-1] not in ("udp", "tcp"):
        return None
    protocol = followed[-1]
    version = next(name for name in reversed(followed) if name in ("ip", "ipv6"))
    if protocol == "udp":
        payload_bytes = int(values["udp.length"] or 0) - 8
    else:
        payload_bytes = int(values["tcp.len"] or -1) if values["tcp.hdr_len"] else -1
    source, destination = values[f"{protocol}.srcport"], values[f"{protocol}.dstport"]
    if not (source and destination):
        return None
    ends = values[f"{version}.src"], int(source), values[f"{version}.dst"], int(destination)
    return protocol, *ends, payload_bytes


def agree(packet: dict | None, theirs: Innermost) -> bool:
    if packet is None or theirs is None:
        # Ports alone are no packet: the header lies about its length, or is cut short behind them.
        return packet is None and (theirs is None or theirs[-1] < 0)
    mine = (packet["protocol"], *packet["source"], *packet["destination"])
    if mine != theirs[:-1]:
        return False
    return packet["truncated"] or len(packet["payload"]) == theirs[-1]


@pytest.mark.parametrize("link_type", LINK_TYPES)
def test_frames_are_decoded_as_tshark_decodes_them(
    frames: dict[int, list[Frame]], tshark: str, only_followed: list[str], tmp_path: Path, link_type: int
) -> None:
    mine = frames[link_type]
    assert mine, "the corpus has no such frames"
    # Without their times, of which some are after 2106 and pcap cannot say them.
    (tmp_path / "all.pcap").write_bytes(pcap([(0, *record[1:]) for _, record, _ in mine]))
    command = [tshark, "-n", "-r", str(tmp_path / "all.pcap"), *only_followed, "-T", "fields", "-E", "occurrence=l"]
    command += [option for name in FIELDS for option in ("-e", name)]
    rows = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    assert len(rows) == len(mine)
    wrong = []
    for (name, _, packet), row in zip(mine, rows, strict=True):
        theirs = innermost(row.split("\t"))
        if not agree(packet, theirs) and name.split(":")[0] not in DIFFERENT:
            wrong.append((name, packet, theirs))
    assert wrong == []
