"""RFC 4475, the SIP torture test messages: each gets the verdict that its own section gives it.

`valid` is what the section says about the message, not what an element would answer: a request that every element
rejects (unknown scheme, unknown extension, unacceptable body) is a well-formed message. The files are those of the
archive in the RFC, byte for byte, as the corpus carries them; their folder names there are another parser's opinion
and are not used.
"""

from pathlib import Path

import pytest

from appliance.parse import parse_message
from capture import sip
from capture.sip_check import check_message
from capture.sip_errors import SipError as E

# name: (section, what the section says, the error found or None when valid, the text at its offset)
VERDICTS: dict[str, tuple[str, str, E | None, bytes]] = {
    # 3.1.1 Valid Messages
    "wsinv": ("3.1.1.1", "A Short Tortuous INVITE", None, b""),
    "intmeth": ("3.1.1.2", "Wide Range of Valid Characters", None, b""),
    "esc01": ("3.1.1.3", "Valid Use of the % Escaping Mechanism", None, b""),
    "escnull": ("3.1.1.4", "Escaped Nulls in URIs", None, b""),
    "esc02": ("3.1.1.5", "Use of % When It Is Not an Escape", None, b""),
    "lwsdisp": ("3.1.1.6", "Message with No LWS between Display Name and <", None, b""),
    "longreq": ("3.1.1.7", "Long Values in Header Fields", None, b""),
    "dblreq": ("3.1.1.8", "Extra Trailing Octets in a UDP Datagram", None, b""),
    "semiuri": ("3.1.1.9", "Semicolon-Separated Parameters in URI User Part", None, b""),
    "transports": ("3.1.1.10", "Varied and Unknown Transport Types", None, b""),
    "mpart01": ("3.1.1.11", "Multipart MIME Message", None, b""),
    "unreason": ("3.1.1.12", "Unusual Reason Phrase", None, b""),
    "noreason": ("3.1.1.13", "Empty Reason Phrase", None, b""),
    # 3.1.2 Invalid Messages
    "badinv01": ("3.1.2.1", "extraneous separators: syntactically invalid", E.BAD_PARAMETER, b";,;,,"),
    "clerr": ("3.1.2.2", "Content-Length larger than message: 400 over UDP", E.BODY_CUT, b"9999"),
    "ncl": ("3.1.2.3", "negative Content-Length: respond with an error", E.BAD_CONTENT_LENGTH, b"-999"),
    "scalar02": ("3.1.2.4", "request scalars overlarge: 400 due to the CSeq error", E.BAD_CSEQ, b"3689348814741910323"),
    "scalarlg": ("3.1.2.5", "response scalars overlarge: discard", E.BAD_CSEQ, b"929239483477230402331"),
    "quotbal": ("3.1.2.6", "unterminated quoted string: 400", E.UNTERMINATED_QUOTE, b'"Mr. J. User'),
    "ltgtruri": ("3.1.2.7", "<> around the Request-URI: invalid", E.REQUEST_URI_BRACKETS, b"<sip:user"),
    "lwsruri": ("3.1.2.8", "LWS within the Request-URI: invalid", E.REQUEST_URI_SPACE, b" lr SIP/2.0"),
    "lwsstart": ("3.1.2.9", "multiple SP in the Request-Line: illegal", E.START_LINE_SPACING, b" sip:user"),
    "trws": (
        "3.1.2.10",
        "SP at the end of the Request-Line: acceptable to reject as malformed",
        E.START_LINE_TRAILING,
        b"  \r\n",
    ),
    "escruri": ("3.1.2.11", "escaped headers in the Request-URI: malformed", E.REQUEST_URI_HEADERS, b"?Route="),
    "baddate": ("3.1.2.12", "a non-GMT time zone in Date: invalid", E.BAD_DATE, b"Fri, 01 Jan 2010 16:00:00 EST"),
    "regbadct": ("3.1.2.13", "name-addr URI not in <>: malformed", E.NAME_ADDR_NEEDED, b"?Route="),
    "badaspec": ("3.1.2.14", "spaces within addr-spec: malformed", E.URI_SPACE, b" sip:t.watson"),
    "baddn": ("3.1.2.15", "non-token characters in a display name: malformed", E.BAD_DISPLAY_NAME, b", Alexander"),
    "badvers": ("3.1.2.16", "unknown protocol version: malformed", E.BAD_VERSION, b"SIP/7.0"),
    "mismatch01": ("3.1.2.17", "start line and CSeq method differ: 400", E.METHOD_MISMATCH, b"8 INVITE"),
    "mismatch02": ("3.1.2.18", "unknown method, CSeq method differs: 501 or 400", E.METHOD_MISMATCH, b"8 INVITE"),
    "bigcode": ("3.1.2.19", "overlarge response code: drop", E.BAD_STATUS_CODE, b"4294967301"),
    # 3.2 Transaction layer: "a malformed branch parameter", for which an element could answer 400 or fall back
    "badbranch": (
        "3.2.1",
        "no transaction identifier behind the cookie: malformed",
        E.EMPTY_BRANCH,
        b"branch=z9hG4bK\r\n",
    ),
    # 3.3 Application layer
    "insuf": ("3.3.1", "missing required header fields: ideally 400", E.MISSING_CALL_ID, b"INVITE"),
    "unkscm": ("3.3.2", "a parser must accept this as well formed (then 416)", None, b""),
    "novelsc": ("3.3.3", "a parser must accept this as well formed (then 416)", None, b""),
    "unksm2": ("3.3.4", "syntactically valid", None, b""),
    "bext01": ("3.3.5", "tests extension negotiation (then 420)", None, b""),
    "invut": ("3.3.6", "syntactically valid (then 415)", None, b""),
    "regaut01": ("3.3.7", "the request is well formed", None, b""),
    "multi01": ("3.3.8", "multiple values in single value fields: 400", E.REPEATED_FIELD, b"CSeq: 59"),
    "mcl01": ("3.3.9", "Content-Length values that conflict: error", E.REPEATED_FIELD, b"Content-Length: 5"),
    "bcast": ("3.3.10", "the message is well formed", None, b""),
    "zeromf": ("3.3.11", "a legal SIP request", None, b""),
    "cparam01": ("3.3.12", "the register request should succeed", None, b""),
    "cparam02": ("3.3.13", "the register request should succeed", None, b""),
    "regescrt": ("3.3.14", "the register request should succeed", None, b""),
    "sdp01": ("3.3.15", "an Accept that cannot be met: 406, or 400 for that alone", None, b""),
    # 3.4 Backward compatibility
    "inv2543": ("3.4.1", "a legal message per RFC 2543, to be accepted", None, b""),
}


