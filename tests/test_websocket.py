"""SIP in WebSocket frames (RFC 6455, RFC 7118)."""

import os
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.utils import wrpcap

from capture import websocket
from capture.tcp import StreamTable
from tests.test_tcp import CLIENT, LARGEST_BUFFER_BYTES, SERVER, THREE, Sender, feed_capture, in_use_bytes, sip_message

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
REQUEST = (
    b"GET / HTTP/1.1\r\nHost: example.net\r\nupgrade: WebSocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: chat, sip\r\n"
    b"Sec-WebSocket-Version: 13\r\n\r\n"
)
ANSWER = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: sip\r\n\r\n"
)


def frame(
    payload: bytes,
    opcode: int = TEXT,
    mask: bytes | None = b"\x37\xfa\x21\x3d",
    final: bool = True,
    compressed: bool = False,
) -> bytes:
    head = bytes([final << 7 | compressed << 6 | opcode])
    masked = 0x80 if mask else 0
    if len(payload) < 126:
        head += bytes([masked | len(payload)])
    elif len(payload) < 65536:
        head += bytes([masked | 126]) + len(payload).to_bytes(2, "big")
    else:
        head += bytes([masked | 127]) + len(payload).to_bytes(8, "big")
    if mask:
        payload = bytes(byte ^ mask[n % 4] for n, byte in enumerate(payload))
        head += mask
    return head + payload


@pytest.fixture
def client() -> Sender:
    sender = Sender(StreamTable(secret=1))
    sender.syn()
    return sender


def whole(sender: Sender, data: bytes, offset: int = 0) -> list[bytes]:
    messages = []
    for at in range(0, len(data), 1400):
        messages += sender.segment(offset + at, data[at : at + 1400])
    return messages


def test_the_frames_of_rfc_6455_5_7_are_read():
    assert websocket.read_frame(b"\x81\x05Hello") == {
        "final": True,
        "opcode": TEXT,
        "compressed": False,
        "masked": False,
        "header_bytes": 2,
        "payload_bytes": 5,
    }
    assert websocket.read_frame(bytes.fromhex("818537fa213d7f9f4d5158"))["masked"]
    assert websocket.read_frame(b"\x01\x03Hel")["final"] is False
    assert websocket.read_frame(b"\x89\x05Hello")["opcode"] == PING
    assert websocket.read_frame(b"\x82\x7e\x01\x00")["payload_bytes"] == 256
    assert websocket.read_frame(bytes.fromhex("827f0000000000010000"))["payload_bytes"] == 65536


@pytest.mark.parametrize(
    "header",
    [
        b"\xa1\x05",
        b"\x91\x05",  # RSV2, RSV3
        b"\x83\x05",
        b"\x8b\x05",  # reserved opcodes
        b"\x09\x05",
        b"\x89\x7e\x00\x80",  # a control frame in fragments, or long
        b"\xc0\x05",
        b"\xc9\x05",  # RSV1 on what permessage-deflate does not mark
        b"\x81\x7e\x00\x7d",  # lengths not in their shortest form
        b"\x81\x7f\x00\x00\x00\x00\x00\x00\xff\xff",
        b"\x81\x7f\x80\x00\x00\x00\x00\x01\x00\x00",
    ],
)
def test_what_rfc_6455_5_2_forbids_is_no_frame(header):
    with pytest.raises(ValueError, match="RFC 6455"):
        websocket.read_frame(header)


@given(st.binary(max_size=13))
def test_a_cut_frame_header_waits_for_its_rest(tail):
    header = frame(b"x" * 70000)[:14]
    for length in range(14):
        assert websocket.read_frame(header[:length]) is None
    assert websocket.read_frame(header + tail)["header_bytes"] == 14


def test_only_a_handshake_for_sip_opens():
    assert websocket.opens_sip(REQUEST)
    assert websocket.opens_sip(ANSWER)
    assert not websocket.opens_sip(REQUEST.replace(b"chat, sip", b"chat, sips"))
    assert not websocket.opens_sip(REQUEST.replace(b"WebSocket\r\n", b"h2c\r\n"))
    assert not websocket.opens_sip(ANSWER.replace(b"101", b"200"))


def test_masked_messages_of_a_client_are_read(client):
    data = REQUEST + b"".join(frame(message, mask=os.urandom(4)) for message in THREE)
    assert whole(client, data) == THREE


def test_messages_of_a_server_are_read():
    server = Sender(StreamTable(secret=1), 1, SERVER, CLIENT)
    server.syn()
    assert whole(server, ANSWER + b"".join(frame(message, BINARY, None) for message in THREE)) == THREE


def test_a_message_without_content_length_ends_with_its_frame(client):
    message = THREE[2].replace(b"Content-Length: 14\r\n", b"")
    assert whole(client, REQUEST + frame(message) + frame(THREE[0])) == [message, THREE[0]]


