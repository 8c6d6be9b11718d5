"""SIP messages in a product's own writing (RFC 3261 7)."""

from __future__ import annotations

from simulator.vendors import Style

REASONS = {
    100: "Trying", 180: "Ringing", 183: "Session Progress", 200: "OK", 401: "Unauthorized", 403: "Forbidden",
    404: "Not Found", 407: "Proxy Authentication Required", 408: "Request Timeout", 480: "Temporarily Unavailable",
    484: "Address Incomplete", 486: "Busy Here", 487: "Request Terminated", 500: "Server Internal Error",
    503: "Service Unavailable", 603: "Decline",
}  # fmt: skip

Fields = dict[str, str]


def request_line(method: str, uri: str) -> str:
    return f"{method} {uri} SIP/2.0"


def status_line(code: int, style: Style) -> str:
    return f"SIP/2.0 {code} {style.reasons.get(str(code)) or REASONS[code]}"


def render(start_line: str, style: Style, fields: Fields, body: str = "") -> bytes:
    """The message, its header fields in the style's order; one that no order names is a KeyError of the simulator."""
    if body:
        fields["Content-Type"] = "application/sdp"
    fields["Content-Length"] = str(len(body))
    lines = [start_line, *(prefix + fields[name] for name, prefix in style.prefixes if name in fields), "\r\n" + body]
    if len(lines) != len(fields) + 2:
        raise KeyError(f"{style.name}: no place for one of {', '.join(fields)}")
    return "\r\n".join(lines).encode()
