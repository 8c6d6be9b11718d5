"""Whatever the segments look like, a TCP stream gives the same messages: whole, and byte by byte."""

from capture.tcp import StreamTable

CLIENT, SERVER = ("192.0.2.1", 40000), ("198.51.100.1", 5060)
SYN, ACK = 0x02, 0x10
STREAM_BYTES = 4096  # one call of the table for each
HANDSHAKE = b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: sip\r\n\r\n"
GOOD = (
    b"OPTIONS sip:a@a SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z9hG4bK1\r\nFrom: <sip:a@a>;tag=1\r\nTo: <sip:b@b>\r\n"
    b"Call-ID: x\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)


def messages(data: bytes, segment_bytes: int) -> list[bytes]:
    table = StreamTable(connections=2, buffer_bytes=262144, secret=1)
    table.feed_segment(CLIENT, SERVER, 0xFFFFFFF0, SYN, b"", 0)
    found = []
    for at in range(0, len(data), segment_bytes):
        sequence = (0xFFFFFFF1 + at) % 2**32
        found += table.feed_segment(CLIENT, SERVER, sequence, ACK, data[at : at + segment_bytes], at)
    return found


def frame(payload: bytes) -> bytes:
    """One unmasked text frame (RFC 6455 5.2)."""
    return (
        b"\x81\x7e" + len(payload).to_bytes(2, "big") + payload
        if len(payload) > 125
        else (b"\x81" + bytes([len(payload)]) + payload)
    )


def tcp_segments(data: bytes) -> None:
    """A message behind a good one, in plain and in frames, and frames that are broken themselves."""
    data = data[:STREAM_BYTES]
    for stream in (data + GOOD, GOOD + data + GOOD, HANDSHAKE + frame(data) + frame(GOOD), HANDSHAKE + data):
        whole = messages(stream, len(stream))
        assert messages(stream, 1) == whole
        assert messages(stream, 700) == whole
