"""Ethernet II, IPv4 (RFC 791) and UDP (RFC 768) around a payload; the pieces that do not change are kept."""

from __future__ import annotations

import socket
import struct
from functools import lru_cache

from simulator.intent import Endpoint

ETHERNET_BYTES, IPV4_BYTES, UDP_BYTES = 14, 20, 8
HEADER_BYTES = ETHERNET_BYTES + IPV4_BYTES + UDP_BYTES
ETHERNET_LIMIT_BYTES = ETHERNET_BYTES + 1500  # of one frame on the wire

_SERVER_SIDE_MAC, _FAR_SIDE_MAC = bytes.fromhex("0242ac110005"), bytes.fromhex("0242ac1100fe")
_LENGTHS = struct.Struct("!H")
_UDP = struct.Struct("!HHHH")
_TTL, _PROTOCOL_UDP, _DSCP_SIGNALLING = 62, 17, 0x60
_MORE_FRAGMENTS = 0x2000


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
    """One Ethernet frame, however long; the IPv4 checksum is right, the UDP checksum is 0 (not used, RFC 768)."""
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


def fragments(whole: bytes) -> list[bytes]:
    """The frames that one too long for the wire becomes (RFC 791 3.2); one that fits is left alone."""
    if len(whole) <= ETHERNET_LIMIT_BYTES:
        return [whole]
    start = ETHERNET_BYTES + IPV4_BYTES
    data, step = whole[start:], (ETHERNET_LIMIT_BYTES - start) // 8 * 8
    return [
        whole[:ETHERNET_BYTES] + _fragment(whole[ETHERNET_BYTES:start], at, data[at : at + step], len(data))
        for at in range(0, len(data), step)
    ]


def _fragment(header: bytes, at: int, part: bytes, total: int) -> bytes:
    """The IPv4 header of the part that begins `at` bytes into a datagram of `total`, and the part."""
    flags = at // 8 | (_MORE_FRAGMENTS if at + len(part) < total else 0)
    before = header[:2] + struct.pack("!H2sH2s", IPV4_BYTES + len(part), header[4:6], flags, header[8:10])
    checksum = sum(struct.unpack("!9H", before + header[12:]))
    checksum = (checksum & 0xFFFF) + (checksum >> 16)
    checksum = ~((checksum & 0xFFFF) + (checksum >> 16)) & 0xFFFF
    return before + _LENGTHS.pack(checksum) + header[12:] + part


@lru_cache(maxsize=65536)
def _addresses(source: str, destination: str) -> bytes:
    return socket.inet_aton(source) + socket.inet_aton(destination)
