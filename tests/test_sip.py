"""The SIP reader: what is a message, what is in it, and that nothing makes it read outside of it."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.utils import wrpcap

from capture import sip
from capture.sip_check import canonical_name, check_message
from capture.sip_errors import SipError

FIELDS = (
    b"Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKabc;rport\r\n"
    b'From: "Alice" <sip:alice@example.com>;tag=f1\r\n'
    b"To: <sip:+4930123456@example.com;user=phone>;tag=t1\r\n"
    b"Call-ID: a84b4c76e66710@host\r\n"
    b"CSeq: 314159 INVITE\r\n"
)
REQUEST = b"INVITE sip:+4930123456@10.0.0.2:5080;transport=udp SIP/2.0\r\n" + FIELDS
INVITE = REQUEST + b"Content-Length: 0\r\n\r\n"
SDP = b"v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"


def with_body(body: bytes, content_type: bytes = b"application/sdp") -> bytes:
    return REQUEST + b"Content-Type: %b\r\nContent-Length: %d\r\n\r\n%b" % (content_type, len(body), body)


def fields_of(data: bytes) -> list[tuple[str, bytes]]:
    read = sip.read(data)
    return [(sip.HEADER_NAMES[kind], data[start:end]) for kind, _, _, start, end in read["fields"]]


# --- What is read ---------------------------------------------------------------------------------------------------


def test_a_request_is_read() -> None:
    read = sip.read(INVITE)
    assert (read["status"], read["kind"], read["method_name"]) == ("message", "request", b"INVITE")
    assert read["request"] == {"scheme": b"sip", "user": b"+4930123456", "host": b"10.0.0.2", "port": 5080}
    assert read["call_id"] == b"a84b4c76e66710@host"
    assert (read["cseq"], read["cseq_method"]) == (314159, b"INVITE")
    assert read["branch"] == b"z9hG4bKabc"
    assert (read["from_tag"], read["to_tag"]) == (b"f1", b"t1")
    assert (read["from"]["user"], read["to"]["user"]) == (b"alice", b"+4930123456")
    assert (read["bytes"], read["error"]) == (len(INVITE), 0)


def test_a_response_has_the_method_of_its_cseq() -> None:
    read = sip.read(b"SIP/2.0 486 Busy Here\r\n" + FIELDS + b"\r\n")
    assert (read["kind"], read["status_code"], read["reason_phrase"]) == ("response", 486, b"Busy Here")
    assert read["method_name"] == b"INVITE"


METHODS = b"INVITE ACK BYE CANCEL REGISTER OPTIONS PRACK UPDATE REFER SUBSCRIBE NOTIFY MESSAGE INFO PUBLISH".split()


@pytest.mark.parametrize("number, name", list(enumerate(METHODS, start=1)))
def test_methods_are_known_by_their_exact_name(number: int, name: bytes) -> None:
    assert sip.read(INVITE.replace(b"INVITE", name))["method"] == number
    assert sip.read(INVITE.replace(b"INVITE", name.swapcase()))["method"] == 0


@pytest.mark.parametrize("name", sip.HEADER_NAMES[1:])
def test_a_field_is_known_by_its_name_in_any_case(name: str) -> None:
    for spelling in (name, name.lower(), name.upper()):
        assert fields_of(INVITE[:-2] + spelling.encode() + b": x\r\n\r\n")[-1] == (name, b"x")
    assert fields_of(INVITE[:-2] + name.encode() + b"x: y\r\n\r\n")[-1][0] == ""
    if len(name) > 2:
        assert fields_of(INVITE[:-2] + b"q" + name[1:].encode() + b": y\r\n\r\n")[-1][0] == ""


@pytest.mark.parametrize(
    "compact, name",
    [
        ("v", "Via"),
        ("f", "From"),
        ("t", "To"),
        ("i", "Call-ID"),
        ("m", "Contact"),
        ("l", "Content-Length"),
        ("c", "Content-Type"),
        ("e", "Content-Encoding"),
        ("k", "Supported"),
        ("y", "Identity"),
        ("s", ""),
        ("z", ""),
    ],
)
def test_compact_forms_are_the_long_ones(compact: str, name: str) -> None:
    for letter in (compact, compact.upper()):
        assert fields_of(INVITE[:-2] + letter.encode() + b":1\r\n\r\n")[-1] == (name, b"1")


def test_every_compact_form_has_a_canonical_name() -> None:
    assert canonical_name(b"X") == "Session-Expires"
    assert canonical_name(b"USER-agent") == "User-Agent"
    assert canonical_name(b"X-Mine") == "X-Mine"


def test_a_folded_field_is_one_field() -> None:
    data = INVITE.replace(b"Call-ID: a84b", b"Call-ID:\r\n \t a84b").replace(b"CSeq: 314159 ", b"CSeq: 314159\r\n\t")
    read = sip.read(data)
    assert read["call_id"] == b"a84b4c76e66710@host"
    assert (read["cseq"], read["cseq_method"]) == (314159, b"INVITE")


def test_senders_of_bare_line_feeds_are_understood() -> None:
    read = sip.read(INVITE.replace(b"\r\n", b"\n"))
    assert (read["status"], read["error"], read["call_id"]) == ("message", 0, b"a84b4c76e66710@host")


def test_white_space_around_the_colon_and_the_value_is_not_part_of_them() -> None:
    assert (
        sip.read(INVITE.replace(b"Call-ID: ", b"Call-ID \t :  ").replace(b"@host\r\n", b"@host \t \r\n"))["call_id"]
        == b"a84b4c76e66710@host"
    )


def test_the_topmost_via_gives_the_branch() -> None:
    data = INVITE.replace(b"Via: ", b"Via: SIP/2.0/TCP a.example.com;branch=top, SIP/2.0/UDP b;branch=next\r\nVia: ")
    assert sip.read(data)["branch"] == b"top"


def test_a_branch_of_the_next_hop_is_not_taken_for_the_topmost() -> None:
    assert (
        sip.read(INVITE.replace(b"Via: ", b"Via: SIP/2.0/TCP a, SIP/2.0/UDP b;branch=next\r\nVia: "))["branch"] == b""
    )


@pytest.mark.parametrize(
    "value, user, host, tag",
    [
        (b"sip:bob@b.example", b"bob", b"b.example", b""),
        (b"sip:bob@b.example;tag=1", b"bob", b"b.example", b"1"),
        (b"<sip:bob@b.example;tag=no>;TAG=yes", b"bob", b"b.example", b"yes"),
        (b'"<sip:x@y>;tag=z" <sip:bob@b.example>;a="tag=1;tag=2";tag=3', b"bob", b"b.example", b"3"),
        (b'"unclosed <sip:bob@b.example>;tag=1', b"bob", b"b.example", b"1"),
        (b"Bob <sips:bob:secret@b.example:5061>", b"bob", b"b.example", b""),
        (b"<sip:b.example>;x;tag=1", b"", b"b.example", b"1"),
        (b"<sip:+1;phone-context=x@b.example>", b"+1;phone-context=x", b"b.example", b""),
        (b"<tel:+4930123;isub=1>;tag=1", b"+4930123", b"", b"1"),
        (b"<urn:service:sos>;tag=1", b"", b"", b"1"),
        (b"<sip:bob@[2001:db8::1]:5070>;tag=1", b"bob", b"2001:db8::1", b"1"),
        (b"< sip:bob@b.example >;tag=1", b"bob", b"b.example", b"1"),
    ],
)
def test_an_address_gives_its_user_and_tag(value: bytes, user: bytes, host: bytes, tag: bytes) -> None:
    data = INVITE.replace(b"To: <sip:+4930123456@example.com;user=phone>;tag=t1", b"To: " + value)
    read = sip.read(data)
    assert (read["to"]["user"], read["to"]["host"], read["to_tag"]) == (user, host, tag)


def test_a_uri_without_scheme_or_host_is_none() -> None:
    assert sip.read_uri_parts(b"alice@example.com") is None
    assert sip.read_uri_parts(b"sip:") is None
    assert sip.read_uri_parts(b"sip:alice@") is None
    assert sip.read_uri_parts(b"tel:") is None


def test_a_port_that_is_none_is_absent() -> None:
    assert sip.read_uri_parts(b"sip:a@b:65536")["port"] == 0
    assert sip.read_uri_parts(b"sip:a@b:x")["port"] == 0


# --- What is wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, error",
    [
        (b"Via", SipError.MISSING_VIA),
        (b"From", SipError.MISSING_FROM),
        (b"To", SipError.MISSING_TO),
        (b"CSeq", SipError.MISSING_CSEQ),
    ],
)
def test_a_request_without_a_mandatory_field_can_still_be_followed(name: bytes, error: SipError) -> None:
    read = sip.read(INVITE.replace(b"\r\n%b: " % name, b"\r\nX-%b: " % name))
    assert (read["status"], read["error"]) == ("message", error)


def test_without_a_call_id_nothing_can_be_followed() -> None:
    read = sip.read(INVITE.replace(b"Call-ID", b"Call-XY"))
    assert (read["status"], read["error"], read["kind"]) == ("malformed", SipError.MISSING_CALL_ID, "request")


def test_a_response_to_nobody_knows_what_is_malformed() -> None:
    read = sip.read(b"SIP/2.0 200 OK\r\n" + FIELDS.replace(b"314159 INVITE", b"x") + b"\r\n")
    assert (read["status"], read["error"]) == ("malformed", SipError.BAD_CSEQ)


def test_a_line_without_a_colon_is_passed_over() -> None:
    data = REQUEST + b"nonsense\r\nContent-Length: 0\r\n\r\n"
    read = sip.read(data)
    assert (read["status"], read["error"]) == ("message", SipError.BAD_HEADER_LINE)
    assert data[read["error_offset"] :].startswith(b"nonsense")
    assert read["content_length"] == 0


def test_a_datagram_without_content_length_ends_with_its_body() -> None:
    data = REQUEST + b"Content-Type: application/sdp\r\n\r\n" + SDP
    read = sip.read(data)
    assert data[slice(*read["body"])] == SDP
    assert read["content_length"] == -1


def test_a_datagram_cut_in_its_body_says_so() -> None:
    read = sip.read(with_body(SDP)[:-5])
    assert (read["status"], read["truncated"], read["error"]) == ("message", True, SipError.BODY_CUT)


def test_a_datagram_cut_in_its_header_says_so() -> None:
    read = sip.read(INVITE[:-10])
    assert (read["status"], read["truncated"], read["error"]) == ("message", True, SipError.HEADER_NOT_ENDED)
    assert read["cseq"] == 314159


def test_more_fields_than_are_kept_are_passed_over() -> None:
    read = sip.read(REQUEST + b"X: y\r\n" * 1000 + b"\r\n")
    assert (read["status"], read["error"], len(read["fields"])) == ("message", SipError.TOO_MANY_FIELDS, 128)


def test_content_lengths_that_differ_are_as_good_as_none() -> None:
    read = sip.read(REQUEST + b"Content-Length: 3\r\nl: 4\r\n\r\nabcdef")
    assert (read["error"], read["content_length"]) == (SipError.CONTENT_LENGTHS_DIFFER, -1)
    assert sip.read(REQUEST + b"Content-Length: 3\r\nl: 3\r\n\r\nabcdef")["error"] == 0


def test_the_reader_and_the_table_of_errors_number_them_alike() -> None:
    assert {error.name: error.value for error in SipError if error.value < 32} == sip.READER_PROBLEMS


# --- Streams --------------------------------------------------------------------------------------------------------


def stream_messages(data: bytes) -> list[dict]:
    messages = []
    while data:
        read = sip.read(data, True)
        if read["status"] not in ("message", "malformed"):
            break
        messages.append(read)
        data = data[read["bytes"] :]
    return messages


def test_a_stream_holds_several_messages_and_keep_alives() -> None:
    stream = b"\r\n\r\n" + with_body(SDP) + b"\r\n" + INVITE + INVITE
    messages = stream_messages(stream)
    assert [message["method_name"] for message in messages] == [b"INVITE"] * 3
    assert sum(message["bytes"] for message in messages) == len(stream)


def test_a_message_of_a_stream_without_content_length_has_no_body() -> None:
    messages = stream_messages(REQUEST + b"\r\n" + INVITE)
    assert [message["body"][1] - message["body"][0] for message in messages] == [0, 0]


def test_a_stream_says_how_much_it_needs() -> None:
    data = with_body(SDP)
    assert sip.read(data[:-10], True) == {"status": "need_more", "bytes": len(data)}
    assert sip.read(data[:30], True) == {"status": "need_more", "bytes": 31}


@pytest.mark.parametrize("data", [INVITE, with_body(SDP), b"\r\n" + INVITE, INVITE.replace(b"\r\n", b"\n")])
def test_byte_by_byte_reads_as_whole(data: bytes) -> None:
    whole = sip.read(data, True)
    assert whole["status"] == "message"
    assert all(sip.read(data[:length], True)["status"] == "need_more" for length in range(len(data)))


def test_a_stream_that_claims_an_endless_body_or_header_is_not_waited_for() -> None:
    read = sip.read(REQUEST + b"Content-Length: 4294967295\r\n\r\n", True)
    assert (read["status"], read["error"]) == ("malformed", SipError.BODY_TOO_LONG)
    read = sip.read(REQUEST + b"X: " + b"y" * 70000, True)
    assert (read["status"], read["error"]) == ("malformed", SipError.HEADER_TOO_LONG)
    assert sip.read(b"A" * 70000, True)["status"] == "other"


def test_other_protocols_in_a_stream_end_at_once() -> None:
    for data in (
        b"\x16\x03\x01\x02",
        b"GET / HTTP/1.1\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"SIP/2.0 abc",
        b"\0",
        b"OPTIONS x\r\n",
    ):
        assert sip.read(data, True)["status"] == "other"


# --- Bodies ---------------------------------------------------------------------------------------------------------


def test_the_sdp_is_the_body() -> None:
    assert sip.read(with_body(SDP))["sdp"] == SDP
    assert sip.read(with_body(SDP, b"Application / SDP ; charset=utf-8"))["sdp"] == SDP
    assert sip.read(with_body(SDP, b"application/sdpx"))["sdp"] is None


@pytest.mark.parametrize("boundary", [b"b1", b'"b 1"'])
def test_the_sdp_is_a_part_of_a_multipart_body(boundary: bytes) -> None:
    mark = b"--" + boundary.strip(b'"')
    body = (
        b"preamble\r\n"
        + mark
        + b"\r\nContent-Type: application/isup\r\n\r\n\x01\x02\r\n"
        + mark
        + b"\r\nContent-ID: <1>\r\ncontent-type:\r\n application/sdp\r\n\r\n"
        + SDP
        + b"\r\n"
        + mark
        + b"--\r\n"
    )
    assert sip.read(with_body(body, b"multipart/mixed;boundary=" + boundary))["sdp"] == SDP


def test_a_boundary_that_is_too_long_is_none() -> None:
    for length, found in ((70, SDP), (71, None)):
        mark = b"--" + b"b" * length
        body = mark + b"\r\nContent-Type: application/sdp\r\n\r\n" + SDP + b"\r\n" + mark + b"--\r\n"
        assert sip.read(with_body(body, b"multipart/mixed;boundary=" + mark[2:]))["sdp"] == found


def test_the_sdp_is_found_one_level_further_down_but_not_without_end() -> None:
    body, kind = SDP, b"application/sdp"
    for depth in range(5):
        found = sip.read(with_body(body, kind))["sdp"]
        assert found == (SDP if depth <= 3 else None)
        body = b"--b%d\r\nContent-Type: %b\r\n\r\n%b\r\n--b%d--\r\n" % (depth, kind, body, depth)
        kind = b"multipart/alternative;boundary=b%d" % depth


# --- What counts as SIP: tshark is the judge ------------------------------------------------------------------------

REST = b"\r\n" + FIELDS + b"Content-Length: 0\r\n\r\n"
START_LINES = [
    b"OPTIONS sip:a@b SIP/2.0" + REST,
    b"options sip:a@b SIP/2.0" + REST,
    b"FOO sip:a@b SIP/2.0" + REST,
    b"OPTIONS  sip:a@b SIP/2.0" + REST,
    b"OPTIONS sip:a@b  SIP/2.0" + REST,
    b"OPTIONS sip:a@b SIP/2.0 " + REST,
    b"OPTIONS sip:a@b SIP/3.0" + REST,
    b"OPTIONS sip:a@b sip/2.0" + REST,
    b"OPTIONS\tsip:a@b\tSIP/2.0" + REST,
    b"OPTIONS sip:a@b SIP/2.0x" + REST,
    b"OPTIONS sip:a@b x SIP/2.0" + REST,
    b"OPTIONS * SIP/2.0" + REST,
    b"OPTIONS a: SIP/2.0" + REST,
    b"OPTIONS :ab SIP/2.0" + REST,
    b"OPTIONS a:b SIP/2.0" + REST,
    b"OPTIONS abc SIP/2.0" + REST,
    b"OPTIONS ab: SIP/2.0" + REST,
    b"OPTIONS <sip:a@b> SIP/2.0" + REST,
    b"INVITE tel:+1 SIP/2.0" + REST,
    b"O(P)T sip:a SIP/2.0" + REST,
    b"\x01A sip:a SIP/2.0" + REST,
    b"A\x01 sip:a SIP/2.0" + REST,
    b"\xc3A sip:a SIP/2.0" + REST,
    b"A\xc3 sip:a SIP/2.0" + REST,
    b"\x7fA sip:a SIP/2.0" + REST,
    b"~ sip:a SIP/2.0" + REST,
    b"! sip:a SIP/2.0" + REST,
    b" A sip:a SIP/2.0" + REST,
    b"OPTIONS sip:a\x00@b SIP/2.0" + REST,
    b"OPTIONS sip:a\xff@b SIP/2.0" + REST,
    b"xxOPTIONS sip:a@b SIP/2.0" + REST,
    b"junk\r\nOPTIONS sip:a@b SIP/2.0" + REST,
    b"OPTIONS sip:a@b\rx SIP/2.0" + REST,
    b"A\nb sip:a@b SIP/2.0" + REST,
    b"\r\nOPTIONS sip:a@b SIP/2.0" + REST,
    b"\r\n\r\n",
    b"\0\0\0\0",
    b"jaK\0",
    b"OPTIONS sip:a@b SIP/2.0",
    b"OPTIONS sip:a@b SIP/2.0\r\n",
    b"OPTIONS sip:a@b SIP/2.0\r\n\r\n",
    b"OPTIONS sip:a@b SIP/2.0\n" + FIELDS.replace(b"\r", b"") + b"\n",
    b"OPTIONS sip:a@b SIP/2.0\r" + FIELDS.replace(b"\n", b"") + b"\r",
    b"OPTIONS sip:a@b SIP/2.0\r" + REST,
    b"GET http://a/ SIP/2.0" + REST,
    b"GET http://a/ HTTP/1.1" + REST,
    b"NOTIFY * HTTP/1.1" + REST,
    b"M-SEARCH * HTTP/1.1" + REST,
    b"SIP/2.0 sip:a@b SIP/2.0" + REST,
    b"SIP/2.0x sip:a@b SIP/2.0" + REST,
    b"SIP/2.0 200 OK" + REST,
    b"SIP/2.0 200 " + REST,
    b"SIP/2.0 200" + REST,
    b"SIP/2.0 2xx OK" + REST,
    b"SIP/2.0 2000 OK" + REST,
    b"SIP/2.0  200 OK" + REST,
    b"SIP/2.0 999 OK" + REST,
    b"SIP/2.0 000 OK" + REST,
    b"SIP/1.0 200 OK" + REST,
    b"sip/2.0 200 OK" + REST,
    b"SIP/2.0 200 \xff\x01" + REST,
    b"SIP/2.0 200 a\x00" + REST,
    b"SIP/2.0 200\tOK x" + REST,
    b"SIP/2.0 200 OK",
    b"SIP/2.0 200 ",
    b"SIP/2.0 200",
    INVITE + INVITE,
    INVITE + b"junk",
    with_body(SDP)[:-9],
    INVITE.replace(b"h: 0", b"h: -5"),
    b"OPTIONS sip:a@b SIP/2.0\r\n Via: x\r\n\r\n",
    b"OPTIONS sip:a@b SIP/2.0\r\nfoo\r\n\r\n",
]


def test_a_datagram_is_sip_when_tshark_says_so(tshark_fields, tmp_path: Path) -> None:
    # Each in its own conversation on a port of no protocol, so that only the recogniser decides.
    packets = [
        Ether() / IP(src=f"10.0.{number}.1", dst=f"10.1.{number}.2") / UDP(sport=30000, dport=23456) / payload
        for number, payload in enumerate(START_LINES)
    ]
    capture = tmp_path / "start-lines.pcap"
    wrpcap(str(capture), packets)
    seen = {
        int(row[0]) - 1: row[1:]
        for row in tshark_fields(capture, "sip", "frame.number", "sip.Method", "sip.Status-Code")
    }
    for number, payload in enumerate(START_LINES):
        method, code = seen.get(number, ("", ""))
        read = sip.read(payload)
        assert sip.starts_here(payload) == bool(method or code), payload
        assert (read["status"] != "other") == bool(method or code), payload
        if code:
            assert read["status_code"] == int(code)
        assert (read.get("kind") == "request") == bool(method), payload


# --- Anything at all ------------------------------------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        b"INVITE ",
        b"SIP/2.0 ",
        b"200 OK",
        b"sip:a@b",
        b" SIP/2.0",
        b"\r\n",
        b"\n",
        b"\r",
        b" ",
        b"\t",
        b"Via: ",
        b"v:",
        b"t:",
        b"From:",
        b"f: ",
        b"To: ",
        b"Call-ID: ",
        b"i:",
        b"CSeq: 1 INVITE",
        b"Content-Length: ",
        b"l:",
        b"5",
        b"99999999999",
        b'"',
        b"<",
        b">",
        b";",
        b"=",
        b",",
        b"tag",
        b"branch=",
        b"[",
        b"]",
        b":",
        b"@",
        b"\\",
        b"\0",
        b"\xff",
        b"%41",
        b"%",
        b"Content-Type: multipart/mixed;boundary=",
        b"application/sdp",
        b"--",
        b"(",
        b")",
        b"?",
        b"tel:",
        b"x",
    ]
)
HOSTILE = st.lists(PIECES, max_size=60).map(b"".join)
VARIED = st.tuples(st.binary(max_size=20), st.integers(0, len(INVITE)), st.integers(0, 30)).map(
    lambda cut: INVITE[: cut[1]] + cut[0] + INVITE[cut[1] + cut[2] :]
)


def inside(read: dict, data: bytes) -> None:
    assert 0 <= read["bytes"] <= len(data)
    assert 0 <= read["error_offset"] <= len(data)
    assert 0 <= read["body"][0] <= read["body"][1] <= len(data)
    for _, name_start, name_end, value_start, value_end in read["fields"]:
        assert 0 <= name_start < name_end <= value_start <= value_end <= len(data)
    for part in ("call_id", "branch", "from_tag", "to_tag", "method_name", "request_uri", "cseq_method"):
        assert read[part] in data


@given(HOSTILE | VARIED | st.binary())
@example(b'INVITE sip:a@b SIP/2.0\r\nTo: "\\')
@example(b"INVITE sip:a@b SIP/2.0\r\nTo: <")
@example(b"INVITE sip: SIP/2.0\r\nl:")
def test_whatever_comes_nothing_is_read_outside_of_it(data: bytes) -> None:
    for stream in (False, True):
        read = sip.read(data, stream)
        if read["status"] in ("message", "malformed"):
            inside(read, data)
    assert (sip.read(data)["status"] != "other") == sip.starts_here(data)


@given(HOSTILE | VARIED | st.binary())
def test_a_stream_never_answers_differently_when_it_comes_in_pieces(data: bytes) -> None:
    whole = sip.read(data, True)
    for length in range(len(data)):
        part = sip.read(data[:length], True)
        if part["status"] != "need_more":
            assert part == whole
            break
        assert part["bytes"] > length


@given(HOSTILE | VARIED | st.binary())
def test_what_the_grammar_calls_valid_is_a_message_for_the_reader(data: bytes) -> None:
    checked = check_message(data)
    assert checked.error is None or 0 <= checked.offset <= len(data)
    if checked.error is None:
        read = sip.read(data.lstrip(b"\r\n"))
        assert read["status"] == "message" or b"SIP/2.0" not in data.split(b"\n")[0]


@given(HOSTILE)
def test_a_message_inside_the_grammar_never_crashes_it(value: bytes) -> None:
    for name in sip.HEADER_NAMES[1:]:
        check_message(INVITE[:-2] + name.encode() + b": " + value + b"\r\n\r\n")
