"""RTP and RTCP headers: RFC 3550, RFC 5761, RFC 7983."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.rtp import RTP, RTPExtension

from capture import rtp

SENDER_REPORT = bytes.fromhex("80c80006" + "00" * 24)
RECEIVER_REPORT = bytes.fromhex("80c9000100000001")
SOURCE_DESCRIPTION = bytes.fromhex("81ca0003000000010103616263000000")
GOODBYE = bytes.fromhex("81cb000100000001")


@given(
    sequence=st.integers(0, 65535),
    timestamp=st.integers(0, 2**32 - 1),
    ssrc=st.integers(0, 2**32 - 1),
    payload_type=st.integers(0, 63) | st.integers(96, 127),
    marker=st.booleans(),
    contributors=st.lists(st.integers(0, 2**32 - 1), max_size=15),
    extension=st.none() | st.integers(0, 20),
    padding=st.integers(0, 255),
    payload=st.binary(min_size=0, max_size=300),
)
def test_what_scapy_makes_is_read(
    sequence, timestamp, ssrc, payload_type, marker, contributors, extension, padding, payload
):
    header = RTP(
        padding=padding > 0,
        extension=extension is not None,
        numsync=len(contributors),
        marker=marker,
        payload_type=payload_type,
        sequence=sequence,
        timestamp=timestamp,
        sourcesync=ssrc,
        sync=contributors,
    )
    datagram = bytes(header)
    if extension is not None:
        datagram += bytes(RTPExtension(header_id=1, header=[7] * extension))
    datagram += payload
    if padding:
        datagram += bytes(padding - 1) + bytes([padding])
    assert rtp.read(datagram) == {
        "marker": marker,
        "payload_type": payload_type,
        "sequence": sequence,
        "timestamp": timestamp,
        "ssrc": ssrc,
        "payload_bytes": len(payload),
    }


HEADER = bytes.fromhex("80000001000000a0deadbeef")


def with_first(byte: int, rest: bytes = HEADER[1:]) -> bytes:
    return bytes([byte]) + rest


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        HEADER[:11],
        with_first(0x40),
        with_first(0xC0),
        with_first(0x00),  # versions 1, 3, 0
        with_first(0x81),
        with_first(0x8F) + bytes(59),  # CSRC list cut
        with_first(0x90),
        with_first(0x90) + b"\0\0\0\1\0\0\0",  # extension cut
        with_first(0x90) + b"\0\0\xff\xff" + bytes(1000),  # extension longer than the packet
        with_first(0xA0) + b"\0\0\0\0",  # padding of no bytes
        with_first(0xA0) + b"\0\0\0\5",  # padding longer than the payload
    ],
    ids=lambda datagram: datagram[:4].hex() + f"-{len(datagram)}",
)
def test_what_rfc_3550_a_1_rejects_is_no_rtp(datagram):
    assert rtp.read(datagram) is None


def test_padding_of_a_packet_that_the_capture_cut_is_not_judged():
    assert rtp.read(with_first(0xA0) + b"\0\0\0\0", truncated=True)["payload_bytes"] == 4


@pytest.mark.parametrize("second", range(192, 224))
def test_rtcp_packet_types_are_no_rtp(second):
    assert rtp.read(HEADER[:1] + bytes([second]) + HEADER[2:] + bytes(8)) is None


@pytest.mark.parametrize(
    "datagram",
    [
        SENDER_REPORT,
        RECEIVER_REPORT,
        SENDER_REPORT + SOURCE_DESCRIPTION,
        RECEIVER_REPORT + SOURCE_DESCRIPTION + GOODBYE,
    ],
)
def test_compound_rtcp_is_known(datagram):
    assert rtp.is_rtcp(datagram)


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        SENDER_REPORT[:7],
        SENDER_REPORT[:-4],
        SENDER_REPORT + b"\0\0\0\0",
        SOURCE_DESCRIPTION,  # RFC 3550 6.1: the first is a report
        b"\xa0" + RECEIVER_REPORT[1:],  # A.2: the first has no padding
        SENDER_REPORT + HEADER,
    ],
    ids=lambda datagram: datagram[:4].hex() + f"-{len(datagram)}",
)
def test_what_rfc_3550_a_2_rejects_is_no_rtcp(datagram):
    assert not rtp.is_rtcp(datagram)


def test_rtcp_that_the_capture_cut_is_known():
    assert rtp.is_rtcp((SENDER_REPORT + SOURCE_DESCRIPTION)[:40], truncated=True)


@given(st.binary(max_size=100), st.booleans())
def test_any_bytes_are_survived(datagram, truncated):
    read = rtp.read(datagram, truncated)
    assert read is None or read["payload_bytes"] <= len(datagram) - 12
    rtp.is_rtcp(datagram, truncated)
    rtp.protocol(datagram)


@pytest.mark.parametrize(
    ("first", "name"),
    [
        (0, "stun"),
        (3, "stun"),
        (4, "other"),
        (16, "zrtp"),
        (19, "zrtp"),
        (20, "dtls"),
        (63, "dtls"),
        (64, "turn"),
        (79, "turn"),
        (80, "other"),
        (127, "other"),
        (128, "rtp or rtcp"),
        (191, "rtp or rtcp"),
        (192, "other"),
    ],
)
def test_the_first_byte_tells_the_protocol_as_in_rfc_7983(first, name):
    assert rtp.protocol(bytes([first])) == name
