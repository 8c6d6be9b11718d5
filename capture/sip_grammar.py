"""The grammar of the start line and of the header field values (RFC 3261 25.1), rule by rule.

Each rule stands beside its text. Where it takes more than the text, the reason is there, too. A value is checked
where it stands, so every failure has an offset in the message.
"""

import re
from collections.abc import Callable

from capture.abnf import (
    HEADER_VALUE,
    LWS,
    SWS,
    TOKEN,
    WORD,
    Cursor,
    SipGrammarError,
    comment,
    generic_parameter,
    host,
    is_ipv4,
    is_ipv6,
    number,
    port,
    quoted_string,
)
from capture.sip_errors import SipError
from capture.uri import uri

# --- Start line -----------------------------------------------------------------------------------------------------

# SIP-Version = "SIP" "/" 1*DIGIT "." 1*DIGIT. A string of ABNF has no case; RFC 3261 7.1 wants only senders to use
# upper case.
VERSION = re.compile(rb"[Ss][Ii][Pp]/[0-9]+\.[0-9]+")
VERSION_2 = b"sip/2.0"

# Reason-Phrase = *(reserved / unreserved / escaped / UTF8-NONASCII / UTF8-CONT / SP / HTAB). The marks that are in
# none of these (" < > # [ ] { } | \ ^ `) are taken as well: RFC 3261 7.2 means the phrase for people.
REASON_PHRASE = re.compile(rb"[ \t\x21-\x7e\x80-\xff]*")

STATUS_CODE = re.compile(rb"[1-6][0-9]{2}(?![0-9])")


def one_space(cursor: Cursor) -> None:
    if not cursor.accept(b" "):
        raise cursor.fail(SipError.BAD_START_LINE)
    if cursor.peek() in (b" ", b"\t"):
        raise cursor.fail(SipError.START_LINE_SPACING)


def version(cursor: Cursor) -> None:
    start = cursor.at
    found = cursor.take(VERSION, SipError.BAD_START_LINE)
    if found.lower() != VERSION_2:
        raise SipGrammarError(SipError.BAD_VERSION, start)


def check_words(cursor: Cursor) -> None:
    """Request-URI SP SIP-Version and nothing else. Says which fault around white space it is: RFC 4475 has four."""
    rest = cursor.data[cursor.at : cursor.end]
    words = rest.split()
    if len(words) == 2 and not begins_with_version(words[1]):
        cursor.at += rest.rindex(words[1])
        raise cursor.fail(SipError.BAD_START_LINE)
    if len(words) == 2 and rest == b" ".join(words):
        return
    cursor.at += len(words[0]) if words else 0
    if len(words) == 2 and rest.startswith(b" ".join(words)):
        cursor.at = cursor.end - len(rest) + len(b" ".join(words))
        raise cursor.fail(SipError.START_LINE_TRAILING)
    if len(words) == 2:
        raise cursor.fail(SipError.START_LINE_SPACING)
    if words and VERSION.fullmatch(words[-1]):
        raise cursor.fail(SipError.REQUEST_URI_SPACE)
    raise cursor.fail(SipError.BAD_START_LINE)


def request_line(cursor: Cursor, found: dict[str, bytes]) -> None:
    """Request-Line = Method SP Request-URI SP SIP-Version CRLF, without the line end (RFC 3261 7.1)

    Puts method and request_uri into `found` as it reads them.
    """
    method = cursor.take(TOKEN, SipError.BAD_START_LINE)
    one_space(cursor)
    found["method"] = method
    check_words(cursor)
    start = cursor.at
    if cursor.peek() == b"<":
        raise cursor.fail(SipError.REQUEST_URI_BRACKETS)
    uri(cursor, headers=False)
    if cursor.peek() != b" ":
        raise cursor.fail(SipError.BAD_URI)
    found["request_uri"] = cursor.data[start : cursor.at]
    one_space(cursor)
    version(cursor)
    if not cursor.done():
        raise cursor.fail(SipError.START_LINE_TRAILING)


def status_line(cursor: Cursor, found: dict[str, bytes]) -> None:
    """Status-Line = SIP-Version SP Status-Code SP Reason-Phrase CRLF, without the line end (RFC 3261 7.2)

    extension-code is 3DIGIT; RFC 3261 7.2 defines six classes, so a code from 700 on is none (RFC 4475 3.1.2.19).
    Puts status_code and reason_phrase into `found`.
    """
    version(cursor)
    one_space(cursor)
    code = cursor.take(STATUS_CODE, SipError.BAD_STATUS_CODE)
    if not cursor.accept(b" "):
        raise cursor.fail(SipError.BAD_START_LINE)
    phrase = cursor.skip(REASON_PHRASE)
    if not cursor.done():
        raise cursor.fail(SipError.BAD_REASON_PHRASE)
    found["status_code"] = code
    found["reason_phrase"] = phrase


