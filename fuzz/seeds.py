"""What the mutations start from: the sample capture, its frames, its SIP messages, and a few made to be odd."""

import gzip
import struct
from itertools import islice
from pathlib import Path

from capture import sip
from capture.file import CaptureFile
from fuzz.mutation import PCAP_HEADER_BYTES, pcap_records

SAMPLE = Path("simulator/samples/sample.pcap.gz")

FILE_PACKETS = 200  # a file small enough that a mutation hits something
UDP_PAYLOAD = 14 + 20 + 8  # of an Ethernet frame with IPv4 without options, as the simulator makes them
MAX_FRAMES = 2000
FRAMES = 40  # mutated each for itself: a screening costs more than its frames

ODD_MESSAGES = (
    b"OPTIONS sip:user:pass@[2001:db8::9:1]:5060;transport=tcp SIP/2.0\r\n"
    b"v: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bK1\r\n"
    b'f: "A \\" B" <sip:a%40b@example.com;x=y?h=v>;tag=1\r\nt: sip:b@example.com\r\n'
    b"i: 1@a\r\nCSeq:\r\n 7\r\n\t OPTIONS\r\nl: 0\r\n\r\n",
    b"INVITE tel:+4930123456;phone-context=example.com SIP/2.0\n"
    b"Via: SIP/2.0/TCP a;branch=z9hG4bK2, SIP/2.0/UDP b\n"
    b"From: <sip:a@a>;tag=1\nTo: <tel:+4930123456>\nCall-ID: x\nCSeq: 1 INVITE\n"
    b"Content-Type: multipart/mixed;boundary=q\nContent-Length: 94\n\n"
    b"--q\r\nContent-Type: application/sdp\r\n\r\nv=0\r\nc=IN IP4 1.2.3.4\r\nm=audio 4000 RTP/AVP 0\r\n\r\n--q--\r\n",
    b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK3\r\nFrom: <sip:a@a>;tag=1\r\nTo: <sip:b@b>;tag=2\r\n"
    b"Call-ID: x\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n",
)


def block(kind: int, body: bytes) -> bytes:
    """A block of a big-endian pcapng section."""
    length = struct.pack(">I", 12 + len(body))
    return struct.pack(">I", kind) + length + body + length


PCAPNG = b"".join(
    [
        block(0x0A0D0D0A, struct.pack(">IHHq", 0x1A2B3C4D, 1, 0, -1)),
        block(1, struct.pack(">HHI", 1, 0, 0) + struct.pack(">HHB3xHHq", 9, 1, 9, 14, 8, 3600)),
        block(6, struct.pack(">IIIII", 0, 1, 2, 3, 100) + b"abc\0"),
        block(0xBAD, bytes(64)),
        block(3, struct.pack(">I", 4) + b"abcd"),
        block(2, struct.pack(">HHIIII", 0, 0, 1, 2, 2, 2) + b"ab\0\0"),
        block(5, struct.pack(">III", 0, 0, 0) + struct.pack(">HHQ", 5, 8, 7)),
    ]
)


def hep(payload: bytes) -> bytes:
    """HEP version 3 about one SIP message over IPv4."""
    values = (
        (1, b"\2"), (2, b"\x11"), (3, b"\xc0\0\2\1"), (4, b"\xc0\0\2\2"), (7, b"\x13\xc4"), (8, b"\x13\xc4"),
        (9, b"\x65\0\0\0"), (10, bytes(4)), (11, b"\1"), (12, bytes(4)), (14, b"key"), (15, payload),
    )  # fmt: skip
    body = b"".join(struct.pack(">HHH", 0, kind, 6 + len(value)) + value for kind, value in values)
    return b"HEP3" + struct.pack(">H", 6 + len(body)) + body


def of_target(target: str, root: Path) -> list[bytes]:
    """Seeds for a target; `root` is the checkout."""
    sample = root / SAMPLE
    with CaptureFile(sample) as capture:
        frames = [data for _, _, data, _ in islice(capture, MAX_FRAMES)]
    plain = gzip.decompress(sample.read_bytes())
    if target == "frames":
        return pieces(plain, FRAMES)
    if target == "file":
        return [beginning(plain, FILE_PACKETS), beginning(plain, 5), gzip.compress(beginning(plain, 20)), PCAPNG]
    if target == "records":
        return [beginning(plain, 5), PCAPNG]
    messages = {frame[UDP_PAYLOAD:] for frame in frames if sip.starts_here(frame[UDP_PAYLOAD:])}
    if target == "hep":
        return [hep(one) for one in (*ODD_MESSAGES, *sorted(messages)[:100])] + [hep(b"x") * 3]
    return [*ODD_MESSAGES, *sorted(messages)]


def beginning(pcap: bytes, packets: int) -> bytes:
    """The first packets of a little-endian pcap."""
    return pcap[:PCAP_HEADER_BYTES] + b"".join(islice(pcap_records(pcap), packets))


def pieces(pcap: bytes, packets: int) -> list[bytes]:
    """A little-endian pcap as many, each of `packets`."""
    records = list(pcap_records(pcap))
    parts = (records[at : at + packets] for at in range(0, len(records), packets))
    return [pcap[:PCAP_HEADER_BYTES] + b"".join(part) for part in parts]
