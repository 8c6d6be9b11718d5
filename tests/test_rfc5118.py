"""RFC 5118, the SIP torture test messages for IPv6: each gets the verdict that its own section gives it.

The messages are those of the text of the RFC, letter by letter, with the lines between `<allOneLine>` joined. One thing
is counted here instead: Content-Length, which on the page fits no body (4.6 says 268, 4.8 181, 4.9 236: with the line
ends of SIP they have 251, 189 and 245 bytes).
"""

import re

import pytest

from appliance.parse import parse_message
from capture import sip
from capture.sip_check import check_message
from capture.sip_errors import SipError as E

# By the name that the RFC gives their details.
MESSAGES = {
    "ipv6-good": """
REGISTER sip:[2001:db8::10] SIP/2.0
To: sip:user@example.com
From: sip:user@example.com;tag=81x2
Via: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111
Call-ID: SSG9559905523997077@hlau_4100
Max-Forwards: 70
Contact: "Caller" <sip:caller@[2001:db8::1]>
CSeq: 98176 REGISTER
Content-Length: 0

""",
    "ipv6-bad": """
REGISTER sip:2001:db8::10 SIP/2.0
To: sip:user@example.com
From: sip:user@example.com;tag=81x2
Via: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111
Call-ID: SSG9559905523997077@hlau_4100
Max-Forwards: 70
Contact: "Caller" <sip:caller@[2001:db8::1]>
CSeq: 98176 REGISTER
Content-Length: 0

""",
    "port-ambiguous": """
REGISTER sip:[2001:db8::10:5070] SIP/2.0
To: sip:user@example.com
From: sip:user@example.com;tag=81x2
Via: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111
Call-ID: SSG9559905523997077@hlau_4100
Contact: "Caller" <sip:caller@[2001:db8::1]>
Max-Forwards: 70
CSeq: 98176 REGISTER
Content-Length: 0

""",
    "port-unambiguous": """
REGISTER sip:[2001:db8::10]:5070 SIP/2.0
To: sip:user@example.com
From: sip:user@example.com;tag=81x2
Via: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111
Call-ID: SSG9559905523997077@hlau_4100
Contact: "Caller" <sip:caller@[2001:db8::1]>
Max-Forwards: 70
CSeq: 98176 REGISTER
Content-Length: 0

""",
    "via-received-param-with-delim": """
BYE sip:[2001:db8::10] SIP/2.0
To: sip:user@example.com;tag=bd76ya
From: sip:user@example.com;tag=81x2
Via: SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255];branch=z9hG4bKas3-111
Call-ID: SSG9559905523997077@hlau_4100
Max-Forwards: 70
CSeq: 321 BYE
Content-Length: 0

""",
    "via-received-param-no-delim": """
OPTIONS sip:[2001:db8::10] SIP/2.0
To: sip:user@example.com
From: sip:user@example.com;tag=81x2
Via: SIP/2.0/UDP [2001:db8::9:1];received=2001:db8::9:255;branch=z9hG4bKas3
Call-ID: SSG95523997077@hlau_4100
Max-Forwards: 70
Contact: "Caller" <sip:caller@[2001:db8::9:1]>
CSeq: 921 OPTIONS
Content-Length: 0

""",
    "ipv6-in-sdp": """
INVITE sip:user@[2001:db8::10] SIP/2.0
To: sip:user@[2001:db8::10]
From: sip:user@example.com;tag=81x2
Via: SIP/2.0/UDP [2001:db8::20];branch=z9hG4bKas3-111
Call-ID: SSG9559905523997077@hlau_4100
Contact: "Caller" <sip:caller@[2001:db8::20]>
CSeq: 8612 INVITE
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: 268

v=0
o=assistant 971731711378798081 0 IN IP6 2001:db8::20
s=Live video feed for today's meeting
c=IN IP6 2001:db8::20
t=3338481189 3370017201
m=audio 6000 RTP/AVP 2
a=rtpmap:2 G726-32/8000
m=video 6024 RTP/AVP 107
a=rtpmap:107 H263-1998/90000
""",
    "mult-ip-in-header": """
BYE sip:user@host.example.net SIP/2.0
Via: SIP/2.0/UDP [2001:db8::9:1]:6050;branch=z9hG4bKas3-111
Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKjhja8781hjuaij65144
Via: SIP/2.0/TCP [2001:db8::9:255];branch=z9hG4bK451jj;received=192.0.2.200
Call-ID: 997077@lau_4100
Max-Forwards: 70
CSeq: 89187 BYE
To: sip:user@example.net;tag=9817--94
From: sip:user@example.com;tag=81x2
Content-Length: 0

""",
    "mult-ip-in-sdp": """
INVITE sip:user@[2001:db8::10] SIP/2.0
To: sip:user@[2001:db8::10]
From: sip:user@example.com;tag=81x2
Via: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111
Call-ID: SSG9559905523997077@hlau_4100
Contact: "Caller" <sip:caller@[2001:db8::9:1]>
Max-Forwards: 70
CSeq: 8912 INVITE
Content-Type: application/sdp
Content-Length: 181

v=0
o=bob 280744730 28977631 IN IP4 host.example.com
s=
t=0 0
m=audio 22334 RTP/AVP 0
c=IN IP4 192.0.2.1
m=video 6024 RTP/AVP 107
c=IN IP6 2001:db8::1
a=rtpmap:107 H263-1998/90000
""",
    "ipv4-mapped-ipv6": """
INVITE sip:user@example.com SIP/2.0
To: sip:user@example.com
From: sip:user@east.example.com;tag=81x2
Via: SIP/2.0/UDP [::ffff:192.0.2.10]:19823;branch=z9hG4bKbh19
Via: SIP/2.0/UDP [::ffff:192.0.2.2];branch=z9hG4bKas3-111
Call-ID: SSG9559905523997077@hlau_4100
Contact: "T. desk phone" <sip:ted@[::ffff:192.0.2.2]>
CSeq: 612 INVITE
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: 236

v=0
o=assistant 971731711378798081 0 IN IP6 ::ffff:192.0.2.2
s=Call me soon, please!
c=IN IP6 ::ffff:192.0.2.2
t=3338481189 3370017201
m=audio 6000 RTP/AVP 2
a=rtpmap:2 G726-32/8000
m=video 6024 RTP/AVP 107
a=rtpmap:107 H263-1998/90000
""",
    "ipv6-bug-abnf-3-colons": """
OPTIONS sip:user@[2001:db8:::192.0.2.1] SIP/2.0
To: sip:user@[2001:db8:::192.0.2.1]
From: sip:user@example.com;tag=810x2
Via: SIP/2.0/UDP lab1.east.example.com;branch=z9hG4bKas3-111
Call-ID: G9559905523997077@hlau_4100
CSeq: 689 OPTIONS
Max-Forwards: 70
Content-Length: 0

""",
    "ipv6-correct-abnf-2-colons": """
OPTIONS sip:user@[2001:db8::192.0.2.1] SIP/2.0
To: sip:user@[2001:db8::192.0.2.1]
From: sip:user@example.com;tag=810x2
Via: SIP/2.0/UDP lab1.east.example.com;branch=z9hG4bKas3-111
Call-ID: G9559905523997077@hlau_4100
CSeq: 689 OPTIONS
Max-Forwards: 70
Content-Length: 0

""",
}