def begins_with_version(line: bytes) -> bool:
    """Which a Request-Line never does: a method is a token, and has no slash."""
    return line[:4].lower() == b"sip/"


# --- Addresses ------------------------------------------------------------------------------------------------------

# A scheme and its colon before any `<`: a token of a display name is never followed by a colon.
BARE_START = re.compile(rb"[A-Za-z][A-Za-z0-9+\-.]*:")


def angle_uri(cursor: Cursor) -> None:
    """LAQUOT addr-spec RAQUOT"""
    start = cursor.at
    cursor.at += 1
    uri(cursor)
    if cursor.accept(b">"):
        return
    if cursor.done():
        raise SipGrammarError(SipError.UNCLOSED_BRACKET, start)
    raise cursor.fail(SipError.URI_SPACE if LWS.match(cursor.data, cursor.at, cursor.end) else SipError.BAD_URI)


def name_address(cursor: Cursor) -> None:
    """name-addr = [ display-name ] LAQUOT addr-spec RAQUOT ; display-name = *(token LWS)/ quoted-string

    The white space behind the last token may be missing: the RFC meant SWS there (RFC 4475 3.1.1.6).
    """
    cursor.skip(SWS)
    if cursor.peek() == b'"':
        quoted_string(cursor)
        cursor.skip(SWS)
    else:
        while cursor.skip(TOKEN):
            cursor.skip(SWS)
    if cursor.peek() != b"<":
        raise cursor.fail(SipError.BAD_DISPLAY_NAME)
    angle_uri(cursor)


def address(cursor: Cursor) -> None:
    """name-addr / addr-spec. Without angle brackets `;` ends the URI, and `?` or `,` inside it is an error (20.10)."""
    cursor.skip(SWS)
    bracket = cursor.data.find(b"<", cursor.at, cursor.end)
    if cursor.peek() == b'"' or (bracket >= 0 and not BARE_START.match(cursor.data, cursor.at, bracket)):
        name_address(cursor)
        return
    uri(cursor, bare=True)
    if cursor.peek() == b"?":
        raise cursor.fail(SipError.NAME_ADDR_NEEDED)


def parameters(cursor: Cursor, check: Callable[[bytes, bytes | None, int], None] | None = None) -> None:
    """*( SEMI generic-param ); `check` gets the name in lower case, the value and the offset of each."""
    while cursor.accept_separator(b";"):
        start = cursor.at
        name, value = generic_parameter(cursor)
        if check is not None:
            check(name, value, start)


def value_list(cursor: Cursor, element: Callable[[Cursor], None]) -> None:
    """element *(COMMA element)"""
    element(cursor)
    while cursor.accept_separator(b","):
        element(cursor)


def from_or_to(cursor: Cursor) -> None:
    """from-spec, to-spec = ( name-addr / addr-spec ) *( SEMI ( tag-param / generic-param ) )

    tag-param = "tag" EQUAL token. Its absence from From is left alone: so speaks RFC 2543 (RFC 4475 3.4.1). So are a
    port and the parameters of the URI, which the grammar has and table 1 of 19.1.1 does not want here: many send them.
    """
    address(cursor)
    parameters(cursor, check_tag)


def check_tag(name: bytes, value: bytes | None, start: int) -> None:
    if name == b"tag" and (value is None or not TOKEN.fullmatch(value)):
        raise SipGrammarError(SipError.BAD_PARAMETER, start)


QVALUE = re.compile(rb"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")


def check_contact_parameter(name: bytes, value: bytes | None, start: int) -> None:
    """c-p-q = "q" EQUAL qvalue. c-p-expires is not checked: a malformed one counts as 3600 (RFC 3261 20.10)."""
    if name == b"q" and (value is None or not QVALUE.fullmatch(value)):
        raise SipGrammarError(SipError.BAD_QVALUE, start)


def contact_element(cursor: Cursor) -> None:
    address(cursor)
    parameters(cursor, check_contact_parameter)


def contact(cursor: Cursor) -> None:
    """Contact = STAR / (contact-param *(COMMA contact-param))"""
    if cursor.accept(b"*"):
        return
    value_list(cursor, contact_element)


