"""Session descriptions: where media is expected, and in which encodings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture import sdp

HEAD = b"v=0\r\no=- 1 1 IN IP4 host.example.com\r\ns=-\r\n"


def media(*lines: bytes, connection: bytes = b"c=IN IP4 192.0.2.1") -> list[dict]:
    return sdp.read(HEAD + connection + b"\r\nt=0 0\r\n" + b"\r\n".join(lines) + b"\r\n")


def test_the_session_connection_is_that_of_every_medium_without_its_own() -> None:
    audio, video = media(b"m=audio 4000 RTP/AVP 0", b"m=video 5000 RTP/AVP 31", b"c=IN IP6 2001:db8::1")
    assert audio["rtp"] == ("192.0.2.1", 4000)
    assert video["rtp"] == ("2001:db8::1", 5000)


def test_a_medium_may_say_its_connection_before_another_that_does_not() -> None:
    first, second = media(b"m=audio 1 RTP/AVP 0", b"c=IN IP4 192.0.2.9", b"m=audio 2 RTP/AVP 0")
    assert (first["rtp"][0], second["rtp"][0]) == ("192.0.2.9", "192.0.2.1")


@pytest.mark.parametrize(
    "payload_type, name, clock_hz",
    [
        (0, "PCMU", 8000),
        (3, "GSM", 8000),
        (4, "G723", 8000),
        (5, "DVI4", 8000),
        (6, "DVI4", 16000),
        (7, "LPC", 8000),
        (8, "PCMA", 8000),
        (9, "G722", 8000),
        (10, "L16", 44100),
        (11, "L16", 44100),
        (12, "QCELP", 8000),
        (13, "CN", 8000),
        (14, "MPA", 90000),
        (15, "G728", 8000),
        (16, "DVI4", 11025),
        (17, "DVI4", 22050),
        (18, "G729", 8000),
        (26, "JPEG", 90000),
        (31, "H261", 90000),
        (33, "MP2T", 90000),
        (34, "H263", 90000),
        (1, "", 0),
        (35, "", 0),
        (96, "", 0),
    ],
)
def test_static_payload_types_are_those_of_rfc_3551(payload_type: int, name: str, clock_hz: int) -> None:
    [one] = media(b"m=audio 4000 RTP/AVP %d" % payload_type)
    assert one["formats"] == [(payload_type, name, clock_hz)]


def test_an_rtpmap_names_a_dynamic_type_and_overrules_a_static_one() -> None:
    [one] = media(
        b"m=audio 4000 RTP/AVP 96 0 101",
        b"a=rtpmap:96 opus/48000/2",
        b"a=rtpmap:0 X/16000",
        b"a=rtpmap:101 telephone-event/8000",
        b"a=rtpmap:77 absent/1",
    )
    assert one["formats"] == [(96, "OPUS", 48000), (0, "X", 16000), (101, "TELEPHONE-EVENT", 8000)]


def test_an_encoding_name_that_is_too_long_is_cut() -> None:
    [one] = media(b"m=audio 4000 RTP/AVP 96", b"a=rtpmap:96 abcdefghijklmnopqrstuvwxyz/8000")
    assert one["formats"] == [(96, "ABCDEFGHIJKLMNO", 8000)]


def test_a_number_of_ports_is_not_part_of_the_port() -> None:
    assert media(b"m=audio 49170/2 RTP/AVP 0")[0]["rtp"] == ("192.0.2.1", 49170)


def test_rtcp_is_one_port_higher() -> None:
    assert media(b"m=audio 4000 RTP/AVP 0")[0]["rtcp"] == ("192.0.2.1", 4001)
    assert media(b"m=audio 65535 RTP/AVP 0")[0]["rtcp"] == ("192.0.2.1", 0)


def test_rtcp_is_where_it_is_said_to_be() -> None:
    assert media(b"m=audio 4000 RTP/AVP 0", b"a=rtcp:53020")[0]["rtcp"] == ("192.0.2.1", 53020)
    [one] = media(b"m=audio 4000 RTP/AVP 0", b"a=rtcp:53020 IN IP6 2001:db8::2")
    assert one["rtcp"] == ("2001:db8::2", 53020)


def test_rtcp_may_be_on_the_port_of_rtp() -> None:
    assert media(b"m=audio 4000 RTP/SAVPF 0", b"a=rtcp:9", b"a=rtcp-mux")[0]["rtcp"] == ("192.0.2.1", 4000)
    assert media(b"m=audio 4000 RTP/SAVPF 0", b"a=rtcp-muxed")[0]["rtcp"] == ("192.0.2.1", 4001)


def test_a_declined_medium_has_port_0() -> None:
    [one] = media(b"m=audio 0 RTP/AVP 0")
    assert (one["rtp"][1], one["rtcp"][1]) == (0, 0)


@pytest.mark.parametrize(
    "protocol, is_rtp",
    [
        (b"RTP/AVP", True),
        (b"RTP/SAVP", True),
        (b"rtp/avpf", True),
        (b"UDP/TLS/RTP/SAVPF", True),
        (b"udptl", False),
        (b"TCP/MSRP", False),
        (b"UDP/BFCP", False),
        (b"RTP", False),
        (b"XRTP/AVP", False),
    ],
)
def test_rtp_is_told_by_the_protocol(protocol: bytes, is_rtp: bool) -> None:
    [one] = media(b"m=audio 4000 " + protocol + b" 0")
    assert one["is_rtp"] == is_rtp
    assert one["formats"] == ([(0, "PCMU", 8000)] if is_rtp else [])


def test_t38_is_an_image_and_not_rtp() -> None:
    [one] = media(b"m=image 4000 udptl t38", b"a=T38FaxVersion:0")
    assert (one["kind"], one["is_rtp"], one["formats"]) == ("image", False, [])


@pytest.mark.parametrize(
    "address, read",
    [
        (b"IP4 224.2.36.42/127", "224.2.36.42"),
        (b"IP6 FF15::101/3", "ff15::101"),
        (b"IP6 ::ffff:192.0.2.2", "192.0.2.2"),
        (b"IP4 0.0.0.0", "0.0.0.0"),
        (b"IP4 host.example.com", "::"),
        (b"IP4 1.2.3", "::"),
        (b"IP4 " + b"1" * 60, "::"),
    ],
)
def test_an_address_is_read_and_a_name_is_not_resolved(address: bytes, read: str) -> None:
    assert media(b"m=audio 4000 RTP/AVP 0", connection=b"c=IN " + address)[0]["rtp"][0] == read


def test_lines_may_end_with_a_bare_line_feed_or_not_at_all() -> None:
    text = HEAD + b"c=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0"
    assert sdp.read(text.replace(b"\r\n", b"\n")) == sdp.read(text)
    assert sdp.read(text)[0]["rtp"] == ("192.0.2.1", 4000)


def test_more_media_and_formats_than_are_kept_are_passed_over() -> None:
    formats = b" ".join(b"%d" % number for number in range(128))
    many = media(*[b"m=audio 4000 RTP/AVP " + formats] * 20)
    assert len(many) == 8
    assert {len(one["formats"]) for one in many} == {16}


def test_what_does_not_begin_with_a_version_is_no_session_description() -> None:
    assert sdp.read(b"") is None
    assert sdp.read(b"v=1\r\n") is None
    assert sdp.read(b"<sdp/>") is None
    assert sdp.read(HEAD) == []


WORDS = st.sampled_from(
    [
        b"v=0\r\n",
        b"c=IN IP4 1.2.3.4",
        b"\r\n",
        b"\n",
        b"m=audio ",
        b"4000",
        b" RTP/AVP",
        b" 0",
        b" 96",
        b"a=rtpmap:96 ",
        b"x/8000",
        b"a=rtcp:",
        b"a=rtcp-mux",
        b"m=",
        b"c=",
        b"a=",
        b"/",
        b":",
        b" ",
        b"\0",
        b"\xff",
        b"99999999999999999999",
        b"IN IP6 ::1",
    ]
)


@given(st.lists(WORDS, max_size=60).map(b"".join) | st.binary())
def test_whatever_comes_the_answer_keeps_its_bounds(text: bytes) -> None:
    for one in sdp.read(b"v=0\r\n" + text):
        assert all(0 <= port <= 65535 for _, port in (one["rtp"], one["rtcp"]))
        assert len(one["formats"]) <= 16
        assert all(payload_type <= 127 and len(name) <= 15 for payload_type, name, _ in one["formats"])


def test_the_media_of_real_captures_are_those_that_tshark_sees(corpus, tshark_fields) -> None:
    compared = 0
    for capture in sorted((corpus / "sip_pcap").rglob("*.pcap"))[:40]:
        rows = tshark_fields(capture, "sdp", "sdp.media.port", "udp.payload")
        for ports, payload in rows:
            text = bytes.fromhex(payload.replace(":", ""))
            begin = text.find(b"v=0\r\n")
            if not ports or begin < 0 or text.count(b"\r\nm=") > 8:
                continue
            assert [str(one["rtp"][1]) for one in sdp.read(text[begin:])] == ports.split("|"), capture
            compared += 1
    assert compared > 30


MEDIA_LINES = (
    b"m=audio 4000 RTP/AVP 0 8 101",
    b"m=audio 4002 RTP/AVP 0 8 101",
    b"m=audio 4004 RTP/AVP 101 8",
    b"m=video 5000 RTP/AVP 96",
    b"m=image 6000 udptl t38",
    b"a=rtpmap:101 telephone-event/8000",
    b"a=rtpmap:96 H264/90000",
    b"a=rtcp:4100 IN IP4 192.0.2.77",
    b"a=RTCP-mux",
    b"a=sendrecv",
    b"c=IN IP4 192.0.2.33",
    b"m=",
    b"a=r",
    b"",
)


@given(
    st.lists(st.lists(st.sampled_from(MEDIA_LINES), max_size=7), max_size=20), st.sampled_from([b"\r\n", b"\n", b""])
)
def test_what_is_remembered_of_others_changes_nothing(descriptions: list[list[bytes]], ending: bytes) -> None:
    memory = sdp.Memory(7)
    for lines in descriptions:
        text = HEAD + b"c=IN IP4 192.0.2.1\r\n" + b"\r\n".join(lines) + ending
        alone = sdp.read(text)
        assert sdp.read(text, memory) == alone
        assert sdp.read(text, memory) == alone
