"""`sipwarden parse`: one SIP message in, one object out, which says whether it is valid and what is in it."""

import json
import re
import sys
from pathlib import Path

from appliance.exit import Exit, complain
from capture.sdp import read as read_sdp
from capture.sip_check import Checked, check_message
from capture.sip_errors import SipError

DIGITS = re.compile(rb"[0-9]{1,10}(?![0-9])")
FOLD = re.compile(rb"[ \t]*\r?\n[ \t]+")


def text(value: bytes) -> str:
    """SIP is UTF-8 (RFC 3261 7); what is not is replaced, since JSON has no bytes."""
    return value.decode("utf-8", "replace")


def text_or_none(value: bytes) -> str | None:
    return text(value) if value else None


def unfolded(value: bytes) -> str:
    """A folded value is the same as its lines joined by one space (RFC 3261 7.3.1)."""
    return text(FOLD.sub(b" ", value))


def endpoint(address: str, port: int) -> dict:
    """`::` is what the reader gives where the description names no address."""
    return {"address": None if address == "::" else address, "port": port}


def media_description(words: list[str], read: dict) -> dict:
    """One media description: what its m= line says, and what the reader made of it."""
    formats = [
        {"payload_type": payload_type, "encoding": encoding or None, "clock_hz": clock_hz or None}
        for payload_type, encoding, clock_hz in read["formats"]
    ]
    return {
        "media": words[0] if words else None,
        "protocol": words[2] if len(words) > 2 else None,
        "connection": endpoint(*read["rtp"])["address"],
        "port": read["rtp"][1],
        "rtcp": endpoint(*read["rtcp"]) if read["is_rtp"] else None,
        "formats": formats if read["is_rtp"] else [{"name": name} for name in words[3:]],
    }


def session_description(body: bytes) -> dict | None:
    """The session description (RFC 8866) of a body; None when it is none."""
    media = read_sdp(body)
    if media is None:
        return None
    session: dict[str, str] = {}
    media_lines: list[list[str]] = []
    for line in body.split(b"\n"):
        key, found, value = line.rstrip(b"\r").partition(b"=")
        if not found or len(key) != 1:
            continue
        if key == b"m":
            media_lines.append(text(value).split())
        elif not media_lines:
            session.setdefault(key.decode("latin-1"), text(value))
    return {
        "version": session.get("v"),
        "origin": session.get("o"),
        "session_name": session.get("s"),
        "connection": session.get("c"),
        "media": [media_description(words, read) for words, read in zip(media_lines, media, strict=False)],
    }


def fault(checked: Checked) -> dict | None:
    if checked.error is None:
        return None
    return {"reason": checked.error.reason, "rfc": checked.error.rfc, "offset": checked.offset}


def cseq_number(checked: Checked) -> int | None:
    value = next((value for name, value in checked.headers if name == "CSeq"), b"")
    digits = DIGITS.match(value)
    return int(digits.group()) if digits and checked.error is not SipError.BAD_CSEQ else None


def parse_message(data: bytes) -> dict:
    """The SIP message that `data` begins with, as the object that `sipwarden parse --json` prints.

    Keys: `valid`, `error` (None or reason, rfc, offset), `kind`, `method` (of the request line, or of the CSeq of a
    response), `request_uri`, `status_code`, `reason_phrase`, `headers`, `call_id`, `from_tag`, `to_tag`, `cseq`,
    `branch` (of the topmost Via), `sdp`, `body_bytes`. What an invalid message does not say is None.
    """
    checked = check_message(data)
    line, parts = checked.start_line, checked.parts
    method = parts["cseq_method"] if checked.kind == "response" else line.get("method", b"")
    body = parts["sdp"]
    return {
        "valid": checked.error is None,
        "error": fault(checked),
        "kind": checked.kind,
        "method": text_or_none(method),
        "request_uri": text_or_none(line.get("request_uri", b"")),
        "status_code": int(line["status_code"]) if "status_code" in line else None,
        "reason_phrase": text(line["reason_phrase"]) if "reason_phrase" in line else None,
        "headers": [[name, unfolded(value)] for name, value in checked.headers],
        "call_id": text_or_none(parts["call_id"]),
        "from_tag": text_or_none(parts["from_tag"]),
        "to_tag": text_or_none(parts["to_tag"]),
        "cseq": cseq_number(checked),
        "branch": text_or_none(parts["branch"]),
        "sdp": session_description(body) if body is not None else None,
        "body_bytes": parts["body"][1] - parts["body"][0],
    }


def visible(line: str) -> str:
    """A message is someone else's text: what could steer the terminal is written as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in line)


def lines_of(message: dict) -> list[str]:
    """The same for people."""
    error = message["error"]
    lines = ["valid" if error is None else f"invalid: {error['reason']} ({error['rfc']}, byte {error['offset']})"]
    if message["kind"] == "request":
        lines.append(f"{message['method']} {message['request_uri'] or ''}")
    elif message["kind"] == "response":
        lines.append(f"{message['status_code'] or ''} {message['reason_phrase'] or ''}")
    lines += [f"  {name}: {value}" for name, value in message["headers"]]
    for media in (message["sdp"] or {}).get("media", ()):
        encodings = ", ".join(str(form.get("encoding") or form.get("name")) for form in media["formats"])
        lines.append(f"  media: {media['media']} {media['connection']}:{media['port']} {media['protocol']} {encodings}")
    lines.append(f"  body: {message['body_bytes']} bytes")
    return lines


def run(path: str, as_json: bool) -> Exit:
    """The command: reads `path`, or the standard input for `-`, prints, and gives the exit status."""
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        complain(f"{path}: {error.strerror}")
        return Exit.UNREADABLE
    message = parse_message(data)
    if as_json:
        print(json.dumps(message))
    else:
        encoding = sys.stdout.encoding or "utf-8"
        for line in lines_of(message):
            print(visible(line).encode(encoding, "backslashreplace").decode(encoding))
    return Exit.DONE if message["valid"] else Exit.FAILED
