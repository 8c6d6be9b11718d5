"""The words of SIP's grammar (RFC 3261 25.1), as patterns, and a cursor that reads them and says where it failed.

Patterns are possessive in effect: in every alternation the first byte decides, so matching is linear.
"""

import re

from capture.sip_errors import SipError


class SipGrammarError(ValueError):
    """The sender broke the grammar: `error` says which rule, `offset` at which byte."""

    def __init__(self, error: SipError, offset: int) -> None:
        super().__init__(f"{error.reason} (byte {offset}, {error.rfc})")
        self.error = error
        self.offset = offset


# LWS = [*WSP CRLF] 1*WSP and SWS = [LWS]. A fold also ends with a bare LF, as the reader of lines allows it, and
# more than one fold may follow each other: the line with only white space in between is a continuation, too.
LWS = re.compile(rb"(?:[ \t]|\r?\n[ \t])+")
SWS = re.compile(rb"(?:[ \t]|\r?\n[ \t])*")

# token = 1*(alphanum / "-" / "." / "!" / "%" / "*" / "_" / "+" / "`" / "'" / "~" )
TOKEN = re.compile(rb"[A-Za-z0-9\-.!%*_+`'~]+")

# word adds the separators but for @ , ; = and white space
WORD = re.compile(rb"""[A-Za-z0-9\-.!%*_+`'~()<>:\\"/\[\]?{}]+""")

DIGITS = re.compile(rb"[0-9]+")

# UTF8-NONASCII as the RFC writes it, with the five and six byte forms that UTF-8 has since lost
UTF8_NONASCII = (
    rb"[\xc0-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf7][\x80-\xbf]{3}"
    rb"|[\xf8-\xfb][\x80-\xbf]{4}|[\xfc\xfd][\x80-\xbf]{5}"
)

# quoted-string = SWS DQUOTE *(qdtext / quoted-pair ) DQUOTE
# qdtext = LWS / %x21 / %x23-5B / %x5D-7E / UTF8-NONASCII ; quoted-pair = "\" (%x00-09 / %x0B-0C / %x0E-7F)
QUOTED_BODY = re.compile(
    rb"(?:[ \t!\x23-\x5b\x5d-\x7e]|\r?\n[ \t]|\\[\x00-\x09\x0b\x0c\x0e-\x7f]|" + UTF8_NONASCII + rb")*"
)

# ctext = %x21-27 / %x2A-5B / %x5D-7E / UTF8-NONASCII / LWS, and quoted-pair
COMMENT_TEXT = re.compile(
    rb"(?:[ \t!-'*-\x5b\x5d-\x7e]|\r?\n[ \t]|\\[\x00-\x09\x0b\x0c\x0e-\x7f]|" + UTF8_NONASCII + rb")+"
)

# header-value = *(TEXT-UTF8char / UTF8-CONT / LWS): anything visible, and whatever is above ASCII
HEADER_VALUE = re.compile(rb"(?:[ \t\x21-\x7e\x80-\xff]|\r?\n[ \t])*")

# hostname = *( domainlabel "." ) toplabel [ "." ] ; a top label begins with a letter, so that no broken IPv4
# address is a name
LABEL = rb"[A-Za-z0-9](?:[A-Za-z0-9\-]*[A-Za-z0-9])?"
HOST_CHARACTERS = re.compile(rb"[A-Za-z0-9.\-]+")
HOSTNAME = re.compile(rb"(?:" + LABEL + rb"\.)*[A-Za-z](?:[A-Za-z0-9\-]*[A-Za-z0-9])?\.?\Z")
IPV4 = re.compile(rb"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\Z")
IPV6_CHARACTERS = re.compile(rb"[0-9A-Fa-f:.]+")

# hexpart = hexseq / hexseq "::" [ hexseq ] / "::" [ hexseq ], then [ ":" IPv4address ]. The RFC's rule puts three
# colons where `::` is followed by an IPv4 address, which RFC 5954 4.1 mends: both spellings are taken (RFC 5118 4.10).
HEXSEQ = rb"[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4})*"
V4_TAIL = rb"[0-9]{1,3}(?:\.[0-9]{1,3}){3}"
IPV6 = re.compile(
    rb"(?:(?:" + HEXSEQ + rb")?::(?:" + HEXSEQ + rb":" + V4_TAIL + rb"|:?" + V4_TAIL + rb"|" + HEXSEQ + rb")?"
    rb"|" + HEXSEQ + rb":" + V4_TAIL + rb"|" + HEXSEQ + rb")\Z"
)
IPV6_GROUPS = 8


