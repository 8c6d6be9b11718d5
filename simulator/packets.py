"""Ethernet II, IPv4 (RFC 791) and UDP (RFC 768) around a payload; the pieces that do not change are kept."""

from __future__ import annotations

import socket
import struct
from functools import lru_cache

from simulator.intent import Endpoint

ETHERNET_BYTES, IPV4_BYTES, UDP_BYTES = 14, 20, 8
HEADER_BYTES = ETHERNET_BYTES + IPV4_BYTES + UDP_BYTES
UDP_PAYLOAD_LIMIT_BYTES = 1472  # of one Ethernet frame; nothing here is fragmented

_SERVER_SIDE_MAC, _FAR_SIDE_MAC = bytes.fromhex("0242ac110005"), bytes.fromhex("0242ac1100fe")
_LENGTHS = struct.Struct("!H")
_UDP = struct.Struct("!HHHH")
_TTL, _PROTOCOL_UDP, _DSCP_SIGNALLING = 62, 17, 0x60


@lru_cache(maxsize=65536)
def _pair(source: str, destination: str, inbound: bool) -> tuple[bytes, bytes, int]:
    """What is before and after the IPv4 length and identification, and the checksum's sum over both."""
    macs = (_SERVER_SIDE_MAC, _FAR_SIDE_MAC) if inbound else (_FAR_SIDE_MAC, _SERVER_SIDE_MAC)
    start = bytes((0x45, _DSCP_SIGNALLING))
    rest = struct.pack("!HBB", 0x4000, _TTL, _PROTOCOL_UDP)
    addresses = socket.inet_aton(source) + socket.inet_aton(destination)
    partial = sum(struct.unpack("!8H", start + rest + b"\0\0" + addresses))
    return b"".join(macs) + b"\x08\x00" + start, rest, partial


def frame(source: Endpoint, destination: Endpoint, payload: bytes, identification: int, inbound: bool) -> bytes:
    """One Ethernet frame; the IPv4 checksum is right, the UDP checksum is 0 (not used, RFC 768)."""
    before, rest, partial = _pair(source.address, destination.address, inbound)
    total = IPV4_BYTES + UDP_BYTES + len(payload)
    identification &= 0xFFFF
    checksum = partial + total + identification
    checksum = (checksum & 0xFFFF) + (checksum >> 16)
    checksum = ~((checksum & 0xFFFF) + (checksum >> 16)) & 0xFFFF
    return b"".join(
        (
            before,
            struct.pack("!HH", total, identification),
            rest,
            _LENGTHS.pack(checksum),
            _addresses(source.address, destination.address),
            _UDP.pack(source.port, destination.port, UDP_BYTES + len(payload), 0),
            payload,
        )
    )


@lru_cache(maxsize=65536)
def _addresses(source: str, destination: str) -> bytes:
    return socket.inet_aton(source) + socket.inet_aton(destination)
