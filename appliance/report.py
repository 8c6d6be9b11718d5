"""What sipwarden reports: lines (to a person or a program, one JSON object each) and batches (to a collector).

Lines are told apart by `type`. The schema of the contract, held strictly: a line with a key that is not here is not
a line of this version. Keys are only ever added, never renamed, removed or given another meaning. Call lines are
written by kernels (one a call, at packet speed) and are held to `CallLine` by the tests; the other lines are written
from these structs. Moments are RFC 3339 in UTC with microseconds, in capture time.

Batches carry reports out of the box's spool: lines of calls and sources that are watched or flagged, as they are, and
reports of other types beside them. A batch is read leniently, because boxes and collectors are not updated at the
same moment: keys that are not known here are skipped, keys with a default may be missing, a report of an unknown
type is passed over. What cannot be
read in that way gets another number of `schema`. docs/REPORTS.md is the description for other implementations.
"""

from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

import msgspec
from msgspec import Meta

from models.fraud_types import FraudType
from models.reason import Reason
from models.verdict import Verdict

Moment = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z\Z")]
Socket = Annotated[str, Meta(pattern=r"^(\d+\.\d+\.\d+\.\d+|\[[0-9a-f:.]+\]):\d{1,5}\Z")]  # ip:port, [ip]:port
E164 = Annotated[str, Meta(pattern=r"^\+[1-9]\d{1,14}\Z")]
Label = Annotated[str, Meta(pattern=r"^[^@\s]+@[^@\s]+\Z")]  # name@version
Ratio = Annotated[float, Meta(ge=0, le=1)]
Seconds = Annotated[float, Meta(ge=0)]
Count = Annotated[int, Meta(ge=0)]