def route_element(cursor: Cursor) -> None:
    """rec-route, route-param, Diversion (RFC 5806 8) and Remote-Party-ID: name-addr *( SEMI generic-param )"""
    name_address(cursor)
    parameters(cursor)


def routes(cursor: Cursor) -> None:
    value_list(cursor, route_element)


HISTORY_INDEX = re.compile(rb"[0-9]+(?:\.[0-9]+)*")


def history_element(cursor: Cursor) -> None:
    """hi-entry = hi-targeted-to-uri *(SEMI hi-param), of which hi-index must be one (RFC 7044 5)"""
    start = cursor.at
    indices: list[bytes | None] = []
    name_address(cursor)
    parameters(cursor, lambda name, value, at: indices.append(value) if name == b"index" else None)
    if len(indices) != 1 or indices[0] is None or not HISTORY_INDEX.fullmatch(indices[0]):
        raise SipGrammarError(SipError.BAD_HISTORY_INDEX, start)


def asserted_element(cursor: Cursor) -> None:
    """PAssertedID-value = name-addr / addr-spec (RFC 3325 9.1)

    The field has no parameters, so those behind a bare URI can only be the URI's.
    """
    cursor.skip(SWS)
    if BARE_START.match(cursor.data, cursor.at, cursor.end):
        uri(cursor)
    else:
        name_address(cursor)


# --- Via ------------------------------------------------------------------------------------------------------------

MAGIC_COOKIE = b"z9hg4bk"


def check_via_parameter(name: bytes, value: bytes | None, start: int) -> None:
    """via-params: branch is a token, received an address, ttl at most 255, rport empty or a port (RFC 3581 3).

    received may have the brackets of an IPv6 reference, which the grammar does not say (RFC 5118 4.5).
    """
    if name == b"branch" and (value is None or not TOKEN.fullmatch(value)):
        raise SipGrammarError(SipError.BAD_PARAMETER, start)
    if name == b"branch" and value is not None and value.lower() == MAGIC_COOKIE:
        raise SipGrammarError(SipError.EMPTY_BRANCH, start)
    limit = {b"ttl": 255, b"rport": 65535}.get(name)
    if limit is None or value is None:
        return
    if not value.isdigit() or len(value) > 5 or int(value) > limit:
        raise SipGrammarError(SipError.BAD_PARAMETER, start)


RECEIVED_IPV6 = re.compile(rb"[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")


def via_parameter(cursor: Cursor) -> None:
    """One of via-params. via-received = "received" EQUAL (IPv4address / IPv6address): never a name, and the only value
    that may hold colons outside of quotes."""
    start = cursor.at
    name = cursor.take(TOKEN, SipError.BAD_PARAMETER).lower()
    if name == b"received" and cursor.accept_separator(b"="):
        address_start = cursor.at
        text = cursor.skip(RECEIVED_IPV6)
        if text and not is_ipv6(text):
            raise SipGrammarError(SipError.BAD_IPV6, address_start)
        if not text:
            host(cursor)
            text = cursor.data[address_start : cursor.at]
            if not text.startswith(b"[") and not is_ipv4(text):
                raise SipGrammarError(SipError.BAD_PARAMETER, address_start)
        return
    cursor.at = start
    name, value = generic_parameter(cursor)
    check_via_parameter(name, value, start)


def via_element(cursor: Cursor) -> None:
    """via-parm = sent-protocol LWS sent-by *( SEMI via-params )

    sent-protocol = protocol-name SLASH protocol-version SLASH transport ; sent-by = host [ COLON port ]
    """
    cursor.take(TOKEN, SipError.BAD_VIA)
    for _ in range(2):
        if not cursor.accept_separator(b"/"):
            raise cursor.fail(SipError.BAD_VIA)
        cursor.take(TOKEN, SipError.BAD_VIA)
    cursor.take(LWS, SipError.BAD_VIA)
    host(cursor)
    if cursor.accept_separator(b":"):
        port(cursor)
    while cursor.accept_separator(b";"):
        via_parameter(cursor)


def via(cursor: Cursor) -> None:
    value_list(cursor, via_element)


# --- Words and numbers ----------------------------------------------------------------------------------------------


def call_id(cursor: Cursor) -> None:
    """callid = word [ "@" word ]"""
    cursor.take(WORD, SipError.BAD_CALL_ID)
    if cursor.accept(b"@"):
        cursor.take(WORD, SipError.BAD_CALL_ID)
    cursor.expect_end(SipError.BAD_CALL_ID)


