"""A batch as it arrived, made ready for the store: checked, its numbers by policy, as rows of the tables.

Nothing here touches the database: it runs in a worker thread for each request, the one writer only inserts.
"""

import hashlib
import zlib
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any, NamedTuple

import msgspec

from appliance.report import (
    Batch,
    CallSummary,
    Health,
    Minute,
    ReadCallLine,
    ReadSourceLine,
    SchemaError,
    decode_batch,
    decode_report,
)
from collector.errors import RefusedError
from collector.pseudonyms import Numbers, clean
from collector.store.ids import MAX_AHEAD_NS
from models.fraud_types import BIT_OF, FRAUD_TYPES
from models.verdict import VERDICTS

MAX_REJECTED_NAMED = 20  # of one batch; the others are only counted
MAX_CALL_ID = 256
MAX_JUMP = 1 << 32  # sequence numbers from one batch to the next: no spool loses as many reports
MAX_COUNT = 1 << 40  # of anything within a minute
MAX_MOMENT_NS = 1 << 62  # the year 2116: later ones do not fit the store
GZIP = 16 + zlib.MAX_WBITS
MINUTE_NS = 60 * 10**9
HOUR_NS = 3600 * 10**9
COUNTED = ("calls", "answered", "watched", "flagged", "sip_messages", "packets", "dropped")

Row = dict[str, Any]


class Sender(NamedTuple):
    """Where a batch came from: its certificate's serial, its address; when, and how large it was unpacked."""

    serial: str
    address: str
    arrived_ns: int
    bytes: int


@dataclass(slots=True)
class Arrival:
    """One batch. Rows have no `box_id` and no `id` yet; findings and calls are keyed by their sequence number."""

    box: str
    serial: str
    address: str
    incarnation: str
    first: int
    last: int
    sequences: set[int]  # all that the batch has
    clock_offset_ms: int
    skewed: bool
    arrived_ns: int
    bytes: int  # of its body, decompressed: what it takes of the queue
    findings: dict[int, Row] = field(default_factory=dict)
    calls: dict[int, Row] = field(default_factory=dict)
    minutes: dict[int, Minute] = field(default_factory=dict)
    health: dict[int, Health] = field(default_factory=dict)
    rejected: dict[int, str] = field(default_factory=dict)
    passed_over: set[int] = field(default_factory=set)


def inflate(body: bytes, encoding: str, limit: int) -> bytes:
    """The body without its Content-Encoding, at most `limit` bytes: a bomb is not unpacked further than that."""
    if encoding in ("", "identity"):
        data, rest = body[: limit + 1], b""
    elif encoding == "gzip":
        inflater = zlib.decompressobj(wbits=GZIP)
        try:
            data = inflater.decompress(body, limit + 1)
        except zlib.error as error:
            raise RefusedError(400, "malformed", f"the body is not gzip: {error}") from error
        rest = inflater.unused_data
        if len(data) <= limit and (not inflater.eof or rest):
            raise RefusedError(400, "malformed", "the body is not one whole gzip member")
    else:
        raise RefusedError(415, "encoding", "Content-Encoding must be gzip or identity")
    if len(data) > limit:
        raise RefusedError(413, "too_large", f"the batch is larger than {limit} bytes")
    return data


def read_batch(data: bytes, box: str) -> Batch:
    """The envelope of a batch that the box `box` sent. Raises RefusedError."""
    try:
        batch = decode_batch(data)
    except SchemaError as error:
        raise RefusedError(422, "schema", str(error), box=box) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RefusedError(400, "malformed", f"not a batch: {error}", box=box) from error
    if batch.box != box:
        raise RefusedError(403, "other_box", f"the certificate is that of {box}, the batch says {batch.box}", box=box)
    sequences = [sequence for sequence, _ in batch.items]
    if any(after <= before for before, after in pairwise(sequences)):
        raise RefusedError(422, "sequence", "the sequence numbers of the batch do not rise", box=box)
    if sequences[-1] - sequences[0] > MAX_JUMP:
        raise RefusedError(422, "sequence", "the sequence numbers of the batch are too far apart", box=box)
    return batch


def clock_offset_ms(batch: Batch, arrived_ns: int) -> int:
    """The clock of the box less that of the collector; the time that the batch was on its way makes it look behind."""
    try:
        return (moment_ns(batch.sent) - arrived_ns) // 1_000_000
    except ValueError as error:
        raise RefusedError(400, "malformed", f"not a batch: {error}", box=batch.box) from error


def prepare(batch: Batch, numbers: Numbers, sender: Sender, skewed_ms: int) -> Arrival:
    """Reads every report of a batch. A report that is not of the schema is rejected alone: refusing the batch for it
    would make the box send it for ever."""
    offset_ms = clock_offset_ms(batch, sender.arrived_ns)
    arrival = Arrival(
        box=batch.box,
        serial=sender.serial,
        address=sender.address,
        incarnation=batch.incarnation,
        first=batch.items[0][0],
        last=batch.items[-1][0],
        sequences={sequence for sequence, _ in batch.items},
        clock_offset_ms=offset_ms,
        skewed=abs(offset_ms) > skewed_ms,
        arrived_ns=sender.arrived_ns,
        bytes=sender.bytes,
    )
    for sequence, raw in batch.items:
        try:
            report = decode_report(raw)
            if report is None:
                arrival.passed_over.add(sequence)
            else:
                _sort_in(arrival, sequence, report, numbers)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            arrival.rejected[sequence] = str(error)[:200]
    return arrival