Stage = Literal["setup", "answer", "end"]
State = Literal["trying", "ringing", "answered", "completed", "cancelled", "rejected", "failed", "expired"]
Transport = Literal["udp", "tcp", "ws"]


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A JSON object of a report."""


class StreamLine(Record, frozen=True):
    """One RTP stream (RFC 3550) of a call; `codec` is the name of RFC 8866 rtpmap or RFC 3551."""

    ssrc: Annotated[int, Meta(ge=0, le=0xFFFFFFFF)]
    source: Socket
    destination: Socket
    codec: str | None
    packets: Count
    lost: int  # RFC 3550 A.3: below 0 when packets came twice
    jitter_ms: Annotated[float, Meta(ge=0)] | None  # null without a known clock rate


class Quality(Record, frozen=True):
    """How far the capture is to be trusted about this call."""

    capture_loss: Ratio  # share of its messages that, by the others, must have been sent and were not captured
    one_way: bool  # only one direction was seen
    truncated: bool  # a message of it was cut by the snapshot length


class CallLine(Record, frozen=True, tag_field="type", tag="call"):
    """One call: all dialogs of a Call-ID that had an INVITE."""

    call_id: str
    caller: str  # user parts, as sent
    callee: str
    caller_e164: E164 | None
    callee_e164: E164 | None
    source: Socket  # of the first INVITE
    destination: Socket
    transport: Transport
    start: Moment
    state: State
    status_code: Annotated[int, Meta(ge=100, le=999)] | None  # the last response to INVITE
    post_dial_delay_s: Seconds | None
    ring_s: Seconds | None
    duration_s: Seconds | None
    messages: Count
    user_agent: str | None
    streams: list[StreamLine]
    verdict: Verdict
    score: Ratio
    fraud_types: list[FraudType]
    reasons: list[Reason]
    bundle: Label
    stage: Stage | None  # at which `watch` or `flag` was first reached
    flagged_at: Moment | None
    quality: Quality


class SourceLine(Record, frozen=True, tag_field="type", tag="source", kw_only=True):
    """A finding about an address or a number rather than about one call."""

    source: str | None = None  # an IP address
    caller: str | None = None
    callee: str | None = None
    first: Moment
    last: Moment
    flagged_at: Moment
    requests: Count
    verdict: Verdict
    score: Ratio
    fraud_types: list[FraudType]
    reasons: list[Reason]


class SummaryLine(Record, frozen=True, tag_field="type", tag="summary"):
    """The last line of a run."""

    files: Count  # read, whole or in part
    packets: Count
    bytes: Count
    sip_messages: Count
    sip_requests: Count
    sip_responses: Count
    malformed: Count
    calls: Count
    rtp_packets: Count
    rtp_streams: Count
    flagged: Count  # calls
    watched: Count
    evicted: Count  # entries of all tables that were given up for newer ones
    elapsed_s: Seconds
    capture_span_s: Seconds


Line = CallLine | SourceLine | SummaryLine


# What the desk has allowed is judged and kept like everything else, and not reported as `flag`.
StoredVerdict = Verdict | Literal["allowed"]


class StoredFinding(msgspec.Struct, frozen=True, kw_only=True):
    """A watched or flagged call or party as the box keeps it, with its line of the report as it was judged."""

    id: int = 0  # given by the store; 0 before
    time_ns: int  # at which the verdict was reached, capture time
    kind: Literal["call", "source"]
    verdict: StoredVerdict
    score: Ratio
    fraud_types: list[FraudType]
    source: str | None = None  # an IP address, or ip:port of a call
    caller: str | None = None
    callee: str | None = None
    call_id: str | None = None
    line: bytes  # CallLine or SourceLine as JSON


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Line)


def encode(line: Line) -> bytes:
    """The line as JSON, with its line end."""
    return _encoder.encode(line) + b"\n"


def decode(line: bytes) -> Line:
    """A line back as its struct. Raises msgspec.ValidationError when it is not one of this version."""
    return _decoder.decode(line)


# --- batches

SCHEMA = 1  # of the batches that this version writes
SCHEMAS = (1,)  # that it reads

BoxName = Annotated[str, Meta(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")]  # a DNS label (RFC 1123)
Incarnation = Annotated[str, Meta(pattern=r"^[0-9a-f]{8,32}\Z")]
Sequence = Annotated[int, Meta(ge=1, le=(1 << 62))]

MAX_ITEMS = 5000  # of one batch
MAX_TEXT = 1024  # characters of a text in a report, where nothing else bounds it
Text = Annotated[str, Meta(max_length=MAX_TEXT)]


def lenient(struct: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """The same struct, down to the structs in its fields, but passing over keys that it does not know."""
    fields: list[Any] = [
        (field.name, _lenient_type(field.type), field.default)
        if field.default is not msgspec.NODEFAULT
        else (field.name, _lenient_type(field.type))
        for field in msgspec.structs.fields(struct)
    ]
    config = struct.__struct_config__
    return msgspec.defstruct(
        struct.__name__, fields, frozen=True, kw_only=True, tag_field=config.tag_field, tag=config.tag
    )


def _lenient_type(kind: Any) -> Any:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return lenient(kind)
    if get_origin(kind) is list:
        return list[_lenient_type(get_args(kind)[0])]  # type: ignore[misc]
    return kind


if TYPE_CHECKING:
    ReadCallLine = CallLine
    ReadSourceLine = SourceLine
else:
    ReadCallLine, ReadSourceLine = lenient(CallLine), lenient(SourceLine)


class Report(msgspec.Struct, frozen=True, tag_field="type", kw_only=True):
    """An item of a batch that is not a line."""


class CallSummary(Report, frozen=True, tag="call_summary", kw_only=True):
    """A call that is over, in short, whatever its verdict."""

    call_id: Text
    caller: Text  # E.164 where it is known, else as sent
    callee: Text
    source: Socket
    start: Moment
    state: State
    status_code: Annotated[int, Meta(ge=100, le=999)] | None = None
    duration_s: Seconds | None = None
    verdict: Verdict
    score: Ratio


class Minute(Report, frozen=True, tag="minute", kw_only=True):
    """What was counted in one minute. Two reports about the same minute add up."""

    start: Moment
    calls: Count
    answered: Count = 0
    watched: Count = 0
    flagged: Count = 0
    sip_messages: Count = 0
    packets: Count = 0
    dropped: Count = 0  # packets that the capture lost
    fraud_types: dict[str, Count] = {}  # verdicts by fraud type


class Health(Report, frozen=True, tag="health", kw_only=True):
    """How the box is."""

    time: Moment
    version: Text
    started: Moment
    capture_loss: Ratio  # of the packets since the last health report
    spool_depth: Count  # reports that wait
    spool_dropped: Count = 0  # reports that were given up since the service started
    clock_offset_ms: int | None = None  # the box's clock less the collector's, by the last acknowledgement
    bundles: Annotated[list[Label], Meta(max_length=16)] = []
    config: Text = ""  # the same for the same settings
    problems: Annotated[list[Text], Meta(max_length=32)] = []  # one sentence each


AnyReport = ReadCallLine | ReadSourceLine | CallSummary | Minute | Health


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """What a box sends at once. Within `incarnation` (the spool's epoch, in hex) a sequence number names one report
    for ever; the batch has everything from its first to its last number that the box still has."""

    schema: int
    box: BoxName
    incarnation: Incarnation
    sent: Moment  # by the clock of the box
    items: Annotated[list[tuple[Sequence, msgspec.Raw]], Meta(min_length=1, max_length=MAX_ITEMS)]


class Acknowledgement(msgspec.Struct, frozen=True, kw_only=True):
    """The collector's answer to a batch, given after its commit: the box may forget everything up to `sequence`."""

    sequence: int
    stored: int
    duplicates: int = 0
    rejected: list[tuple[int, str]] = []  # reports that are not of the schema: (sequence, why); they are not stored
    passed_over: int = 0  # reports of a type that the collector does not know
    time_ns: int  # by the clock of the collector, since the Unix epoch


class SchemaError(ValueError):
    """A batch of a schema that this version does not read."""


class _Schema(msgspec.Struct):
    schema: int


class _Type(msgspec.Struct):
    type: str


_batches = msgspec.json.Decoder(Batch)
_schemas = msgspec.json.Decoder(_Schema)
_reports: msgspec.json.Decoder[AnyReport] = msgspec.json.Decoder(AnyReport)
_types = msgspec.json.Decoder(_Type)
_KNOWN = {"call", "source", "call_summary", "minute", "health"}


def payload(report: CallSummary | Minute | Health) -> bytes:
    """What the spool is given of a report; of a line that is the line itself."""
    return _encoder.encode(report)


def encode_batch(box: str, incarnation: str, sent: str, items: list[tuple[int, bytes]]) -> bytes:
    """A batch of the spool's (sequence, payload) pairs."""
    raw = [(sequence, msgspec.Raw(data)) for sequence, data in items]
    return _encoder.encode(Batch(schema=SCHEMA, box=box, incarnation=incarnation, sent=sent, items=raw))


def decode_batch(data: bytes) -> Batch:
    """A batch. Raises SchemaError for a schema that is not read here, msgspec.DecodeError for what is no batch."""
    schema = _schemas.decode(data).schema
    if schema not in SCHEMAS:
        raise SchemaError(f"schema {schema} is not read here, only {', '.join(map(str, SCHEMAS))}")
    return _batches.decode(data)


def decode_report(data: msgspec.Raw | bytes) -> AnyReport | None:
    """One item of a batch; None when its type is not known. Raises msgspec.ValidationError."""
    try:
        return _reports.decode(data)
    except msgspec.ValidationError:
        if _types.decode(data).type not in _KNOWN:
            return None
        raise
