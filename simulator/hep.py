"""A scenario played live as a proxy's capture agent would report it: HEP version 3 over UDP.

Source: github.com/sipcapture/HEP. For whoever may not capture. The addresses are those of the scenario and the moment
is now; only SIP is reported, and a message that was sent in IP fragments is left out, since an agent has the message
and never the fragments.
"""

from __future__ import annotations

import socket
import struct
import time

from simulator.intent import Endpoint
from simulator.packets import ETHERNET_BYTES, HEADER_BYTES, IPV4_BYTES
from simulator.player import Player

AGENT_ID = 2001
_CHUNK = struct.Struct("!HHH")
_IPV4, _UDP, _SIP = b"\x02", b"\x11", b"\x01"
_FRAGMENT = 0x3FFF  # more fragments, or an offset (RFC 791 3.1)


def message(whole: bytes, time_ns: int) -> bytes:
    """The HEP message about an Ethernet frame with an IPv4 UDP datagram."""
    ip = whole[ETHERNET_BYTES : ETHERNET_BYTES + IPV4_BYTES]
    ports = whole[ETHERNET_BYTES + IPV4_BYTES :]
    chunks = (
        (1, _IPV4),
        (2, _UDP),
        (3, ip[12:16]),
        (4, ip[16:20]),
        (7, ports[:2]),
        (8, ports[2:4]),
        (9, struct.pack("!I", time_ns // 10**9)),
        (10, struct.pack("!I", time_ns % 10**9 // 1000)),
        (11, _SIP),
        (12, struct.pack("!I", AGENT_ID)),
        (15, whole[HEADER_BYTES:]),
    )
    body = b"".join(_CHUNK.pack(0, kind, _CHUNK.size + len(value)) + value for kind, value in chunks)
    return b"HEP3" + struct.pack("!H", 6 + len(body)) + body


class HepPlayer(Player):
    """Reports the SIP messages of frames to an agent's server on the loopback interface."""

    def __init__(self, to: Endpoint, speed: float = 1.0):
        super().__init__(speed)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect((to.address, to.port))

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def _send(self, whole: bytes) -> None:
        is_fragment = int.from_bytes(whole[ETHERNET_BYTES + 6 : ETHERNET_BYTES + 8], "big") & _FRAGMENT
        if is_fragment or whole[HEADER_BYTES] >= 0x80:  # RTP is version 2 (RFC 3550 5.1); SIP begins with a letter
            self.skipped += 1
            return
        try:
            self._socket.send(message(whole, time.time_ns()))
            self.packets += 1
        except ConnectionRefusedError:  # nobody listens yet, or no longer: lost, as on any network
            self.skipped += 1
