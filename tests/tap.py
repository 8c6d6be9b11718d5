"""A tap in a made-up network: SIP messages and RTP written as a capture, and what the pipeline says of it."""

import json
import struct
from dataclasses import dataclass, field
from pathlib import Path

from appliance.config import Config, Limits
from appliance.pipeline import Pipeline

CALLER = ("192.0.2.10", 5060)
CALLEE = ("198.51.100.20", 5060)
START_S = 1_700_000_000

SDP = (
    "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 8 101\r\n"
    "a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
)


def sip(
    start_line,
    *,
    call_id="call-1",
    cseq=1,
    method,
    branch="b1",
    from_tag="alice",
    to_tag=None,
    sdp=None,
    caller="+493012345678",
    callee="+442079460123",
    extra=(),
):
    """One SIP message as bytes."""
    body = SDP.format(ip=sdp[0], port=sdp[1]) if sdp else ""
    lines = [
        start_line,
        f"Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK-{branch}",
        f"From: <sip:{caller}@example.org>" + (f";tag={from_tag}" if from_tag else ""),
        f"To: <sip:{callee}@example.net>" + (f";tag={to_tag}" if to_tag else ""),
        f"Call-ID: {call_id}",
        f"CSeq: {cseq} {method}",
        *extra,
        *(["Content-Type: application/sdp"] if sdp else []),
        f"Content-Length: {len(body)}",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def request(method, *, callee="+442079460123", **fields):
    return sip(f"{method} sip:{callee}@example.net SIP/2.0", method=method, callee=callee, **fields)


def response(status, *, method="INVITE", **fields):
    return sip(f"SIP/2.0 {status} Reason", method=method, **fields)


def udp_frame(source, destination, payload):
    """Ethernet, IPv4 and UDP around a payload; checksums are left at 0, which captures of offloaded cards have."""
    ends = (address(source), address(destination))
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28 + len(payload), 0, 0, 64, 17, 0, *ends)
    udp = struct.pack("!HHHH", source[1], destination[1], 8 + len(payload), 0)
    return bytes(12) + b"\x08\x00" + ip + udp + payload


def address(endpoint):
    return bytes(map(int, endpoint[0].split(".")))


@dataclass
class Tap:
    """Collects packets; time moves by `wait`."""

    now_s: float = START_S
    packets: list = field(default_factory=list)

    def wait(self, seconds):
        self.now_s += seconds
        return self

    def send(self, payload, source=CALLER, destination=CALLEE, after=0.01):
        self.packets.append((self.now_s, udp_frame(source, destination, payload)))
        return self.wait(after)

    def reply(self, payload, source=CALLEE, destination=CALLER, after=0.01):
        return self.send(payload, source, destination, after)

    def rtp(
        self, source, destination, *, count=50, ssrc=0x1234, payload_type=8, sequence=1, interval_s=0.02, payloads=()
    ):
        """Idle code, or these payloads."""
        for i, payload in enumerate(payloads or [bytes(160)] * count):
            header = struct.pack("!BBHII", 0x80, payload_type, (sequence + i) & 0xFFFF, 160 * i, ssrc)
            self.send(header + payload, source, destination, interval_s)
        return self

    def write(self, path: Path, snaplen=65535) -> Path:
        with path.open("wb") as file:
            file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, snaplen, 1))
            for time_s, frame in self.packets:
                kept = frame[:snaplen]
                microseconds = round(time_s % 1 * 1e6) % 1_000_000
                file.write(struct.pack("<IIII", int(time_s), microseconds, len(kept), len(frame)) + kept)
        return path


def screen(path, **limits):
    """The JSON lines of a capture, as dicts; `limits` go over those of the default configuration."""
    lines = []
    pipeline = Pipeline(Config(limits=Limits(**limits)))
    pipeline.screen_file(path, lines.append)
    pipeline.finish(lines.append)
    return [json.loads(line) for line in b"".join(lines).splitlines()] + [pipeline.summary()]


def calls_of(lines):
    return {line["call_id"]: line for line in lines if line.get("type") == "call"}
