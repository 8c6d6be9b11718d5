"""Holds a whole SIP message to RFC 3261: its start line, every header field, and what must agree between them.

The reader (capture/sip.pyx) finds the lines and the values; the grammar (capture/sip_grammar.py) says whether each is
right; here is what concerns the message: which fields must be there, which may not be repeated, and the body.
"""

from dataclasses import dataclass, field

from capture.abnf import Cursor, SipGrammarError
from capture.sip import HEADER_NAMES, read_header
from capture.sip_errors import SipError
from capture.sip_grammar import begins_with_version, check_value, request_line, status_line

# Compact forms and canonical names (IANA, SIP Parameters, Header Fields). A name that is not here stays as it was sent.
COMPACT_NAMES = {
    "a": "Accept-Contact",
    "b": "Referred-By",
    "c": "Content-Type",
    "d": "Request-Disposition",
    "e": "Content-Encoding",
    "f": "From",
    "i": "Call-ID",
    "j": "Reject-Contact",
    "k": "Supported",
    "l": "Content-Length",
    "m": "Contact",
    "n": "Identity-Info",
    "o": "Event",
    "r": "Refer-To",
    "s": "Subject",
    "t": "To",
    "u": "Allow-Events",
    "v": "Via",
    "x": "Session-Expires",
    "y": "Identity",
}
OTHER_NAMES = """
    Accept Accept-Encoding Accept-Language Accept-Resource-Priority Alert-Info Answer-Mode Authentication-Info Call-Info
    Content-Language Error-Info Feature-Caps Flow-Timer Geolocation Geolocation-Error Geolocation-Routing In-Reply-To
    Info-Package Join Max-Breadth MIME-Version Min-Expires Min-SE Organization P-Access-Network-Info P-Asserted-Service
    P-Associated-URI P-Called-Party-ID P-Charging-Function-Addresses P-Charging-Vector P-Early-Media
    P-Media-Authorization P-Preferred-Service P-Served-User P-Visited-Network-ID Path Permission-Missing Policy-Contact
    Policy-ID Priority Proxy-Require RAck Recv-Info Refer-Events-At Refer-Sub Replaces Reply-To Resource-Priority
    Response-Key Retry-After RSeq Security-Client Security-Server Security-Verify Service-Route Session-ID SIP-ETag
    SIP-If-Match Subscription-State Suppress-If-Match Target-Dialog Timestamp Unsupported User-to-User
"""
CANONICAL_NAMES = {name.lower(): name for name in (*HEADER_NAMES[1:], *OTHER_NAMES.split(), *COMPACT_NAMES.values())}

# Max-Forwards is mandatory in a request, too, but its absence is to be let pass (RFC 3261 16.3 step 3): that is how
# RFC 2543 speaks (RFC 4475 3.4.1).
MANDATORY = {
    "Call-ID": SipError.MISSING_CALL_ID,
    "CSeq": SipError.MISSING_CSEQ,
    "From": SipError.MISSING_FROM,
    "To": SipError.MISSING_TO,
    "Via": SipError.MISSING_VIA,
}

# Fields whose grammar is no comma-separated list may stand once (RFC 3261 7.3.1); those with challenges and
# credentials are excepted there by name, and RFC 8224 4 lets Identity be repeated.
SINGLE = frozenset(
    {
        "From",
        "To",
        "Call-ID",
        "CSeq",
        "Max-Forwards",
        "Content-Length",
        "Content-Type",
        "Content-Disposition",
        "Date",
        "Expires",
        "User-Agent",
        "Server",
    }
)


@dataclass
class Checked:
    """What a message says, and the first thing wrong with it (None when it is valid)."""

    kind: str | None = None  # request, response
    start_line: dict[str, bytes] = field(
        default_factory=dict
    )  # method and request_uri, or status_code and reason_phrase
    parts: dict = field(default_factory=dict)  # as capture.sip.read gives them
    headers: list[tuple[str, bytes]] = field(default_factory=list)  # canonical names, values as they stand
    error: SipError | None = None
    offset: int = 0

    def blame(self, error: SipError, offset: int) -> None:
        """Keeps the first fault: the others are often its consequence."""
        if self.error is None:
            self.error = error
            self.offset = offset


def canonical_name(name: bytes) -> str:
    text = name.decode("latin-1")
    return COMPACT_NAMES.get(text.lower()) or CANONICAL_NAMES.get(text.lower(), text)