# name: (section, what the section says, the error or None when valid, the text at its offset)
VERDICTS: dict[str, tuple[str, str, E | None, bytes]] = {
    "ipv6-good": ("4.1", "well-formatted", None, b""),
    "ipv6-bad": ("4.2", "no delimiters: not well-formatted, 400", E.BAD_HOST, b"2001:db8::10"),
    "port-ambiguous": ("4.3", "well-formed, though the port is none", None, b""),
    "port-unambiguous": ("4.4", "well formatted", None, b""),
    "via-received-param-with-delim": ("4.5", "against the grammar, and must be parsed successfully", None, b""),
    "via-received-param-no-delim": ("4.5", "valid, and must be parsed successfully", None, b""),
    "ipv6-in-sdp": ("4.6", "valid and well-formed", None, b""),
    "mult-ip-in-header": ("4.7", "valid and well-formed", None, b""),
    "mult-ip-in-sdp": ("4.8", "valid and well-formed", None, b""),
    "ipv4-mapped-ipv6": ("4.9", "well-formed", None, b""),
    "ipv6-bug-abnf-3-colons": (
        "4.10",
        "legal by the grammar of RFC 3261: an implementation must tolerate it",
        None,
        b"",
    ),
    "ipv6-correct-abnf-2-colons": ("4.10", "the correct syntax", None, b""),
}


def message(name: str) -> bytes:
    header, _, body = MESSAGES[name].lstrip("\n").replace("\n", "\r\n").partition("\r\n\r\n")
    counted = re.sub(r"(?<=Content-Length: )\d+", str(len(body)), header)
    return f"{counted}\r\n\r\n{body}".encode()


def test_all_messages_of_the_rfc_have_a_verdict() -> None:
    assert set(VERDICTS) == set(MESSAGES)
    assert len(MESSAGES) == 12


@pytest.mark.parametrize("name", VERDICTS)
def test_a_message_gets_the_verdict_of_its_section(name: str) -> None:
    section, words, error, where = VERDICTS[name]
    data = message(name)
    checked = check_message(data)
    assert checked.error == error, f"RFC 5118 {section}: {words}"
    assert data[checked.offset :].startswith(where)


@pytest.mark.parametrize("name", VERDICTS)
def test_byte_by_byte_reads_as_whole(name: str) -> None:
    data = message(name)
    whole = sip.read(data, True)
    assert whole["status"] == "message"
    for length in range(len(data)):
        assert sip.read(data[:length], True)["status"] == "need_more"


def test_a_port_inside_the_delimiters_is_part_of_the_address() -> None:
    request = sip.read(message("port-ambiguous"))["request"]
    assert (request["host"], request["port"]) == (b"2001:db8::10:5070", 0)


def test_a_port_outside_the_delimiters_is_the_port() -> None:
    request = sip.read(message("port-unambiguous"))["request"]
    assert (request["host"], request["port"]) == (b"2001:db8::10", 5070)


def test_an_ipv6_session_names_its_media() -> None:
    audio, video = parse_message(message("ipv6-in-sdp"))["sdp"]["media"]
    assert (audio["connection"], audio["port"]) == ("2001:db8::20", 6000)
    assert audio["formats"] == [{"payload_type": 2, "encoding": "G726-32", "clock_hz": 8000}]
    assert video["formats"] == [{"payload_type": 107, "encoding": "H263-1998", "clock_hz": 90000}]


def test_each_medium_may_have_its_own_address_family() -> None:
    media = parse_message(message("mult-ip-in-sdp"))["sdp"]["media"]
    assert [one["connection"] for one in media] == ["192.0.2.1", "2001:db8::1"]


def test_a_mapped_address_is_the_ipv4_address() -> None:
    media = parse_message(message("ipv4-mapped-ipv6"))["sdp"]["media"]
    assert {one["connection"] for one in media} == {"192.0.2.2"}
