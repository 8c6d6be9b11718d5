"""What the service says of itself: the object of `sipwarden status -o json`, and where metrics are taken from."""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Count = Annotated[int, Meta(ge=0)]
Moment = str  # RFC 3339 in UTC


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A JSON object of the status. Clients of an older version ignore what they do not know."""


class SourceStatus(Part, frozen=True, kw_only=True):
    """One source of packets. Counts are since the start of the service."""

    name: str
    state: Literal["up", "down"]
    problem: str | None  # why it is down
    packets: Count
    dropped: Count  # by the kernel or the source itself, for want of room
    bytes: Count
    duplicates: Count  # left out
    errors: Count  # what came and could not be used


class CaptureStatus(Part, frozen=True, kw_only=True):
    """All sources together."""

    packets: Count
    dropped: Count
    bytes: Count
    duplicates: Count
    sources: list[SourceStatus]


class TrafficStatus(Part, frozen=True, kw_only=True):
    """What the engine made of the packets."""

    sip_messages: Count
    sip_requests: Count
    sip_responses: Count
    malformed: Count
    rtp_packets: Count
    rtp_streams: Count
    corrected: Count  # packets whose time could not be, and was taken as of now
    time: Moment | None  # of the engine: that of the latest packet, moved on while none comes


class RateStatus(Part, frozen=True, kw_only=True):
    """Per second, over the last seconds."""

    packets: float
    calls: float
    verdicts: float


class LatencyStatus(Part, frozen=True, kw_only=True):
    """From the timestamp of a packet to the verdict on the row that it made."""

    verdicts: Count
    p50_ms: float | None  # upper bounds of their buckets; null before the first verdict
    p99_ms: float | None
    p999_ms: float | None


class QueueStatus(Part, frozen=True, kw_only=True):
    """What waits between the tracker and the disk."""

    depth: Count
    dropped: Count  # for want of room: the tracker does not wait
    unreadable: Count  # lines that are no report, by a fault of our own


class StoreStatus(Part, frozen=True, kw_only=True):
    """The findings on disk."""

    state: Literal["ok", "full", "read_only", "corrupt", "unavailable"]
    problem: str | None
    bytes: Count
    findings: Count
    waiting: Count  # in memory, for the disk
    lost: Count  # could not be written
    retired: Count  # made room for newer ones before their age


class SpoolStatus(Part, frozen=True, kw_only=True):
    """What waits for the collector."""

    state: Literal["ok", "full", "read_only", "corrupt", "unavailable"]
    problem: str | None
    bytes: Count
    depth: Count
    dropped: Count  # made room for others
    lost: Count  # could not be written
    oldest: Moment | None  # when the report that waits the longest was made; null: none waits


class ReportingStatus(Part, frozen=True, kw_only=True):
    """What became of the reports. Counts are since the start of the service."""

    state: Literal["off", "ready", "up", "waiting", "refused"]  # off: the box is not enrolled
    acknowledged: Count  # by the collector, which has them on its disk
    given_up: Count  # the collector refused them one by one
    last: Moment | None  # acknowledgement
    clock_offset_ms: int | None  # our clock less the collector's


class DriftStatus(Part, frozen=True, kw_only=True):
    """How far the rows that one bundle scores have moved from those that it was calibrated on (models/drift.py)."""

    rows: str  # their kind
    state: str  # unknown, settling, stable, shifted or drifted
    counted: Count
    ratio: dict[str, float]  # population stability index: of the score, and the mean over the features of each party
    feature: str | None  # the one that moved most
    feature_ratio: float


class SnapshotStatus(Part, frozen=True, kw_only=True):
    """What a restart would remember."""

    taken: Moment | None
    bytes: Count
    restored: bool  # at this start
    problem: str | None  # why the last one failed, or was refused at the start


class Status(Part, frozen=True, kw_only=True):
    """The whole of it."""

    version: str
    started: Moment
    uptime_s: float
    mode: Literal["observe"]
    problems: list[str]  # what keeps the service from doing its work, each in one sentence
    capture: CaptureStatus
    traffic: TrafficStatus
    calls: Count
    open_calls: Count
    flagged: Count
    watched: Count
    findings: Count  # parties that are suspected now
    evicted: Count
    rates: RateStatus
    latency: LatencyStatus
    queue: QueueStatus
    store: StoreStatus
    spool: SpoolStatus
    reporting: ReportingStatus
    bundles: dict[str, str]  # kind of row -> name@version
    drift: list[DriftStatus] = []
    snapshot: SnapshotStatus


def shown_drift(ratio: Mapping[str, float]) -> str:
    """`score 0.02, caller 0.31`: the gravest first."""
    return ", ".join(f"{name} {value:.2f}" for name, value in sorted(ratio.items(), key=lambda item: -item[1]))
