"""HEP version 3 messages for tests, written by the document: github.com/sipcapture/HEP, revision 3."""

import socket
import struct
import time

UDP, TCP = 17, 6
SIP, RTCP_JSON = 1, 5


def chunk(kind, value, vendor=0):
    return struct.pack("!HHH", vendor, kind, 6 + len(value)) + value


def whole(*chunks):
    body = b"".join(chunks)
    return b"HEP3" + struct.pack("!H", 6 + len(body)) + body


def addressed(source, destination):
    family, kinds = (socket.AF_INET6, (5, 6)) if ":" in source[0] else (socket.AF_INET, (3, 4))
    ends = zip(kinds, (7, 8), (source, destination), strict=True)
    return [
        chunk(1, bytes([10 if family == socket.AF_INET6 else 2])),
        *(
            chunk(kind, socket.inet_pton(family, end[0])) + chunk(port, struct.pack("!H", end[1]))
            for kind, port, end in ends
        ),
    ]


def hep(
    payload,
    source=("192.0.2.10", 5060),
    destination=("198.51.100.20", 5060),
    *,
    time_ns=None,
    protocol=UDP,
    kind=SIP,
    key=None,
    compressed=False,
):
    """One message as bytes; now, when no time is given."""
    seconds, rest_ns = divmod(time.time_ns() if time_ns is None else time_ns, 10**9)
    return whole(
        *addressed(source, destination),
        chunk(2, bytes([protocol])),
        chunk(9, struct.pack("!I", seconds)),
        chunk(10, struct.pack("!I", rest_ns // 1000)),
        chunk(11, bytes([kind])),
        chunk(12, struct.pack("!I", 2001)),
        *([] if key is None else [chunk(14, key)]),
        chunk(16 if compressed else 15, payload),
    )


# Version 2 with a header for IPv4, and version 1.
OLD = b"\x02\x10\x02\x11\x13\xc4\x13\xc4" + bytes(8 + 12) + b"OPTIONS", b"\x01\x10\x02\x11\x13\xc4\x13\xc4" + bytes(8)