def cseq(cursor: Cursor) -> None:
    """CSeq = 1*DIGIT LWS Method; the number fits 32 bits (RFC 3261 20.16)"""
    number(cursor, SipError.BAD_CSEQ)
    cursor.take(LWS, SipError.BAD_CSEQ)
    cursor.take(TOKEN, SipError.BAD_CSEQ)
    cursor.expect_end(SipError.BAD_CSEQ)


def max_forwards(cursor: Cursor) -> None:
    """1*DIGIT, from 0 to 255 (RFC 3261 20.22)"""
    number(cursor, SipError.BAD_MAX_FORWARDS, 255)
    cursor.expect_end(SipError.BAD_MAX_FORWARDS)


def content_length(cursor: Cursor) -> None:
    number(cursor, SipError.BAD_CONTENT_LENGTH)
    cursor.expect_end(SipError.BAD_CONTENT_LENGTH)


def expires(cursor: Cursor) -> None:
    """delta-seconds, from 0 to 2**32 - 1 (RFC 3261 20.19)"""
    number(cursor, SipError.BAD_NUMBER)


def token_element(cursor: Cursor) -> None:
    cursor.take(TOKEN, SipError.BAD_VALUE)


def tokens(cursor: Cursor) -> None:
    """option-tag *(COMMA option-tag), content-coding *(COMMA content-coding)"""
    value_list(cursor, token_element)


def tokens_or_nothing(cursor: Cursor) -> None:
    """Allow = [Method *(COMMA Method)], Supported = [option-tag *(COMMA option-tag)]"""
    if not cursor.done():
        tokens(cursor)


def media_type(cursor: Cursor) -> None:
    """media-type = m-type SLASH m-subtype *(SEMI m-parameter) ; m-parameter = m-attribute EQUAL m-value"""
    cursor.take(TOKEN, SipError.BAD_MEDIA_TYPE)
    if not cursor.accept_separator(b"/"):
        raise cursor.fail(SipError.BAD_MEDIA_TYPE)
    cursor.take(TOKEN, SipError.BAD_MEDIA_TYPE)
    while cursor.accept_separator(b";"):
        start = cursor.at
        if generic_parameter(cursor)[1] is None:
            raise SipGrammarError(SipError.BAD_MEDIA_TYPE, start)


def content_disposition(cursor: Cursor) -> None:
    """disp-type *( SEMI disp-param )"""
    cursor.take(TOKEN, SipError.BAD_VALUE)
    parameters(cursor)


# SIP-date = rfc1123-date = wkday "," SP date1 SP time SP "GMT". The times end with 23:59:59 there; the leap second of
# RFC 5322 3.3 is taken as well.
DATE = re.compile(
    rb"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (?:0[1-9]|[12][0-9]|3[01])"
    rb" (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [0-9]{4}"
    rb" (?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60) GMT",
    re.IGNORECASE,
)


def date(cursor: Cursor) -> None:
    cursor.take(DATE, SipError.BAD_DATE)
    cursor.expect_end(SipError.BAD_DATE)


WARNING_CODE = re.compile(rb"[0-9]{3}(?![0-9])")
WARNING_AGENT = re.compile(rb"[^ \t\r\n\",]+")


def warning_element(cursor: Cursor) -> None:
    """warning-value = warn-code SP warn-agent SP warn-text ; warn-agent = hostport / pseudonym

    A fold or more than one SP is taken, as all linear white space means SP (25.1); of the agent, anything without
    white space and separators of the list, since it is there for people.
    """
    cursor.take(WARNING_CODE, SipError.BAD_WARNING)
    cursor.take(LWS, SipError.BAD_WARNING)
    cursor.take(WARNING_AGENT, SipError.BAD_WARNING)
    cursor.take(LWS, SipError.BAD_WARNING)
    if cursor.peek() != b'"':
        raise cursor.fail(SipError.BAD_WARNING)
    quoted_string(cursor)


def product(cursor: Cursor) -> None:
    """server-val *(LWS server-val) ; server-val = product / comment ; product = token [SLASH product-version]

    LWS between the values may be missing before a comment: `PBX-2.8(1.4)` is how many gateways name themselves. The
    rule wants one value at least; none is taken as well, as of a sender that hides what it is.
    """
    while not cursor.done():
        if cursor.peek() == b"(":
            comment(cursor)
        else:
            cursor.take(TOKEN, SipError.BAD_VALUE)
            if cursor.accept_separator(b"/"):
                cursor.take(TOKEN, SipError.BAD_VALUE)
        cursor.skip(SWS)


