"""`sipwarden parse`: its object, its exit status, and the grammar that it holds messages to."""

import io
import json
import sys
from pathlib import Path

import pytest

from appliance.parse import parse_message, run

MESSAGE = (
    "INVITE sip:bob@example.com SIP/2.0\r\n"
    "v: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKabc\r\n"
    "Max-Forwards: 70\r\n"
    "f: <sip:alice@example.com>;tag=f1\r\n"
    "t: <sip:bob@example.com>\r\n"
    "i: 1@10.0.0.1\r\n"
    "CSeq: 7 INVITE\r\n"
    "s: a\r\n  subject\r\n"
    "{more}"
    "Content-Length: 0\r\n\r\n"
)


def message(more: str = "") -> bytes:
    return MESSAGE.format(more=more and more + "\r\n").encode()


def error_of(field: str) -> str | None:
    error = parse_message(message(field))["error"]
    return error and error["reason"]


def test_the_object_has_exactly_the_keys_of_the_contract() -> None:
    assert list(parse_message(message())) == [
        "valid",
        "error",
        "kind",
        "method",
        "request_uri",
        "status_code",
        "reason_phrase",
        "headers",
        "call_id",
        "from_tag",
        "to_tag",
        "cseq",
        "branch",
        "sdp",
        "body_bytes",
    ]


def test_a_valid_request_is_described() -> None:
    parsed = parse_message(message())
    assert (parsed["valid"], parsed["error"], parsed["kind"], parsed["method"]) == (True, None, "request", "INVITE")
    assert (parsed["request_uri"], parsed["status_code"], parsed["reason_phrase"]) == (
        "sip:bob@example.com",
        None,
        None,
    )
    assert (parsed["call_id"], parsed["from_tag"], parsed["to_tag"]) == ("1@10.0.0.1", "f1", None)
    assert (parsed["cseq"], parsed["branch"], parsed["sdp"], parsed["body_bytes"]) == (7, "z9hG4bKabc", None, 0)


def test_compact_names_are_expanded_and_folded_lines_joined() -> None:
    headers = parse_message(message())["headers"]
    assert [name for name, _ in headers] == [
        "Via",
        "Max-Forwards",
        "From",
        "To",
        "Call-ID",
        "CSeq",
        "Subject",
        "Content-Length",
    ]
    assert ["Subject", "a subject"] in headers


def test_an_invalid_message_says_what_where_and_by_which_rule() -> None:
    data = message("Contact: <sip:a@b>;q=1.5")
    parsed = parse_message(data)
    assert parsed["valid"] is False
    assert set(parsed["error"]) == {"reason", "rfc", "offset"}
    assert data[parsed["error"]["offset"] :].startswith(b"q=1.5")
    assert parsed["error"]["rfc"] == "RFC 3261 20.10"
    assert parsed["method"] == "INVITE"


VALID_FIELDS = [
    "Contact: *",
    'm: "A, B" <sip:a@b;x=y?h=v&i=>;q=0.7;expires=abc, sip:c@d;q=1.000',
    'Record-Route: <sip:p1;lr>,<sip:[2001:db8::1]:5060;lr;x>;y="z"',
    "Route: <sips:a>",
    'Content-Type: text/plain;charset="x"',
    "Content-Encoding: gzip , deflate",
    "Content-Disposition: session;handling=optional",
    'Authorization: Digest username="a", realm="b", nonce="c", uri="sip:d", response="e"',
    "Authorization: Bearer a.b-c==",
    'P-Asserted-Identity: "Cullen" <sip:f@c.example>, <tel:+14085264000>',
    "P-Asserted-Identity: sip:a@b;user=phone",
    'Remote-Party-ID: "A" <sip:a@b>;party=calling;id-type=subscriber;privacy=full;screen=yes',
    'Diversion: <sip:+1@b>;reason=user-busy;counter=1, "x" <tel:+2>;privacy="full"',
    "History-Info: <sip:a@b?Reason=SIP%3Bcause%3D302>;index=1, <sip:c@d>;index=1.1;rc=1",
    "Identity: eyJhbGciOiJFUzI1NiJ9.eyJkZXN0Ijp7fX0.sig-_;info=<https://cert.example/p.cer>;alg=ES256;ppt=shaken",
    'Identity: "ZYNBbHC00VMZr2kZt6VmCvPonWJMGvQTBDqghoWeLxJfzB2a="',
    "y: ..sig;info=<https://a>",
    'Reason: SIP ;cause=200 ;text="Call completed elsewhere", Q.850;cause=16',
    "User-Agent: PBX-2.8(1.4 (beta)) Mobile/1.2 x",
    "Server: a/b",
    "Server:",
    "Privacy: id;critical",
    "Allow: INVITE, ACK,FOO",
    "Allow:",
    "Supported:",
    "k: timer, 100rel",
    "Require: a",
    "Expires: 4294967295",
    "Date: Sat, 13 Nov 2010 23:29:00 GMT",
    "Date: Sat, 31 Dec 2016 23:59:60 GMT",
    'Warning: 399 [::1]:5060 "x \\" y", 301 isi.edu "z"',
    "X-Any: \u00fcn\u00ef \u4f60",
    "Via: SIP/2.0/UDP a.b.c:5060;rport;received=1.2.3.4;ttl=16;maddr=1.1.1.1;branch=z9hG4bKx",
    "Via: SIP / 2.0 / TCP [2001:db8::1] : 5060 , SIP/2.0/WSS df7jal23ls0d.invalid;rport=5",
]


