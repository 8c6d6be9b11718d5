"""What is sent: SIP and RTP mixed, from the two benchmark captures, and who sends it."""

import json
import os
import re
import struct
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from benchmarks.live.link import PORT, sending
from capture import sip
from capture.file import CaptureFile

# One packet of a capture of signalling, 19 of one of media, which has its own SIP: between a trunk without media, and
# calls of three minutes, of which one packet in a thousand is SIP.
MEDIA_FOR_ONE = 19
SIGNALLING_PACKETS = 25_000
PACKETS = SIGNALLING_PACKETS * (MEDIA_FOR_ONE + 1)
TOP_RATE = 500_000  # about what is sent at most: only says how often the capture is sent
UDP_PAYLOAD = 14 + 20 + 8
PCAP_HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
# MALLOC_ARENA_MAX as in the unit
ENVIRONMENT = os.environ | {"PYTHONPATH": os.fspath(Path(__file__).parents[2]), "MALLOC_ARENA_MAX": "2"}
CALL_ID = re.compile(rb"^(?:Call-ID|i)[ \t]*:[ \t]*([^\r\n]+)", re.IGNORECASE | re.MULTILINE)
RATED = re.compile(r"Actual: (\d+) packets .* in ([\d.]+) seconds")


@dataclass(frozen=True)
class Sent:
    packets: int
    sip_packets: int
    seconds: float
    most_behind_s: float | None = None  # how late a packet was sent at most; None: it does not say

    @property
    def rate(self) -> float:
        return self.packets / self.seconds


def make(signalling: Path, media: Path, out: Path) -> None:
    """Mixes the beginnings of both into `out`."""
    partial = out.with_suffix(".partial")
    with CaptureFile(signalling) as calls, CaptureFile(media) as streams, partial.open("wb") as file:
        file.write(PCAP_HEADER)
        rest = iter(streams)
        for _, _, message, _ in islice(calls, SIGNALLING_PACKETS):
            for frame in (message, *(one for _, _, one, _ in islice(rest, MEDIA_FOR_ONE))):
                file.write(bytes(8) + 2 * len(frame).to_bytes(4, "little") + frame)
    partial.rename(out)


def sip_packets(capture: Path, packets: int | None = None) -> int:
    """How many of the first `packets`, or of all, are SIP over UDP and IPv4."""
    with CaptureFile(capture) as opened:
        return sum(sip.starts_here(frame[UDP_PAYLOAD:]) for _, _, frame, _ in islice(opened, packets))


def packets_a_call(capture: Path) -> float:
    """Of a capture of signalling: its packets by its Call-IDs that had an INVITE."""
    packets, calls = 0, set()
    with CaptureFile(capture) as opened:
        for _, _, frame, _ in opened:
            packets += 1
            if frame[UDP_PAYLOAD : UDP_PAYLOAD + 7] == b"INVITE ":
                found = CALL_ID.search(frame)
                calls.add(found and found[1])
    return packets / len(calls)


def send(capture: Path, rate: int, seconds: float, *, tcpreplay: bool = False, before: Sequence[str] = ()) -> Sent:
    """Sends the capture for about `seconds`, again and again, at `rate` a second; 0 is as fast as can be.

    `before` stands in front of the command, such as `nice`.
    """
    packets = round((rate or TOP_RATE) * seconds)
    return (_tcpreplay if tcpreplay else _replay)(capture, rate, packets, before)


def _replay(capture: Path, rate: int, packets: int, before: Sequence[str]) -> Sent:
    """By our own sender: evenly, and each round with calls of its own."""
    command = [sys.executable, "-m", "benchmarks.live.replay", str(capture), PORT, str(rate), str(packets)]
    done = subprocess.run(sending([*before, *command]), check=True, capture_output=True, text=True, env=ENVIRONMENT)
    return Sent(**json.loads(done.stdout))


def _tcpreplay(capture: Path, rate: int, packets: int, before: Sequence[str]) -> Sent:
    """The same calls again each round."""
    speed = f"--pps={rate}" if rate else "--topspeed"
    loops = max(1, round(packets / PACKETS))
    length = [f"--limit={packets}"] if packets < PACKETS else [f"--loop={loops}"]
    command = sending([*before, "tcpreplay", "-q", "-K", *length, speed, "-i", PORT, str(capture)])
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = RATED.search(done.stdout + done.stderr)
    if found is None:
        raise RuntimeError(f"tcpreplay does not say what it sent: {done.stdout}{done.stderr}")
    sip_sent = sip_packets(capture, packets) if packets < PACKETS else loops * sip_packets(capture)
    return Sent(int(found[1]), sip_sent, float(found[2]))
