"""Session descriptions in a product's own shape (RFC 4566), offers and answers (RFC 3264)."""

from __future__ import annotations

from random import Random

from simulator.media import PAYLOAD_BYTES
from simulator.vendors import CODECS, SdpShape


class Description:
    """One side's description; its version counts up with every change (RFC 3264 8)."""

    def __init__(self, shape: SdpShape, address: str, port: int, rng: Random, answer_to: tuple[int, ...] = ()):
        self.address, self.port = address, port
        self.codecs = _answered(shape.codecs, answer_to) if answer_to else shape.codecs
        self._shape = shape
        self._id = shape.id.draw(rng)
        self._version = int(self._id) if shape.version_is_id else 1
        self._media = self._media_lines()

    @property
    def voice(self) -> int:
        """The payload type that its RTP has."""
        return next(codec for codec in (*self.codecs, 8) if codec in PAYLOAD_BYTES)

    def text(self, direction: str = "") -> str:
        """The body; a `direction` other than sendrecv holds the other side (RFC 3264 8.4)."""
        shape, media = self._shape, self._media
        if direction:
            self._version += 1
            media = media.replace("a=sendrecv\r\n", "") + f"a={direction}\r\n"
        return (
            f"v=0\r\no={shape.user} {self._id} {self._version} IN IP4 {self.address}\r\ns={shape.session}\r\n"
            f"c=IN IP4 {self.address}\r\n{media}"
        )

    def _media_lines(self) -> str:
        shape = self._shape
        lines = [f"b={shape.bandwidth}"] if shape.bandwidth else []
        lines += ["t=0 0", f"m=audio {self.port} RTP/AVP {' '.join(map(str, self.codecs))}"]
        if shape.rtcp:
            lines.append(f"a=rtcp:{self.port + 1} IN IP4 {self.address}")
        for codec in self.codecs:
            if codec >= 96 or shape.map_static:
                lines.append(f"a=rtpmap:{codec} {CODECS[codec]}")
            if _carries_events(codec):
                lines.append(f"a=fmtp:{codec} {shape.events}")
            elif codec == 18:
                lines.append("a=fmtp:18 annexb=no")
        lines += [f"a={attribute}" for attribute in shape.attributes]
        return "\r\n".join(lines) + "\r\n"


def _carries_events(codec: int) -> bool:
    return CODECS[codec].startswith("telephone-event")


def _answered(own: tuple[int, ...], offered: tuple[int, ...]) -> tuple[int, ...]:
    """The first common voice codec that the simulator can send, and the events' payload type as offered."""
    voice = [codec for codec in offered if codec in PAYLOAD_BYTES]
    common = [codec for codec in voice if codec in own] or voice
    return (*common[:1], *(codec for codec in offered if _carries_events(codec)))