@pytest.mark.parametrize("field", VALID_FIELDS)
def test_a_field_inside_the_grammar_is_valid(field: str) -> None:
    assert error_of(field) is None


INVALID_FIELDS = [
    ("Contact: <sip:a@b", "not closed by >"),
    ("Contact: a b c", "URI cannot be read"),
    ("Contact: sip:a@b;;", "a parameter"),
    ("Contact: sip:a@b?x=y", "not enclosed in <>"),
    ("Contact: <sip:a%4@b>", "% is not followed"),
    ("Contact: <sip:a@-b->", "not a host name"),
    ("Contact: <sip:a@1.2.3.400>", "not a host name"),
    ("Contact: <sip:a@[1::2::3]>", "IPv6 reference"),
    ("Contact: <sip:a@b:65536>", "the port"),
    ("Contact: <sip:a@b>;q=1.5", "q is not"),
    ("Contact: <sip:a@b>,", "URI cannot be read"),
    ("Contact: <nothing>", "cannot be read"),
    ("Record-Route: sip:a@b", "unquoted display name"),
    ("Route: <sip:a b>", "white space"),
    ("Content-Type: text", "Content-Type"),
    ("Content-Type: text/plain;x", "Content-Type"),
    ("Content-Encoding:", "the value"),
    ("Authorization: Digest", "authentication scheme"),
    ('P-Asserted-Identity: "a', "quoted string"),
    ("Remote-Party-ID: sip:a@b", "display name"),
    ("Diversion: a", "display name"),
    ("History-Info: <sip:a@b>", "no index"),
    ("History-Info: <sip:a@b>;index=1..2", "no index"),
    ("Identity: ;info=<a>", "Identity"),
    ("Identity: a;info=b", "Identity"),
    ("Reason: ;cause=1", "Reason"),
    ("Reason: SIP;cause=x", "Reason"),
    ("User-Agent: (a", "a comment"),
    ("Server: a{b", "the value"),
    ("Privacy: id, critical", "the value"),
    ("Allow: INVITE ACK", "the value"),
    ("Require:", "the value"),
    ("Expires: soon", "a number"),
    ("Expires: 4294967296", "a number"),
    ("Date: Sat, 13 Nov 2010 23:29:00 EST", "Date"),
    ('Warning: 39 a "b"', "Warning"),
    ("X-Any: a\x01b", "control character"),
    ("Via: SIP/2.0 a", "Via"),
    ("Via: SIP/2.0/UDP", "Via"),
    ("Via: SIP/2.0/UDP a;branch=", "a parameter"),
    ("Via: SIP/2.0/UDP a;ttl=256", "a parameter"),
    ("Via: SIP/2.0/UDP a;received=1::2::3", "IPv6"),
    ("Via: SIP/2.0/UDP a;received=gw.example.com", "a parameter"),
    ("Max-Forwards: 70", "stands twice"),
    ("To: <sip:x@y>", "stands twice"),
    ("no colon", "not `name: value`"),
    ("b@d: x", "not `name: value`"),
]


@pytest.mark.parametrize("field, words", INVALID_FIELDS)
def test_a_field_outside_the_grammar_is_invalid(field: str, words: str) -> None:
    reason = error_of(field)
    assert reason is not None
    assert words in reason


