"""Signalling fingerprints: against plain twins, against tshark, and as what they are for: surviving a changed agent."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import reference_signalling as twin
from kernels.fingerprint import shape, signalling

GOIP_ALLOW = "INVITE, ACK, BYE, CANCEL, OPTIONS, NOTIFY, REFER, REGISTER, MESSAGE, INFO, SUBSCRIBE"
SDP = "v=0\r\no={origin} IN IP4 192.0.2.9\r\ns={name}\r\nt=0 0\r\nm=audio {port} RTP/AVP {codecs}\r\n"
ALPHABET = st.sampled_from("0123456789abcdefABCDEFgzGZ-._@")
IDENTIFIERS = st.one_of(
    st.text(ALPHABET, max_size=40),
    st.integers(0, 2**36).map(str),
    st.text("0123456789abcdef", min_size=1, max_size=70),
    st.text("0123456789", min_size=60, max_size=70),
    st.uuids().map(str),
)


def sdp(origin="- 1 1", name="-", port=4000, codecs="8 0 101"):
    return SDP.format(origin=origin, name=name, port=port, codecs=codecs)


def invite(*fields, branch="z9hG4bK363969813", tag="65248630", call_id="1234567@192.0.2.9", body=None):
    lines = [
        "INVITE sip:200@192.0.2.1 SIP/2.0",
        f"Via: SIP/2.0/UDP 192.0.2.9:5060;branch={branch}",
        f"From: <sip:100@192.0.2.1>;tag={tag}",
        "To: <sip:200@192.0.2.1>",
        f"Call-ID: {call_id}",
        "CSeq: 2 INVITE",
        "Max-Forwards: 30",
        *fields,
        *(["Content-Type: application/sdp"] if body else []),
        f"Content-Length: {len(body or '')}",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n" + (body or "")).encode()


def fingerprint(*fields, **more):
    return signalling(invite(*fields, **more))["fingerprint"]


@given(IDENTIFIERS)
def test_the_shape_of_an_identifier_is_that_of_the_twin(text):
    assert shape(text.encode()) == twin.shape(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("4294967295", "decimal"), ("4294967296", "digits"), ("0", "decimal"), ("01", "digits"), ("", "none"),
     ("8f0c1e22", "hex"), ("8f0C1e22", "word"), ("as3a5b", "word"), ("a-b", "other")],
)  # fmt: skip
def test_a_decimal_number_is_one_that_fits_32_bits_as_printed(text, expected):
    assert shape(text.encode()) == expected


@given(
    st.sampled_from(
        [GOIP_ALLOW, GOIP_ALLOW.replace(" ", ""), GOIP_ALLOW[:-11], GOIP_ALLOW + ", PRACK", "INVITE", None]
    ),
    st.sampled_from(["DBL Session", "-", "DBL", "session 7"]),
    st.sampled_from(["userX 20000001 20000001", "- 1 1", "root 7 8"]),
    st.sampled_from(["Asterisk PBX 18", "snom320/8", "asterisk", "DBL", "", None]),
    st.sampled_from(["65248630", "as3a5b77c1"]),
)
def test_the_marks_of_the_gateway_are_those_of_the_twin(allow, name, origin, agent, tag):
    fields = [f"Allow: {allow}"] * (allow is not None) + [f"User-Agent: {agent}"] * (agent is not None)
    found = signalling(invite(*fields, tag=tag, body=sdp(origin, name)))
    goip = name == "DBL Session" or origin.startswith("userX")
    assert found["allow"] == twin.allow_shape(allow)
    assert found["session"] == ("goip" if goip else "blank" if name == "-" else "named")
    assert found["agent"] == twin.claim(agent, found["tag"], found["allow"], found["session"])


def test_the_vendors_own_example_shows_the_decimals_and_the_order_of_methods(corpus):
    text = (corpus / "goip" / "manual_invite_examples.txt").read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    lines.insert(4, "Call-ID: 1@192.168.2.237")  # the manual's page has none
    found = signalling("\r\n".join([*lines, "", ""]).encode())
    assert (found["branch"], found["tag"], found["allow"]) == ("decimal", "decimal", "goip")


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=80))
def test_a_changed_agent_leaves_the_fingerprint(agent):
    fields = (f"Allow: {GOIP_ALLOW}", "X-Custom: 1")
    masked = fingerprint(fields[0], f"User-Agent: {agent}", fields[1], body=sdp())
    assert masked == fingerprint(*fields, body=sdp()) != 0


@given(st.integers(10**8, 2**32 - 1), st.integers(10**8, 2**32 - 1), st.integers(1, 65535), st.integers(1, 10**6))
def test_two_calls_of_one_client_have_one_fingerprint(branch, tag, port, session):
    origin = f"user {session} {session}"
    other = {"branch": f"z9hG4bK{branch}", "tag": tag, "call_id": f"{branch ^ tag}@198.51.100.7"}
    assert fingerprint(**other, body=sdp(origin, port=port)) == fingerprint(body=sdp("user 7 7"))


def test_what_a_proxy_or_one_call_adds_is_not_style():
    added = ["Record-Route: <sip:192.0.2.1;lr>", "P-Asserted-Identity: <tel:+4930123>", "Diversion: <sip:1@a>",
             "Proxy-Authorization: Digest username=x", "Privacy: id", "Date: today"]  # fmt: skip
    assert fingerprint(*added) == fingerprint()


@pytest.mark.parametrize(
    "other",
    [
        {"branch": "z9hG4bK8f0c1e22ab"}, {"tag": "as3a5b77c1"}, {"call_id": "1234567"}, {"call_id": "1@pbx.example"},
        {"body": sdp(codecs="0 8 101")}, {"body": sdp(name="call")}, {"body": sdp("7 1 1")}, {"body": None},
    ],
)  # fmt: skip
def test_another_style_has_another_fingerprint(other):
    assert fingerprint(**{"body": sdp(), **other}) != fingerprint(body=sdp())


def test_the_order_and_spelling_of_header_fields_are_style():
    ways = [
        ("Allow: A", "Supported: x"),
        ("Supported: x", "Allow: A"),
        ("Allow: A", "k: x"),
        ("Allow: A, B", "Supported: x"),
    ]
    assert len({fingerprint(*way) for way in ways}) == len(ways)


def test_what_is_no_message_is_refused():
    with pytest.raises(ValueError, match="not a SIP message"):
        signalling(b"req:1;id:a")


def test_the_marks_of_real_invites_are_those_that_tshark_reads(corpus, tshark_fields):
    names = ("udp.payload", "sip.Via.branch", "sip.from.tag", "sip.Call-ID", "sip.Allow", "sip.User-Agent")
    seen = 0
    for capture in sorted((corpus / "sip_pcap").rglob("*.pcap")):
        for payload, branch, tag, call_id, allow, agent in tshark_fields(
            capture, 'udp && sip.Method == "INVITE"', *names
        ):
            if not payload or "|" in payload + allow + call_id:
                continue
            found = signalling(bytes.fromhex(payload))
            seen += 1
            assert found["branch"] == twin.branch_shape(branch.partition("|")[0]), capture
            assert found["tag"] == twin.shape(tag), capture
            assert (found["call_id"], found["call_id_host"]) == twin.call_id_shapes(call_id), capture
            assert found["allow"] == twin.allow_shape(allow or None), capture
            assert found["agent"] == twin.claim(agent or None, found["tag"], found["allow"], found["session"]), capture
            assert not found["acrypt"]
            assert not re.match("goip", found["session"])
    assert seen > 20
