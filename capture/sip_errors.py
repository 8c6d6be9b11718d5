"""Everything that can be wrong with a SIP message: one number, what it means, and the section that says so.

Numbers below 32 are also noticed by the compiled reader (`SipProblem` of capture/sip.pxd, held equal by a test);
the others only by the full grammar (capture/sip_grammar.py, capture/sip_check.py).
"""

from enum import IntEnum


class SipError(IntEnum):
    """`reason` is for people, `rfc` is where the rule stands."""

    reason: str
    rfc: str

    def __new__(cls, number: int, reason: str, rfc: str) -> "SipError":
        member = int.__new__(cls, number)
        member._value_ = number
        member.reason = reason
        member.rfc = rfc
        return member

    # What the reader notices
    HEADER_NOT_ENDED = 1, "no empty line ends the header", "RFC 3261 7"
    BAD_HEADER_LINE = 2, "a header line is not `name: value`", "RFC 3261 7.3.1"
    TOO_MANY_FIELDS = 3, "more header fields than are kept (128)", "RFC 3261 7.3"
    MISSING_CALL_ID = 4, "no Call-ID", "RFC 3261 8.1.1"
    MISSING_CSEQ = 5, "no CSeq", "RFC 3261 8.1.1"
    MISSING_FROM = 6, "no From", "RFC 3261 8.1.1"
    MISSING_TO = 7, "no To", "RFC 3261 8.1.1"
    MISSING_VIA = 8, "no Via", "RFC 3261 8.1.1"
    BAD_CSEQ = 9, "CSeq is not a 32-bit number and a method", "RFC 3261 20.16"
    BAD_CONTENT_LENGTH = 10, "Content-Length is not a number of bytes", "RFC 3261 20.14"
    CONTENT_LENGTHS_DIFFER = 11, "two Content-Length values", "RFC 3261 20.14"
    BODY_CUT = 12, "the body is shorter than Content-Length says", "RFC 3261 18.3"
    BAD_URI = 13, "the URI cannot be read", "RFC 3261 19.1.1"
    HEADER_TOO_LONG = 14, "the header is longer than a stream may claim (64 KiB)", "RFC 3261 7"
    BODY_TOO_LONG = 15, "the body is longer than a stream may claim (1 MiB)", "RFC 3261 20.14"

    # Start line
    BAD_START_LINE = 32, "the first line is neither a Request-Line nor a Status-Line", "RFC 3261 7"
    START_LINE_SPACING = 33, "the words of a start line are separated by exactly one SP", "RFC 3261 7.1"
    START_LINE_TRAILING = 34, "something follows the SIP-Version in the Request-Line", "RFC 3261 7.1"
    BAD_VERSION = 35, "the SIP-Version is not 2.0", "RFC 3261 7.1"
    REQUEST_URI_BRACKETS = 36, "the Request-URI is enclosed in <>", "RFC 3261 7.1"
    REQUEST_URI_SPACE = 37, "white space inside the Request-URI", "RFC 3261 7.1"
    REQUEST_URI_HEADERS = 38, "the Request-URI holds escaped header fields", "RFC 3261 19.1.1"
    BAD_STATUS_CODE = 39, "the Status-Code is not three digits of class 1 to 6", "RFC 3261 7.2"
    BAD_REASON_PHRASE = 40, "the Reason-Phrase is not text", "RFC 3261 7.2"

    # Words and values
    BAD_URI_ESCAPE = 48, "% is not followed by two hexadecimal digits", "RFC 3261 19.1.2"
    BAD_HOST = 49, "not a host name, IPv4 address or IPv6 reference", "RFC 3261 25.1"
    BAD_IPV6 = 50, "an IPv6 reference is not an address in brackets", "RFC 5954 4.1"
    BAD_PORT = 51, "the port is not a number below 65536", "RFC 3261 19.1.1"
    BAD_PARAMETER = 52, "a parameter is not `;name` or `;name=value`", "RFC 3261 25.1"
    UNTERMINATED_QUOTE = 53, "a quoted string is not closed", "RFC 3261 25.1"
    BAD_DISPLAY_NAME = 54, "an unquoted display name holds other than tokens", "RFC 3261 20.10"
    NAME_ADDR_NEEDED = 55, "a URI with a comma, semicolon or question mark is not enclosed in <>", "RFC 3261 20.10"
    UNCLOSED_BRACKET = 56, "a URI is not closed by >", "RFC 3261 25.1"
    URI_SPACE = 57, "white space inside a URI", "RFC 3261 25.1"
    BAD_VALUE = 58, "the value is not what this header field holds", "RFC 3261 25.1"
    BAD_CHARACTER = 59, "a control character in a header field", "RFC 3261 25.1"
    BAD_VIA = 60, "Via is not protocol, sent-by and parameters", "RFC 3261 20.42"
    EMPTY_BRANCH = 61, "the branch has the magic cookie and no identifier", "RFC 3261 8.1.1.7"
    BAD_CALL_ID = 62, "Call-ID is not word or word@word", "RFC 3261 20.8"
    BAD_MAX_FORWARDS = 63, "Max-Forwards is not a number from 0 to 255", "RFC 3261 20.22"
    BAD_DATE = 64, "Date is not an RFC 1123 date in GMT", "RFC 3261 20.17"
    BAD_NUMBER = 65, "not a number from 0 to 2**32 - 1", "RFC 3261 25.1"
    BAD_QVALUE = 66, "q is not a number from 0 to 1 with at most three decimals", "RFC 3261 20.10"
    BAD_MEDIA_TYPE = 67, "Content-Type is not type/subtype and parameters", "RFC 3261 20.15"
    BAD_WARNING = 68, "Warning is not code, agent and quoted text", "RFC 3261 20.43"
    BAD_CREDENTIALS = 69, "not an authentication scheme with parameters", "RFC 3261 20.7"
    BAD_COMMENT = 70, "a comment is not closed", "RFC 3261 25.1"
    BAD_IDENTITY = 71, "Identity is not a signature with parameters", "RFC 8224 4"
    BAD_REASON = 72, "Reason is not a protocol with parameters", "RFC 3326 2"
    BAD_HISTORY_INDEX = 73, "History-Info has no index of numbers and dots", "RFC 7044 5"
    BAD_PRIVACY = 74, "Privacy is not a list of tokens", "RFC 3323 4.2"

    # The message as a whole
    REPEATED_FIELD = 96, "a header field that may stand once stands twice", "RFC 3261 7.3.1"
    METHOD_MISMATCH = 97, "the method of CSeq is not that of the Request-Line", "RFC 3261 8.1.1.5"
    MISSING_CONTENT_TYPE = 98, "a body without Content-Type", "RFC 3261 20.15"
    MISSING_BOUNDARY = 99, "a multipart body whose Content-Type has no boundary of 1 to 70 bytes", "RFC 2046 5.1.1"
    BAD_MULTIPART = 100, "a multipart body is not parts between its boundaries", "RFC 2046 5.1.1"