@pytest.mark.parametrize("name, short", [("Via", "v"), ("From", "f"), ("To", "t"), ("Call-ID", "i"), ("CSeq", "CSeq")])
def test_a_message_without_a_mandatory_field_is_invalid(name: str, short: str) -> None:
    data = message().replace(f"\r\n{short}: ".encode(), b"\r\nX-Was: ")
    assert parse_message(data)["error"]["reason"] == f"no {name}"


@pytest.mark.parametrize(
    "first, words",
    [
        ("INVITE sip:a@b", "neither"),
        ("", "neither"),
        ("SIP/2.0 700 x", "Status-Code"),
        ("SIP/2.0 99 x", "Status-Code"),
        ("SIP/2.0 200", "neither"),
        ("INVITE a@b SIP/2.0", "URI cannot be read"),
        ("IN VITE sip:a@b SIP/2.0", "white space"),
        ("INVITE sip:a@b SIP/2.00", "SIP-Version"),
        ("SIP/1.0 200 OK", "SIP-Version"),
        ("INVITE sip:a@b SIP/2.0 x", "neither"),
    ],
)
def test_a_start_line_outside_the_grammar_is_invalid(first: str, words: str) -> None:
    parsed = parse_message(message().replace(b"INVITE sip:bob@example.com SIP/2.0", first.encode()))
    assert words in parsed["error"]["reason"]


def test_a_body_without_a_type_is_invalid() -> None:
    data = message().replace(b"Content-Length: 0\r\n\r\n", b"Content-Length: 2\r\n\r\nab")
    assert parse_message(data)["error"]["rfc"] == "RFC 3261 20.15"


@pytest.mark.parametrize(
    "body, reason",
    [
        (b"--b\r\n\r\nx\r\n--b--\r\n", None),
        (b"--b\r\n\r\nx\r\n", "parts between"),
        (b"x", "parts between"),
    ],
)
def test_a_multipart_body_needs_its_boundaries(body: bytes, reason: str | None) -> None:
    data = message().replace(
        b"Content-Length: 0\r\n\r\n",
        b"Content-Type: multipart/mixed;boundary=b\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body),
    )
    error = parse_message(data)["error"]
    assert error is None if reason is None else reason in error["reason"]


def test_a_session_description_is_parsed() -> None:
    body = (
        b"v=0\r\no=a 1 1 IN IP4 h\r\ns=x\r\nc=IN IP4 1.2.3.4\r\nt=0 0\r\n"
        b"m=audio 4000 RTP/AVP 0\r\nm=image 5 udptl t38\r\n"
    )
    data = message().replace(
        b"Content-Length: 0\r\n\r\n",
        b"Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body),
    )
    assert parse_message(data)["sdp"] == {
        "version": "0",
        "origin": "a 1 1 IN IP4 h",
        "session_name": "x",
        "connection": "IN IP4 1.2.3.4",
        "media": [
            {
                "media": "audio",
                "protocol": "RTP/AVP",
                "connection": "1.2.3.4",
                "port": 4000,
                "rtcp": {"address": "1.2.3.4", "port": 4001},
                "formats": [{"payload_type": 0, "encoding": "PCMU", "clock_hz": 8000}],
            },
            {
                "media": "image",
                "protocol": "udptl",
                "connection": "1.2.3.4",
                "port": 5,
                "rtcp": None,
                "formats": [{"name": "t38"}],
            },
        ],
    }


def test_the_exit_status_says_whether_it_is_valid(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_bytes(message())
    bad.write_bytes(b"GET / HTTP/1.1\r\n\r\n")
    assert run(str(good), True) == 0
    assert json.loads(capsys.readouterr().out)["valid"] is True
    assert run(str(bad), True) == 1
    parsed = json.loads(capsys.readouterr().out)
    assert (parsed["valid"], parsed["kind"], parsed["error"]["offset"]) == (False, None, 6)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(str(tmp_path / "absent"), True) == 3
    printed = capsys.readouterr()
    assert printed.out == ""
    assert str(tmp_path / "absent") in printed.err


def test_a_dash_is_the_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(message())))
    assert run("-", False) == 0
    assert capsys.readouterr().out.startswith("valid\nINVITE sip:bob@example.com\n  Via: ")


def test_a_message_cannot_steer_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "message"
    path.write_bytes(message("X: \x1b[2J"))
    assert run(str(path), False) == 1
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert "\\x1b[2J" in printed
