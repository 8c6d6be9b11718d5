"""SIP messages and session descriptions in a product's own writing (RFC 3261 7, RFC 4566)."""
from __future__ import annotations

from random import Random

from simulator.vendors import CODECS, SdpShape, Style

REASONS = {
    100: "Trying", 180: "Ringing", 183: "Session Progress", 200: "OK", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
    407: "Proxy Authentication Required", 408: "Request Timeout", 480: "Temporarily Unavailable", 484: "Address Incomplete",
    486: "Busy Here", 487: "Request Terminated", 488: "Not Acceptable Here", 500: "Server Internal Error", 503: "Service Unavailable",
    603: "Decline",
}

Fields = dict[str, str]


def render(start_line: str, style: Style, fields: Fields, body: str = "") -> bytes:
    """The message, its header fields in the style's order; a field that the style's order lacks is not sent."""
    fields["Content-Length"] = str(len(body))
    lines = [start_line]
    for name, prefix in style.prefixes:
        value = fields.get(name)
        if value is not None:
            lines.append(prefix + value)
    lines.append("\r\n" + body)
    return "\r\n".join(lines).encode()


def status_line(code: int) -> str:
    return f"SIP/2.0 {code} {REASONS[code]}"


class Description:
    """One side's session description; the version counts up with every new offer (RFC 3264 8)."""

    def __init__(self, shape: SdpShape, address: str, port: int, rng: Random, answer_to: tuple[int, ...] = ()):
        self.address, self.port = address, port
        self._shape = shape
        self._id = shape.session_id(rng)
        self._version = int(self._id) if shape.version_is_id else 1
        self._codecs = shape.codecs
        if answer_to:
            voice = [codec for codec in answer_to if codec in shape.codecs and codec in STREAMABLE] or [codec for codec in answer_to if codec in STREAMABLE]
            self._codecs = (*voice[:1], *(codec for codec in answer_to if "telephone-event" in CODECS[codec]))
        self._media = self._media_lines()

    @property
    def codecs(self) -> tuple[int, ...]:
        return self._codecs

    @property
    def voice(self) -> int:
        """The payload type that its RTP uses."""
        return next((codec for codec in self._codecs if codec in STREAMABLE), 8)

    def text(self, direction: str = "") -> str:
        """The body; `direction` replaces sendrecv for a hold (RFC 3264 8.4)."""
        shape = self._shape
        body = (f"v=0\r\no={shape.user} {self._id} {self._version} IN IP4 {self.address}\r\ns={shape.session}\r\n"
                f"c=IN IP4 {self.address}\r\n{self._media}")
        if direction:
            self._version += 1
            body = body.replace("a=sendrecv\r\n", "") + f"a={direction}\r\n"
        return body

    def _media_lines(self) -> str:
        shape = self._shape
        lines = [f"b={shape.bandwidth}"] if shape.bandwidth else []
        lines += ["t=0 0", f"m=audio {self.port} RTP/AVP {' '.join(map(str, self._codecs))}"]
        if shape.rtcp:
            lines.append(f"a=rtcp:{self.port + 1} IN IP4 {self.address}")
        for codec in self._codecs:
            if codec >= 96 or shape.map_static:
                lines.append(f"a=rtpmap:{codec} {CODECS[codec]}")
            if CODECS[codec].startswith("telephone-event"):
                lines.append(f"a=fmtp:{codec} {shape.events_fmtp}")
            elif codec == 18:
                lines.append("a=fmtp:18 annexb=no")
        lines += [f"a={attribute}" for attribute in shape.attributes]
        return "\r\n".join(lines) + "\r\n"


STREAMABLE = {0: 160, 8: 160, 18: 20}   # payload types that simulator.media can send -> bytes in 20 ms
