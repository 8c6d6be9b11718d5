"""The findings of the store in SQL: one row a finding, and the numbers by which it is found."""

import sqlite3
from typing import Any

import msgspec

from appliance.report import StoredFinding

SAME_PARTY_NS = 86400 * 10**9  # news of a call or party after a longer silence is another finding
MAX_LINE_BYTES = 1 << 20
COLUMNS = "id, time_ns, kind, verdict, score, fraud_types, source, caller, callee, call_id, line"
ADDRESS = "trim(rtrim(rtrim(source, '0123456789'), ':'), '[]')"  # of ip:port and [ip]:port
# the watched go first: whoever floods the box with suspicions must not wash out what was flagged
RETIRE_WATCHED = (
    "DELETE FROM findings WHERE id IN (SELECT id FROM findings WHERE verdict <> 'flag' ORDER BY id LIMIT ?)"
)
RETIRE_ANY = "DELETE FROM findings WHERE id IN (SELECT id FROM findings ORDER BY id LIMIT ?)"

_types = msgspec.json.Decoder(list[str])


class LineNotes(msgspec.Struct, frozen=True):
    """What the store reads of a line."""

    caller_e164: str | None = None
    callee_e164: str | None = None
    bundle: str | None = None


_notes = msgspec.json.Decoder(LineNotes)


def read_line(line: bytes) -> LineNotes:
    """Nothing of a line that is none: what it says is kept as it came."""
    try:
        return _notes.decode(line)
    except msgspec.DecodeError:
        return LineNotes()


def storable(text: str) -> str:
    """Lone surrogates, which are no text to SQLite, replaced."""
    return text.encode(errors="replace").decode()


def json_text(value: object) -> str:
    return msgspec.json.encode(value).decode()


def number_key(number: str) -> str:
    """Digits without leading zeros, so that `+49 30 1234`, `004930 1234` and `49301234` are one; a name in lower case.

    A user part ends at its parameters (RFC 3966).
    """
    text = storable(number).partition(";")[0].strip()
    digits = "".join(character for character in text if character in "0123456789")
    is_number = bool(digits) and not text.strip("0123456789+-.() ")
    return digits.lstrip("0") or "0" if is_number else text.casefold()


def store_finding(connection: sqlite3.Connection, finding: StoredFinding, now_ns: int) -> bool:
    """Writes a finding over the one of the same call or party, else as a new one. True when it is new.

    Raises ValueError, OverflowError or sqlite3's ProgrammingError and IntegrityError for one that cannot be stored.
    """
    if len(finding.line) > MAX_LINE_BYTES:
        raise ValueError(f"a line of {len(finding.line)} bytes")
    texts = [None if text is None else storable(text) for text in (finding.source, finding.caller, finding.callee)]
    call_id = None if finding.call_id is None else storable(finding.call_id)
    party = json_text([call_id] if finding.kind == "call" else texts)
    state = (finding.verdict, finding.score, json_text(finding.fraud_types), *texts, finding.line.rstrip(b"\n"))
    known = connection.execute(
        "SELECT id FROM findings WHERE party = ? AND updated_ns > ? ORDER BY id DESC LIMIT 1",
        (party, now_ns - SAME_PARTY_NS),
    ).fetchone()
    if known:
        key = known[0]
        connection.execute(
            "UPDATE findings SET updated_ns = ?, verdict = ?, score = ?, fraud_types = ?, source = ?, caller = ?,"
            " callee = ?, line = ? WHERE id = ?",
            (now_ns, *state, key),
        )
    else:
        key = connection.execute(
            "INSERT INTO findings (party, time_ns, updated_ns, kind, call_id, verdict, score, fraud_types, source,"
            " caller, callee, line) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (party, finding.time_ns, now_ns, finding.kind, call_id, *state),
        ).lastrowid
    notes = read_line(finding.line)
    numbers = {finding.caller, finding.callee, notes.caller_e164, notes.callee_e164} - {None, ""}
    connection.executemany(
        "INSERT OR IGNORE INTO numbers VALUES (?, ?)", [(number_key(number), key) for number in numbers if number]
    )
    return known is None


def finding_of(row: tuple[Any, ...]) -> StoredFinding | None:
    """A row of COLUMNS; None when it is damaged in a way that SQLite does not see."""
    names = ("id", "time_ns", "kind", "verdict", "score", "fraud_types", "source", "caller", "callee", "call_id")
    fields = dict(zip(names, row[:-1], strict=True))
    try:
        fields["fraud_types"] = _types.decode(fields["fraud_types"])
        return msgspec.convert(fields | {"line": bytes(row[-1])}, StoredFinding)
    except (msgspec.MsgspecError, TypeError):
        return None


def retire(connection: sqlite3.Connection, count: int) -> int:
    """Deletes at most `count` findings of the kind that goes first. How many it did."""
    watched = connection.execute(RETIRE_WATCHED, (count,)).rowcount
    return watched or connection.execute(RETIRE_ANY, (count,)).rowcount
