"""RFC 5118, the SIP torture test messages for IPv6: each gets the verdict that its own section gives it.

The messages were written down from memory of the RFC, in its order of sections, and have not been compared with its
text letter by letter: a Call-ID, a branch or a Contact may be another there, and so may the order of fields. What each
section is about is as it has it. Two things are known to differ: Content-Length is counted here, rather than copied
from the page, and 4.10 ends with a second message, the correct form of the first, of which only the part that matters,
the address, is sure.
"""

import pytest

from appliance.parse import parse_message
from capture import sip
from capture.sip_check import check_message
from capture.sip_errors import SipError as E


def message(text: str) -> bytes:
    """The message of a section, its Content-Length counted as the RFC has it counted."""
    header, _, body = text.lstrip("\n").replace("\n", "\r\n").partition("\r\n\r\n")
    return f"{header}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


REGISTER = """
REGISTER sip:{uri} SIP/2.0
To: sip:user@example.com
From: sip:user@example.com;tag=81x2
Via: SIP/2.0/UDP [2001:db8::9:1]{received};branch=z9hG4bKas3-111
Call-ID: SSG9559905523997077@hlau_4100
Max-Forwards: 70
Contact: "Caller" <sip:caller@[2001:db8::1]>
CSeq: 98176 REGISTER

"""

WITHOUT_DELIMITERS = """
OPTIONS sip:[2001:db8::10] SIP/2.0
To: sip:user@example.com
From: sip:user@example.com;tag=81x2
Via: SIP/2.0/UDP [2001:db8::9:1];received=2001:db8::9:255;branch=z9hG4bKas3
Call-ID: SSG95523997077@hlau_4100
Max-Forwards: 70
Contact: "Caller" <sip:caller@[2001:db8::9:1]>
CSeq: 921 OPTIONS

"""

IPV6_IN_SDP = """
INVITE sip:user@[2001:db8::10] SIP/2.0
To: sip:user@[2001:db8::10]
From: sip:user@example.com;tag=81x2
Via: SIP/2.0/UDP [2001:db8::20];branch=z9hG4bKas3-111
Call-ID: SSG9559905523997077@hlau_4100
Contact: "Caller" <sip:caller@[2001:db8::20]>
CSeq: 8612 INVITE
Max-Forwards: 70
Content-Type: application/sdp

v=0
o=assistant 971731711378798081 0 IN IP6 2001:db8::20
s=Live video feed for today's meeting
c=IN IP6 2001:db8::20
t=3338481189 3370017201
m=audio 6000 RTP/AVP 2
a=rtpmap:2 G726-32/8000
m=video 6024 RTP/AVP 107
a=rtpmap:107 H263-1998/90000
"""

SEVERAL_IN_HEADERS = """
BYE sip:user@host.example.net SIP/2.0
Via: SIP/2.0/UDP [2001:db8::9:1]:6050;branch=z9hG4bKas3-111
Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKjhja8781hjuaij65144
Via: SIP/2.0/TCP [2001:db8::9:255];branch=z9hG4bK451jj;received=192.0.2.200
Call-ID: 997077@lau_4100
Max-Forwards: 70
CSeq: 89187 BYE
To: sip:user@example.net;tag=9817--94
From: sip:user@example.com;tag=81x2

"""

SEVERAL_IN_SDP = """
INVITE sip:user@[2001:db8::10] SIP/2.0
To: sip:user@[2001:db8::10]
From: sip:user@example.com;tag=81x2
Via: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111
Call-ID: SSG9559905523997077@hlau_4100
Contact: "Caller" <sip:caller@[2001:db8::9:1]>
Max-Forwards: 70
CSeq: 8912 INVITE
Content-Type: application/sdp

v=0
o=bob 280744730 28977631 IN IP4 host.example.com
s=
t=0 0
m=audio 22334 RTP/AVP 0
c=IN IP4 192.0.2.1
m=video 6024 RTP/AVP 107
c=IN IP6 2001:db8::1
a=rtpmap:107 H263-1998/90000
"""

MAPPED = """
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

v=0
o=assistant 971731711378798081 0 IN IP6 ::ffff:192.0.2.2
s=Call me soon, please!
c=IN IP6 ::ffff:192.0.2.2
t=3338481189 3370017201
m=audio 6000 RTP/AVP 2
a=rtpmap:2 G726-32/8000
m=video 6024 RTP/AVP 107
a=rtpmap:107 H263-1998/90000
"""

