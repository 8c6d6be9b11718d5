"""`python -m benchmarks.live.replay CAPTURE INTERFACE RATE PACKETS`: sends it evenly, and says how it went as JSON.

Each round through the capture has calls of its own: in Call-IDs and telephone numbers some digits are counted on, in
all messages of a call alike. So shapes, and who calls whom how often within a round, stay what they are.
"""

import json
import re
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.live.sender import Sender
from benchmarks.live.traffic import CALL_ID, UDP_PAYLOAD
from capture import sip
from capture.file import CaptureFile

PACKET_QDISC_BYPASS, SOL_PACKET = 20, 263  # linux/if_packet.h
SEND_BYTES = 4 << 20
NUMBER = re.compile(rb"""(?:sips?:|tel:|")\+?(\d{7,15})""")
DIGITS = 4  # of a Call-ID its first, of a number its last: 10,000 rounds until they come again


def marks(message: bytes) -> Iterator[tuple[int, int]]:
    """(place, weight) of each digit of a SIP message that is counted on: every `weight` rounds."""
    if found := CALL_ID.search(message):
        digits = [at for at in range(*found.span(1)) if chr(message[at]).isdigit()]
        yield from zip(digits[:DIGITS], (1, 10, 100, 1000), strict=False)
    for number in NUMBER.finditer(message):
        yield from zip(range(number.end(1) - DIGITS, number.end(1)), (1000, 100, 10, 1), strict=True)


def sender(capture: Path) -> tuple[Sender, np.ndarray]:
    """What sends the capture, of UDP over IPv4, and uint32 [n]: how many of its first 1, 2, ... n packets are SIP."""
    frames = bytearray()
    ends, kinds, placed = [], [], []
    with CaptureFile(capture) as opened:
        for _, _, frame, _ in opened:
            is_sip = sip.starts_here(frame[UDP_PAYLOAD:])
            begin = len(frames) + UDP_PAYLOAD
            if is_sip:
                placed += [(begin + at, weight) for at, weight in marks(frame[UDP_PAYLOAD:])]
            frames += frame
            if is_sip:  # RFC 768: 0 is no checksum, and the message will be another
                frames[begin - 2 : begin] = b"\0\0"
            ends.append(len(frames))
            kinds.append(is_sip)
    places = np.array(sorted(placed), np.uint32).reshape(-1, 2)
    one = Sender(frames, np.array(ends, np.uint32), places[:, 0].copy(), places[:, 1].copy())
    return one, np.cumsum(kinds, dtype=np.uint32)


def main(capture: Path, interface: str, rate: float, packets: int) -> None:
    one, sip_packets = sender(capture)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as out:
        out.setsockopt(SOL_PACKET, PACKET_QDISC_BYPASS, 1)
        out.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
        out.bind((interface, 0))
        one.send(out.fileno(), rate, packets)
    rounds, rest = divmod(one.sent, len(sip_packets))
    sip_sent = rounds * int(sip_packets[-1]) + (int(sip_packets[rest - 1]) if rest else 0)
    print(
        json.dumps(
            {
                "packets": one.sent,
                "sip_packets": sip_sent,
                "seconds": one.elapsed_s,
                "most_behind_s": one.most_behind_s,
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]), int(sys.argv[4]))