def reason_element(cursor: Cursor) -> None:
    """reason-value = protocol *(SEMI reason-params) ; protocol-cause = "cause" EQUAL 1*DIGIT (RFC 3326 2)"""
    cursor.take(TOKEN, SipError.BAD_REASON)
    parameters(cursor, check_cause)


def check_cause(name: bytes, value: bytes | None, start: int) -> None:
    if name == b"cause" and (value is None or not value.isdigit()):
        raise SipGrammarError(SipError.BAD_REASON, start)


def privacy(cursor: Cursor) -> None:
    """Privacy-hdr = priv-value *(";" priv-value) (RFC 3323 4.2)"""
    cursor.take(TOKEN, SipError.BAD_PRIVACY)
    while cursor.accept_separator(b";"):
        cursor.take(TOKEN, SipError.BAD_PRIVACY)


SIGNATURE = re.compile(rb"[A-Za-z0-9+/=\-_.]+")
ABSOLUTE_URI = re.compile(rb"<[^<>\s]+>")


def identity(cursor: Cursor) -> None:
    """signed-identity-digest SEMI ident-info *( SEMI ident-info-params ) (RFC 8224 4)

    The signature of RFC 4474 is quoted and its info is a field of its own, Identity-Info; both are taken. A compact
    PASSporT has empty header and claims (RFC 8225 7) and so begins with dots.
    """
    if cursor.peek() == b'"':
        quoted_string(cursor)
    else:
        cursor.take(SIGNATURE, SipError.BAD_IDENTITY)
    while cursor.accept_separator(b";"):
        start = cursor.at
        name = cursor.take(TOKEN, SipError.BAD_IDENTITY).lower()
        if name == b"info" and cursor.accept_separator(b"="):
            cursor.take(ABSOLUTE_URI, SipError.BAD_IDENTITY)
        else:
            cursor.at = start
            generic_parameter(cursor)


CREDENTIALS = re.compile(rb"[^\x00-\x1f\x7f]+")


def credentials(cursor: Cursor) -> None:
    """auth-scheme LWS and something. What it is belongs to the scheme, and not every scheme has parameters."""
    cursor.take(TOKEN, SipError.BAD_CREDENTIALS)
    cursor.take(LWS, SipError.BAD_CREDENTIALS)
    while not cursor.done():
        cursor.take(CREDENTIALS, SipError.BAD_CREDENTIALS)
        cursor.skip(LWS)


def asserted_identity(cursor: Cursor) -> None:
    value_list(cursor, asserted_element)


def history_info(cursor: Cursor) -> None:
    value_list(cursor, history_element)


def warning(cursor: Cursor) -> None:
    value_list(cursor, warning_element)


def reason(cursor: Cursor) -> None:
    value_list(cursor, reason_element)


def no_control_characters(cursor: Cursor) -> None:
    cursor.skip(HEADER_VALUE)
    if not cursor.done():
        raise cursor.fail(SipError.BAD_CHARACTER)


# The rule of every header field that is checked, by its canonical name.
RULES: dict[str, Callable[[Cursor], None]] = {
    "Via": via,
    "From": from_or_to,
    "To": from_or_to,
    "Call-ID": call_id,
    "CSeq": cseq,
    "Contact": contact,
    "Record-Route": routes,
    "Route": routes,
    "Max-Forwards": max_forwards,
    "Content-Length": content_length,
    "Content-Type": media_type,
    "Content-Encoding": tokens,
    "Content-Disposition": content_disposition,
    "Authorization": credentials,
    "Proxy-Authorization": credentials,
    "WWW-Authenticate": credentials,
    "Proxy-Authenticate": credentials,
    "P-Asserted-Identity": asserted_identity,
    "P-Preferred-Identity": asserted_identity,
    "Remote-Party-ID": routes,
    "Diversion": routes,
    "History-Info": history_info,
    "Identity": identity,
    "Reason": reason,
    "User-Agent": product,
    "Server": product,
    "Privacy": privacy,
    "Allow": tokens_or_nothing,
    "Supported": tokens_or_nothing,
    "Require": tokens,
    "Expires": expires,
    "Date": date,
    "Warning": warning,
}


def check_value(name: str, data: bytes, start: int, end: int) -> None:
    """Holds the value of header field `name` to its rule. SipGrammarError when it is not."""
    rule = RULES.get(name)
    if rule is not None:
        cursor = Cursor(data, start, end)
        rule(cursor)
        cursor.expect_end(SipError.BAD_VALUE)
    else:
        no_control_characters(Cursor(data, start, end))
