"""What is sent: SIP and RTP mixed, from the two benchmark captures, and tcpreplay that sends it."""

import re
import subprocess
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from benchmarks.live.link import PORT, sending
from capture import sip
from capture.file import CaptureFile

# Of every 20 packets one is SIP: calls of three minutes have about one in a thousand, trunks without media only SIP.
RTP_FOR_A_SIP = 19
SIP_PACKETS = 25_000
UDP_PAYLOAD = 14 + 20 + 8
RATED = re.compile(r"Actual: (\d+) packets .* in ([\d.]+) seconds")


@dataclass(frozen=True)
class Sent:
    packets: int
    seconds: float

    @property
    def rate(self) -> float:
        return self.packets / self.seconds


def make(signalling: Path, media: Path, out: Path) -> int:
    """Mixes the beginnings of both into `out`; how many SIP packets are in it."""
    partial = out.with_suffix(".partial")
    count = 0
    with CaptureFile(signalling) as calls, CaptureFile(media) as streams, partial.open("wb") as file:
        file.write(bytes.fromhex("d4c3b2a10200040000000000000000000000040001000000"))
        rtp = iter(streams)
        for _, _, message, _ in islice(calls, SIP_PACKETS):
            for frame in (message, *(one for _, _, one, _ in islice(rtp, RTP_FOR_A_SIP))):
                file.write(b"\0\0\0\0\0\0\0\0" + 2 * len(frame).to_bytes(4, "little") + frame)
                count += sip.starts_here(frame[UDP_PAYLOAD:])
    partial.rename(out)
    return count


def send(capture: Path, rate: int, seconds: float, packets: int) -> Sent:
    """Sends `packets` of the capture a time, again and again, at `rate` a second; 0 is as fast as tcpreplay can."""
    speed = f"--pps={rate}" if rate else "--topspeed"
    loops = max(1, round((rate or 200_000) * seconds / packets))
    command = sending(["tcpreplay", "-q", "-K", f"--loop={loops}", speed, "-i", PORT, str(capture)])
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = RATED.search(done.stdout + done.stderr)
    if found is None:
        raise RuntimeError(f"tcpreplay does not say what it sent: {done.stdout}{done.stderr}")
    return Sent(int(found[1]), float(found[2]))
