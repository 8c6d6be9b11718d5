"""The grammar of URIs in SIP messages (RFC 3261 19.1 and 25.1)."""

import re

from capture.abnf import Cursor, SipGrammarError, host, port
from capture.sip_errors import SipError

ESCAPED = rb"%[0-9A-Fa-f]{2}"

# unreserved = alphanum / mark ; mark = - _ . ! ~ * ' ( )
UNRESERVED = rb"A-Za-z0-9\-_.!~*'()"

# user = 1*( unreserved / escaped / user-unreserved ) ; user-unreserved = & = + $ , ; ? /
USER = re.compile(rb"(?:[" + UNRESERVED + rb"&=+$,;?/]|" + ESCAPED + rb")+")

# The same for a URI outside angle brackets, which a comma, semicolon or question mark ends (RFC 3261 20.10)
USER_BARE = re.compile(rb"(?:[" + UNRESERVED + rb"&=+$/]|" + ESCAPED + rb")+")

# telephone-subscriber (RFC 2806) may hold more than user does: '#' and, in quoted values, anything. RFC 3966 dropped
# the quotes, and a '#' has to be escaped (RFC 3261 19.1.6), so user covers what is left.

# password = *( unreserved / escaped / & = + $ , )
PASSWORD = re.compile(rb"(?:[" + UNRESERVED + rb"&=+$,]|" + ESCAPED + rb")*")

# paramchar = param-unreserved / unreserved / escaped ; param-unreserved = [ ] / : & + $
PARAMETER = re.compile(rb"(?:[" + UNRESERVED + rb"\[\]/:&+$]|" + ESCAPED + rb")+")

# hname = 1*( hnv-unreserved / unreserved / escaped ) ; hvalue = *( ... ) ; hnv-unreserved = [ ] / ? : + $
HEADER_WORD = re.compile(rb"(?:[" + UNRESERVED + rb"\[\]/?:+$]|" + ESCAPED + rb")+")

# scheme = ALPHA *( ALPHA / DIGIT / "+" / "-" / "." )
SCHEME = re.compile(rb"[A-Za-z][A-Za-z0-9+\-.]*")

# hier-part and opaque-part together are 1*uric, and uric = reserved / unreserved / escaped. Brackets are not in uric:
# they stand around an IPv6 host of a net-path.
URIC = re.compile(rb"(?:[" + UNRESERVED + rb";/?:@&=+$,\[\]]|" + ESCAPED + rb")+")

URIC_BARE = re.compile(rb"(?:[" + UNRESERVED + rb"/:@&=+$\[\]]|" + ESCAPED + rb")+")

SIP_SCHEMES = (b"sip", b"sips")


def uri(cursor: Cursor, bare: bool = False, headers: bool = True) -> bytes:
    """SIP-URI / SIPS-URI / absoluteURI: its scheme in lower case.

    `bare`: not in angle brackets, so that parameters are the header field's and `;`, `?` and `,` end the URI.
    `headers`: a SIP URI may hold `?name=value`, which a Request-URI may not (RFC 3261 19.1.1, table 1).
    A tel URI is an absoluteURI here, as in the RFC; a scheme that nobody knows is as good as any (RFC 4475 3.3.2).
    """
    if cursor.peek() in (b" ", b"\t", b"\r", b"\n"):
        raise cursor.fail(SipError.URI_SPACE)
    scheme = cursor.take(SCHEME, SipError.BAD_URI).lower()
    if not cursor.accept(b":"):
        raise cursor.fail(SipError.BAD_URI)
    if scheme in SIP_SCHEMES:
        sip_uri_rest(cursor, bare, headers)
    else:
        cursor.take(URIC_BARE if bare else URIC, SipError.BAD_URI)
    if cursor.peek() == b"%":
        raise cursor.fail(SipError.BAD_URI_ESCAPE)
    return scheme


def sip_uri_rest(cursor: Cursor, bare: bool, headers: bool) -> None:
    """[ userinfo ] hostport uri-parameters [ headers ]"""
    userinfo(cursor, bare)
    host(cursor)
    if cursor.accept(b":"):
        port(cursor)
    if bare:
        return
    while cursor.accept(b";"):
        uri_parameter(cursor)
    if cursor.peek() == b"?":
        if not headers:
            raise cursor.fail(SipError.REQUEST_URI_HEADERS)
        uri_headers(cursor)


def userinfo(cursor: Cursor, bare: bool) -> None:
    """userinfo = user [ ":" password ] "@". Nothing behind it may hold an `@`, so its absence shows here."""
    start = cursor.at
    found = cursor.skip(USER_BARE if bare else USER)
    if cursor.accept(b":"):
        cursor.skip(PASSWORD)
    if cursor.peek() == b"%":
        raise cursor.fail(SipError.BAD_URI_ESCAPE)
    if not cursor.accept(b"@"):
        cursor.at = start
        return
    if not found:
        raise SipGrammarError(SipError.BAD_URI, start)


def uri_parameter(cursor: Cursor) -> None:
    cursor.take(PARAMETER, SipError.BAD_PARAMETER)
    if cursor.accept(b"="):
        cursor.take(PARAMETER, SipError.BAD_PARAMETER)


def uri_headers(cursor: Cursor) -> None:
    """headers = "?" header *( "&" header ) ; header = hname "=" hvalue"""
    cursor.at += 1
    while True:
        cursor.take(HEADER_WORD, SipError.BAD_URI)
        if not cursor.accept(b"="):
            raise cursor.fail(SipError.BAD_URI)
        cursor.skip(HEADER_WORD)
        if not cursor.accept(b"&"):
            return