def fragments(message: bytes, chance: random.Random, control: float = 0.4) -> bytes:
    """A message in several frames, with control frames between some of them (RFC 6455 5.4)."""
    data = b""
    at = 0
    opcode = TEXT
    while at < len(message):
        size = chance.randrange(1, 900)
        data += frame(message[at : at + size], opcode, chance.randbytes(4), final=at + size >= len(message))
        at += size
        opcode = CONTINUATION
        if chance.random() < control:
            data += frame(b"are you there", chance.choice([PING, PONG]), chance.randbytes(4))
    return data


@settings(max_examples=50)
@given(st.integers(0, 2**32), st.lists(st.integers(1, 1500), max_size=20))
def test_fragments_in_any_segments_give_the_same_messages(seed, sizes):
    chance = random.Random(seed)
    data = REQUEST + b"".join(fragments(message, chance) for message in THREE)
    sender = Sender(StreamTable(secret=1))
    sender.syn()
    assert sender.stream(data, sizes) == THREE


def test_a_stream_of_frames_byte_by_byte_gives_the_same_messages(client):
    data = REQUEST + b"".join(fragments(message, random.Random(1)) for message in THREE)
    assert client.stream(data, [1] * len(data)) == THREE


def test_frames_out_of_order_are_put_in_order(client):
    data = REQUEST + b"".join(frame(message) for message in THREE)
    assert client.segment(0, data[:150]) == []
    assert client.segment(900, data[900:]) == []
    assert client.segment(150, data[150:900]) == THREE


def test_another_subprotocol_is_not_sip(client):
    data = REQUEST.replace(b"chat, sip", b"chat") + frame(THREE[0])
    assert whole(client, data) == []
    assert client.table.counters["not_sip"] == 1


def test_keep_alives_in_frames_are_no_messages(client):
    data = REQUEST + frame(b"\r\n\r\n") + frame(b"") + frame(b"", PING) + frame(THREE[0])
    assert whole(client, data) == THREE[:1]


def test_a_compressed_message_is_passed_over(client):
    data = REQUEST + frame(b"\x00" * 300, compressed=True, final=False) + frame(b"\x01" * 20, CONTINUATION)
    assert whole(client, data + frame(THREE[0])) == THREE[:1]


def test_an_oversized_message_is_passed_over_and_not_kept(client):
    data = REQUEST + frame(b"x" * 400_000, final=False) + frame(b"y" * 200, CONTINUATION) + frame(THREE[0])
    assert whole(client, data) == THREE[:1]
    assert in_use_bytes(client.table) <= LARGEST_BUFFER_BYTES


def test_endless_fragments_are_not_kept(client):
    data = REQUEST + frame(b"x" * 1000, final=False)
    for _ in range(400):
        data += frame(b"x" * 1000, CONTINUATION, final=False)
    data += frame(b"x", CONTINUATION) + frame(THREE[0])
    assert whole(client, data) == THREE[:1]
    assert in_use_bytes(client.table) <= LARGEST_BUFFER_BYTES


def test_a_connection_is_joined_in_its_middle_at_a_frame_with_sip():
    sender = Sender(StreamTable(secret=1))
    first = frame(THREE[0])
    assert sender.segment(0, b"\x00" * 40) == []
    assert sender.segment(40, first) == THREE[:1]
    assert sender.segment(40 + len(first), frame(THREE[2])) == THREE[2:]


def test_after_a_lost_segment_frames_are_found_again(client):
    assert whole(client, REQUEST + frame(THREE[0])) == THREE[:1]
    offset = len(REQUEST + frame(THREE[0])) + 333
    assert client.segment(offset, frame(THREE[1])[:1000]) == []
    client.time_ns += 4_000_000_000
    rest = frame(THREE[1])[1000:]
    assert client.segment(offset + 1000, rest) == THREE[1:2]


def test_a_made_capture_agrees_with_tshark(tmp_path, tshark_fields):
    chance = random.Random(5)
    web = (SERVER[0], 80)
    streams = [
        (CLIENT, web, REQUEST, b"".join(fragments(sip_message(n, b"q" * 50 * n), chance, 0) for n in range(20))),
        (web, CLIENT, ANSWER, b"".join(frame(sip_message(n), TEXT, None) for n in range(100, 110))),
    ]
    opening, frames = [], []
    for source, destination, handshake, data in streams:
        head = Ether() / IP(src=source[0], dst=destination[0])
        ports = {"sport": source[1], "dport": destination[1]}
        opening.append(head / TCP(**ports, seq=0, flags="S" if source == CLIENT else "SA"))
        opening.append(head / TCP(**ports, seq=1, ack=1, flags="A") / handshake)
        frames += [
            head / TCP(**ports, seq=1 + len(handshake) + at, ack=1, flags="A") / data[at : at + 1000]
            for at in range(0, len(data), 1000)
        ]
    for n, packet in enumerate(opening + frames):
        packet.time = 1_000_000 + n * 0.001
    path = tmp_path / "websocket.pcap"
    wrpcap(str(path), opening + frames)
    rows = tshark_fields(path, "sip", "sip.Method")
    assert feed_capture(path) == Counter(word for (field,) in rows for word in field.split("|"))
    assert feed_capture(path)["MESSAGE"] == 30