IPV4_AT_THE_END = """
OPTIONS sip:user@[{address}] SIP/2.0
To: sip:user@[{address}]
From: sip:user@example.com;tag=810x2
Via: SIP/2.0/UDP lab1.east.example.com;branch=z9hG4bKas3-111
Call-ID: G9559905523997077@hlau_4100
CSeq: 689 OPTIONS
Max-Forwards: 70
Contact: "Caller" <sip:caller@[2001:db8::9:1]>

"""


def register(uri: str, received: str = "") -> str:
    return REGISTER.format(uri=uri, received=received)


# section: (message, what the section says, the error or None when valid, the text at its offset)
VERDICTS = {
    "4.1": (register("[2001:db8::10]"), "a valid message with an IPv6 reference", None, b""),
    "4.2": (register("2001:db8::10"), "invalid: no delimiters", E.BAD_HOST, b"2001:db8::10"),
    "4.3": (register("[2001:db8::10:5070]"), "valid: the port is ambiguous, so it is none", None, b""),
    "4.4": (register("[2001:db8::10]:5070"), "valid, with a port", None, b""),
    "4.5, first": (
        register("[2001:db8::10]", ";received=[2001:db8::9:255]"),
        "delimiters in received are against the grammar of RFC 3261, and to be accepted",
        None,
        b"",
    ),
    "4.5, second": (WITHOUT_DELIMITERS, "valid: the form of the grammar", None, b""),
    "4.6": (IPV6_IN_SDP, "valid: addresses in SDP have no delimiters", None, b""),
    "4.7": (SEVERAL_IN_HEADERS, "valid: IPv4 and IPv6 in Via", None, b""),
    "4.8": (SEVERAL_IN_SDP, "valid: IPv4 and IPv6 in SDP", None, b""),
    "4.9": (MAPPED, "valid: IPv4-mapped addresses", None, b""),
    # The grammar of RFC 3261 makes three colons here and senders followed it: to be accepted, never sent.
    "4.10, first": (
        IPV4_AT_THE_END.format(address="2001:db8:::192.0.2.1"),
        "legal by the grammar of RFC 3261",
        None,
        b"",
    ),
    "4.10, second": (
        IPV4_AT_THE_END.format(address="2001:db8::192.0.2.1"),
        "legal by RFC 4291, and by the grammar as corrected",
        None,
        b"",
    ),
}


@pytest.mark.parametrize("section", VERDICTS)
def test_a_message_gets_the_verdict_of_its_section(section: str) -> None:
    text, words, error, where = VERDICTS[section]
    data = message(text)
    checked = check_message(data)
    assert checked.error == error, words
    assert data[checked.offset :].startswith(where)


@pytest.mark.parametrize("section", VERDICTS)
def test_byte_by_byte_reads_as_whole(section: str) -> None:
    data = message(VERDICTS[section][0])
    whole = sip.read(data, True)
    assert whole["status"] == "message"
    for length in range(len(data)):
        assert sip.read(data[:length], True)["status"] == "need_more"


def test_a_port_inside_the_delimiters_is_part_of_the_address() -> None:
    request = sip.read(message(VERDICTS["4.3"][0]))["request"]
    assert (request["host"], request["port"]) == (b"2001:db8::10:5070", 0)


def test_a_port_outside_the_delimiters_is_the_port() -> None:
    request = sip.read(message(VERDICTS["4.4"][0]))["request"]
    assert (request["host"], request["port"]) == (b"2001:db8::10", 5070)


def test_an_ipv6_session_names_its_media() -> None:
    audio, video = parse_message(message(IPV6_IN_SDP))["sdp"]["media"]
    assert (audio["connection"], audio["port"]) == ("2001:db8::20", 6000)
    assert audio["formats"] == [{"payload_type": 2, "encoding": "G726-32", "clock_hz": 8000}]
    assert video["formats"] == [{"payload_type": 107, "encoding": "H263-1998", "clock_hz": 90000}]


def test_each_medium_may_have_its_own_address_family() -> None:
    media = parse_message(message(SEVERAL_IN_SDP))["sdp"]["media"]
    assert [one["connection"] for one in media] == ["192.0.2.1", "2001:db8::1"]


def test_a_mapped_address_is_the_ipv4_address() -> None:
    media = parse_message(message(MAPPED))["sdp"]["media"]
    assert {one["connection"] for one in media} == {"192.0.2.2"}