def check_message(data: bytes) -> Checked:
    """Checks the SIP message that `data`, one datagram, begins with.

    Line ends before it are skipped as in a stream (RFC 3261 7.5), bytes behind its body are dropped (18.3).
    """
    checked = Checked()
    start = len(data) - len(data.lstrip(b"\r\n"))
    end = line_end(data, start)
    check_start_line(checked, data, start, end)
    checked.parts = read_header(data, end)
    check_fields(checked, data)
    check_together(checked, data)
    check_body(checked, data)
    return checked


def line_end(data: bytes, start: int) -> int:
    end = data.find(b"\n", start)
    if end < 0:
        return len(data)
    return end - 1 if data[end - 1 : end] == b"\r" and end > start else end


def check_start_line(checked: Checked, data: bytes, start: int, end: int) -> None:
    cursor = Cursor(data, start, end)
    checked.kind = "response" if begins_with_version(data[start:end]) else "request"
    read_line = status_line if checked.kind == "response" else request_line
    try:
        read_line(cursor, checked.start_line)
    except SipGrammarError as fault:
        checked.blame(fault.error, fault.offset)
        if fault.error is SipError.BAD_START_LINE:
            checked.kind = None


def check_fields(checked: Checked, data: bytes) -> None:
    seen: set[str] = set()
    faults: list[SipGrammarError] = []
    for _, name_start, name_end, value_start, value_end in checked.parts["fields"]:
        name = canonical_name(data[name_start:name_end])
        checked.headers.append((name, data[value_start:value_end]))
        try:
            check_value(name, data, value_start, value_end)
        except SipGrammarError as fault:
            faults.append(fault)
        if name in SINGLE and name in seen:
            faults.append(SipGrammarError(SipError.REPEATED_FIELD, name_start))
        seen.add(name)
    noticed = SipError(checked.parts["error"]) if checked.parts["error"] else None
    if noticed is SipError.BAD_HEADER_LINE:
        faults.append(SipGrammarError(noticed, checked.parts["error_offset"]))
    if faults:
        first = min(faults, key=lambda fault: fault.offset)
        checked.blame(first.error, first.offset)


def check_together(checked: Checked, data: bytes) -> None:
    """What no single line shows."""
    parts = checked.parts
    names = {name for name, _ in checked.headers}
    for name, error in MANDATORY.items():
        if name not in names:
            checked.blame(error, 0)
    if checked.start_line.get("method", parts["cseq_method"]) != parts["cseq_method"]:
        checked.blame(SipError.METHOD_MISMATCH, offset_of(parts, "CSeq"))
    if parts["content_length"] > parts["body"][1] - parts["body"][0]:
        checked.blame(SipError.BODY_CUT, offset_of(parts, "Content-Length"))
    elif parts["truncated"]:
        checked.blame(SipError.HEADER_NOT_ENDED, len(data))
    if parts["error"] == SipError.TOO_MANY_FIELDS:
        checked.blame(SipError.TOO_MANY_FIELDS, parts["error_offset"])


def offset_of(parts: dict, name: str) -> int:
    kind = HEADER_NAMES.index(name)
    return next((found[3] for found in parts["fields"] if found[0] == kind), 0)


def check_body(checked: Checked, data: bytes) -> None:
    start, end = checked.parts["body"]
    if start == end:
        return
    content_type = next((value for name, value in checked.headers if name == "Content-Type"), None)
    if content_type is None:
        checked.blame(SipError.MISSING_CONTENT_TYPE, start)
    elif content_type.lower().startswith(b"multipart/"):
        check_multipart(checked, data[start:end], start)


def check_multipart(checked: Checked, body: bytes, start: int) -> None:
    """A multipart body has a first delimiter and a closing one, each on a line of its own (RFC 2046 5.1.1)."""
    boundary = checked.parts["boundary"]
    if not boundary:
        checked.blame(SipError.MISSING_BOUNDARY, offset_of(checked.parts, "Content-Type"))
        return
    lines = [line.rstrip(b"\r \t") for line in body.split(b"\n")]
    opening, closing = b"--" + boundary, b"--" + boundary + b"--"
    if opening not in lines or closing not in lines[lines.index(opening) :]:
        checked.blame(SipError.BAD_MULTIPART, start)
