"""What sipwarden reports: one JSON object a line, told apart by `type`.

The schema of the contract, held strictly: a line with a key that is not here is not a line of this version.
Keys are only ever added, never renamed, removed or given another meaning. Call lines are written by
kernels (one a call, at packet speed) and are held to `CallLine` by the tests; the other lines are written
from these structs. Moments are RFC 3339 in UTC with microseconds, in capture time.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from models.fraud_types import FraudType
from models.reason import Reason
from models.verdict import Verdict

Moment = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")]
Socket = Annotated[str, Meta(pattern=r"^(\d+\.\d+\.\d+\.\d+|\[[0-9a-f:.]+\]):\d{1,5}$")]  # ip:port, [ip]:port
E164 = Annotated[str, Meta(pattern=r"^\+[1-9]\d{1,14}$")]
Label = Annotated[str, Meta(pattern=r"^[^@\s]+@[^@\s]+$")]  # name@version
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


class StoredFinding(msgspec.Struct, frozen=True, kw_only=True):
    """A watched or flagged call or party as the box keeps it, with its line of the report as it was sent."""

    id: int = 0  # given by the store; 0 before
    time_ns: int  # at which the verdict was reached, capture time
    kind: Literal["call", "source"]
    verdict: Verdict
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