def _sort_in(arrival: Arrival, sequence: int, report: Any, numbers: Numbers) -> None:
    if isinstance(report, ReadCallLine | ReadSourceLine):
        arrival.findings[sequence] = _finding(arrival, sequence, report, numbers)
    elif isinstance(report, CallSummary):
        arrival.calls[sequence] = _call(arrival, report, numbers)
    elif isinstance(report, Minute):
        if moment_ns(report.start) > arrival.arrived_ns + MAX_AHEAD_NS:
            raise ValueError(f"the minute from {report.start} has not come yet")
        counts = [*(getattr(report, name) for name in COUNTED), *report.fraud_types.values()]
        if max(counts) > MAX_COUNT:
            raise ValueError("a count that nothing can have reached")
        arrival.minutes[sequence] = report
    else:
        moment_ns(report.time)
        arrival.health[sequence] = report


def _finding(arrival: Arrival, sequence: int, sent: Any, numbers: Numbers) -> Row:
    line = numbers.apply(sent)
    is_call = isinstance(sent, ReadCallLine)
    source = line.source
    about: tuple[str | None, ...]
    if is_call:
        about = ("call", line.call_id, line.start)
        time = line.flagged_at or line.start
        source = socket_address(source)
    else:
        about = ("source", source, line.caller, line.callee, line.first)
        time = line.flagged_at
    time_ns, is_settled = _settled(arrival, time)
    return {
        "subject": subject_of(arrival.box, about),
        "incarnation": arrival.incarnation,
        "sequence": sequence,
        "kind": "call" if is_call else "source",
        "time_ns": time_ns,
        "updated_ns": arrival.arrived_ns,
        "verdict": VERDICTS.index(line.verdict),
        "score": line.score,
        "fraud_types": sum({BIT_OF[name] for name in line.fraud_types}),
        "source": clean(source, 64) if source is not None else None,
        "caller": _number(sent, "caller", numbers),
        "callee": _number(sent, "callee", numbers),
        "call_id": clean(line.call_id, MAX_CALL_ID) if is_call else None,
        "bundle": clean(line.bundle, 128) if is_call else None,
        "skewed": arrival.skewed or is_settled,
        "line": msgspec.json.encode(line),
    }


def _settled(arrival: Arrival, text: str) -> tuple[int, bool]:
    """(moment, whether it is another one than was said): what has not happened yet is taken as of its arrival. A box
    that lies, or whose clock did, must not put its findings before all others for years."""
    moment = moment_ns(text)
    if moment > arrival.arrived_ns + MAX_AHEAD_NS:
        return arrival.arrived_ns, True
    return moment, False


def _number(line: Any, party: str, numbers: Numbers) -> str | None:
    """The column of a party: the stored form of its E.164, or of what was sent where that is not known."""
    number = getattr(line, f"{party}_e164", None) or getattr(line, party)
    return None if number is None else numbers.stored(number)


def _call(arrival: Arrival, report: CallSummary, numbers: Numbers) -> Row:
    time_ns, _ = _settled(arrival, report.start)
    return {
        "time_ns": time_ns,
        "call_id": clean(report.call_id, MAX_CALL_ID),
        "source": socket_address(report.source),
        "caller": numbers.stored(report.caller),
        "callee": numbers.stored(report.callee),
        "state": report.state,
        "status_code": report.status_code,
        "duration_s": report.duration_s,
        "verdict": VERDICTS.index(report.verdict),
        "score": report.score,
    }


def fraud_positions(report: Minute) -> dict[int, int]:
    """Flagged calls by the position of their fraud type; types that are not known here are left out."""
    return {FRAUD_TYPES.index(name): count for name, count in report.fraud_types.items() if name in BIT_OF}  # type: ignore[arg-type]


def subject_of(box: str, about: tuple[str | None, ...]) -> int:
    """What a finding is about, as a signed 64-bit number: later reports about it replace the earlier ones."""
    text = msgspec.json.encode((box, *about))
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), signed=True)


def socket_address(socket: str) -> str:
    """The address of an `ip:port` or `[ip]:port`."""
    return socket.rpartition(":")[0].strip("[]")


def moment_ns(text: str) -> int:
    """Nanoseconds since the Unix epoch. Raises ValueError for what is none, or out of range."""
    whole = datetime.fromisoformat(text[:19] + "+00:00")
    moment = int(whole.timestamp()) * 10**9 + int(text[20:26]) * 1000
    if not 0 <= moment < MAX_MOMENT_NS:
        raise ValueError(f"{text} is not a moment that anything was captured at")
    return moment