class Cursor:
    """A position in the bytes of a message, between `at` and `end`; offsets are those of the message."""

    __slots__ = ("at", "data", "end")

    def __init__(self, data: bytes, at: int, end: int) -> None:
        self.data = data
        self.at = at
        self.end = end

    def done(self) -> bool:
        return self.at >= self.end

    def peek(self) -> bytes:
        return self.data[self.at : self.at + 1] if self.at < self.end else b""

    def fail(self, error: SipError) -> SipGrammarError:
        return SipGrammarError(error, self.at)

    def skip(self, pattern: re.Pattern[bytes]) -> bytes:
        """What matches here, perhaps nothing."""
        match = pattern.match(self.data, self.at, self.end)
        if match is None:
            return b""
        self.at = match.end()
        return match.group()

    def take(self, pattern: re.Pattern[bytes], error: SipError) -> bytes:
        """What matches here, which is something."""
        found = self.skip(pattern)
        if not found:
            raise self.fail(error)
        return found

    def accept(self, literal: bytes) -> bool:
        """Takes `literal`, whose case does not matter, when it is next."""
        stop = self.at + len(literal)
        if stop <= self.end and self.data[self.at : stop].lower() == literal:
            self.at = stop
            return True
        return False

    def accept_separator(self, literal: bytes) -> bool:
        """The same for a separator with SWS on both sides, such as SEMI, COMMA, EQUAL and SLASH."""
        start = self.at
        self.skip(SWS)
        if self.accept(literal):
            self.skip(SWS)
            return True
        self.at = start
        return False

    def expect_end(self, error: SipError) -> None:
        self.skip(SWS)
        if not self.done():
            raise self.fail(error)


def quoted_string(cursor: Cursor) -> bytes:
    """A quoted string with its marks; the cursor is on the first."""
    start = cursor.at
    cursor.at += 1
    cursor.skip(QUOTED_BODY)
    if not cursor.accept(b'"'):
        raise SipGrammarError(SipError.UNTERMINATED_QUOTE, start if cursor.done() else cursor.at)
    return cursor.data[start : cursor.at]


def comment(cursor: Cursor) -> None:
    """comment = LPAREN *(ctext / quoted-pair / comment) RPAREN; the cursor is on the first parenthesis."""
    start = cursor.at
    depth = 0
    while True:
        if cursor.accept(b"("):
            depth += 1
        elif cursor.accept(b")"):
            depth -= 1
            if depth == 0:
                return
        elif not cursor.skip(COMMENT_TEXT):
            raise SipGrammarError(SipError.BAD_COMMENT, start if cursor.done() else cursor.at)


def number(cursor: Cursor, error: SipError, limit: int = 2**32 - 1) -> int:
    """1*DIGIT, at most `limit`. The digits are counted first: a number of a megabyte is not worth converting."""
    start = cursor.at
    digits = cursor.take(DIGITS, error).lstrip(b"0")
    value = int(digits or b"0") if len(digits) <= 20 else limit + 1
    if value > limit:
        raise SipGrammarError(error, start)
    return value


def is_ipv4(text: bytes) -> bool:
    return IPV4.match(text) is not None and all(int(octet) <= 255 for octet in text.split(b"."))


def is_ipv6(text: bytes) -> bool:
    if len(text) > 45 or not IPV6.match(text):
        return False
    groups = [group for group in text.split(b":") if group]
    tail = groups[-1] if groups and b"." in groups[-1] else b""
    count = len(groups) + (1 if tail else 0)
    if tail and not is_ipv4(tail):
        return False
    return count < IPV6_GROUPS if b"::" in text else count == IPV6_GROUPS


def ipv6_reference(cursor: Cursor) -> None:
    """IPv6reference = "[" IPv6address "]"; the cursor is on the bracket."""
    start = cursor.at
    cursor.at += 1
    text = cursor.skip(IPV6_CHARACTERS)
    if not cursor.accept(b"]") or not is_ipv6(text):
        raise SipGrammarError(SipError.BAD_IPV6, start)


def host(cursor: Cursor) -> None:
    """host = hostname / IPv4address / IPv6reference"""
    if cursor.peek() == b"[":
        ipv6_reference(cursor)
        return
    start = cursor.at
    text = cursor.take(HOST_CHARACTERS, SipError.BAD_HOST)
    if not HOSTNAME.match(text) and not is_ipv4(text):
        raise SipGrammarError(SipError.BAD_HOST, start)


def port(cursor: Cursor) -> None:
    number(cursor, SipError.BAD_PORT, 65535)


def gen_value(cursor: Cursor) -> bytes:
    """gen-value = token / host / quoted-string. Of the hosts, only an IPv6 reference is not a token."""
    if cursor.peek() == b'"':
        return quoted_string(cursor)
    if cursor.peek() == b"[":
        start = cursor.at
        ipv6_reference(cursor)
        return cursor.data[start : cursor.at]
    return cursor.take(TOKEN, SipError.BAD_PARAMETER)


def generic_parameter(cursor: Cursor) -> tuple[bytes, bytes | None]:
    """generic-param = token [ EQUAL gen-value ]: the name in lower case, and the value."""
    name = cursor.take(TOKEN, SipError.BAD_PARAMETER).lower()
    if cursor.accept_separator(b"="):
        return name, gen_value(cursor)
    return name, None