@pytest.fixture(scope="module")
def torture(corpus: Path) -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in (corpus / "torture_rfc4475").rglob("*.dat")}


def test_all_messages_of_the_rfc_are_in_the_table(torture: dict[str, bytes]) -> None:
    # `test` is in the archive of RFC 4475 (its start line has no version), and no section speaks of it
    assert set(torture) - {"test"} == set(VERDICTS)
    assert len(VERDICTS) == 49


@pytest.mark.parametrize("name", VERDICTS)
def test_a_message_gets_the_verdict_of_its_section(name: str, torture: dict[str, bytes]) -> None:
    section, words, error, where = VERDICTS[name]
    data = torture[name]
    checked = check_message(data)
    assert checked.error == error, f"RFC 4475 {section}: {words}"
    if error is not None:
        assert data[checked.offset :].startswith(where)
    assert parse_message(data)["valid"] == (error is None)


@pytest.mark.parametrize("name", VERDICTS)
def test_a_valid_message_is_one_for_the_reader_of_the_hot_path(name: str, torture: dict[str, bytes]) -> None:
    if VERDICTS[name][2] is None:
        read = sip.read(torture[name])
        assert (read["status"], read["error"]) == ("message", 0)


@pytest.mark.parametrize("name", VERDICTS)
def test_a_message_fed_byte_by_byte_reads_as_when_it_comes_whole(name: str, torture: dict[str, bytes]) -> None:
    data = torture[name]
    whole = sip.read(data, True)
    for length in range(len(data) + 1):
        part = sip.read(data[:length], True)
        if part["status"] != "need_more":
            assert part == whole
            assert length == whole.get("bytes", length)
            break
    else:
        assert whole["status"] == "need_more"


def test_the_tortuous_invite_is_understood(torture: dict[str, bytes]) -> None:
    message = parse_message(torture["wsinv"])
    assert message["method"] == "INVITE"
    assert message["call_id"] == "wsinv.ndaksdj@192.0.2.1"
    assert (message["from_tag"], message["to_tag"]) == ("98asjd8", "1918181833n")
    assert message["cseq"] == 9
    assert message["branch"] == "390skdjuw"
    assert ["Subject", ""] in message["headers"]
    assert ["CSeq", "0009 INVITE"] in message["headers"]
    assert ["NewFangledHeader", "newfangled value continued newfangled value"] in message["headers"]
    assert [name for name, _ in message["headers"]].count("Via") == 2
    assert message["sdp"]["connection"] == "IN IP4 192.0.2.4"


def test_an_escaped_method_is_another_method(torture: dict[str, bytes]) -> None:
    message = parse_message(torture["esc02"])
    assert message["method"] == "RE%47IST%45R"
    assert [name for name, _ in message["headers"]].count("Contact") == 2


def test_an_unusual_reason_phrase_is_kept(torture: dict[str, bytes]) -> None:
    message = parse_message(torture["unreason"])
    assert message["reason_phrase"] == "= 2**3 * 5**2 но сто девяносто девять - простое"
    assert parse_message(torture["noreason"])["reason_phrase"] == ""


def test_trailing_octets_of_a_datagram_are_dropped(torture: dict[str, bytes]) -> None:
    message = parse_message(torture["dblreq"])
    assert (message["method"], message["body_bytes"]) == ("REGISTER", 0)
    read = sip.read(torture["dblreq"])
    rest = sip.read(torture["dblreq"][read["bytes"] :], True)
    assert rest["method_name"] == b"INVITE"


def test_a_header_of_the_contact_is_not_one_of_the_uri(torture: dict[str, bytes]) -> None:
    bare = dict(parse_message(torture["cparam01"])["headers"])["Contact"]
    assert bare == "sip:+19725552222@gw1.example.net;unknownparam"
