"""What the API sends and takes. Moments are RFC 3339 in UTC, numbers and pseudonyms as they are stored."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec
from msgspec import Meta

from appliance.report import CallLine, Health, ReadCallLine, ReadSourceLine, SourceLine
from collector.api import cursor
from collector.scopes import Scope
from collector.store import findings, fleet, journal, trends
from collector.store.accounts import ApiToken, Role, User
from collector.store.fleet import BoxState
from collector.store.paging import Page
from models.fraud_types import FraudType
from models.verdict import Verdict

T = TypeVar("T")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_COMMENT = 500

Kind = Literal["call", "source"]
Label = Literal["fraud", "honest"]

_lines: msgspec.json.Decoder = msgspec.json.Decoder(ReadCallLine | ReadSourceLine)


def moment(time_ns: int) -> datetime:
    """A moment to the microsecond."""
    return EPOCH + timedelta(microseconds=time_ns // 1000)


def moment_or_none(time_ns: int | None) -> datetime | None:
    return None if time_ns is None else moment(time_ns)


class Out(msgspec.Struct, frozen=True, kw_only=True):
    """A JSON object of an answer. Keys are only ever added."""


class Listed(Out, Generic[T], frozen=True, kw_only=True):
    """A page of a list; `next` is the `cursor` of the page that follows, null when there is none."""

    items: list[T]
    next: str | None


class Finding(Out, frozen=True, kw_only=True):
    """A call or a party that is watched or flagged. `time` is that of the verdict by the clock of the box, `updated`
    the arrival of the report that is shown; `skewed` says that the clock of the box was off."""

    id: int
    box: str
    kind: Kind
    time: datetime
    updated: datetime
    verdict: Verdict
    score: float
    fraud_types: list[FraudType]
    source: str | None
    caller: str | None
    callee: str | None
    call_id: str | None
    bundle: str | None
    skewed: bool
    label: Label | None

    @classmethod
    def of(cls, row: findings.Finding, **more: Any) -> "Finding":
        """As the store has it."""
        values = {name: getattr(row, name) for name in Finding.__struct_fields__ if name not in ("time", "updated")}
        return cls(**values, time=moment(row.time_ns), updated=moment(row.updated_ns), **more)


class LabelEntry(Out, frozen=True, kw_only=True):
    """A judgement of the desk. The last one of a finding counts."""

    finding: int
    label: Label
    by: str
    time: datetime
    comment: str | None

    @classmethod
    def of(cls, row: findings.LabelEntry) -> "LabelEntry":
        return cls(finding=row.finding_id, label=row.label, by=row.by, time=moment(row.time_ns), comment=row.comment)


class WholeFinding(Finding, frozen=True, kw_only=True):
    """A finding with all that the box said (`line`: reasons, streams, quality), the configuration that the box had
    (null when its health reports of then are gone), and the last labels."""

    line: CallLine | SourceLine
    config: str | None
    labels: list[LabelEntry]

    @classmethod
    def whole(cls, row: findings.Finding, config: str | None, labels: list[findings.LabelEntry]) -> "WholeFinding":
        assert row.line is not None
        entries = [LabelEntry.of(each) for each in labels]
        made = cls.of(row, line=_lines.decode(row.line), config=config, labels=entries)
        assert isinstance(made, WholeFinding)
        return made


class NewLabel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A judgement to be kept."""

    label: Label
    comment: Annotated[str, Meta(max_length=MAX_COMMENT)] | None = None


class Call(Out, frozen=True, kw_only=True):
    """A call in short, flagged or not."""

    id: int
    box: str
    time: datetime
    call_id: str
    source: str
    caller: str
    callee: str
    state: str
    status_code: int | None
    duration_s: float | None
    verdict: Verdict
    score: float

    @classmethod
    def of(cls, row: findings.Call) -> "Call":
        values = {name: getattr(row, name) for name in cls.__struct_fields__ if name != "time"}
        return cls(**values, time=moment(row.time_ns))


class Party(Out, frozen=True, kw_only=True):
    """The history of a caller, a callee or a source: the first page of each, to go on with at /findings and /calls."""

    kind: Literal["caller", "callee", "source"]
    value: str
    findings: Listed[Finding]
    calls: Listed[Call]


class Certificate(Out, frozen=True, kw_only=True):
    """A certificate of a box."""

    serial: str
    not_before: datetime
    not_after: datetime
    revoked: datetime | None
    reason: str | None

    @classmethod
    def of(cls, row: fleet.Certificate) -> "Certificate":
        return cls(
            serial=row.serial,
            not_before=moment(row.not_before_ns),
            not_after=moment(row.not_after_ns),
            revoked=moment_or_none(row.revoked_ns),
            reason=row.reason,
        )


class Box(Out, frozen=True, kw_only=True):
    """A box with its last health report. `silent`: it should have been heard of by now. `lost`: reports that never
    came."""

    name: str
    state: BoxState
    silent: bool
    enrolled: datetime
    revoked: datetime | None
    last_report: datetime | None
    address: str | None
    clock_offset_ms: int | None
    reports: int
    lost: int
    health: Health | None

    @classmethod
    def of(cls, row: fleet.Box, now_ns: int, **more: Any) -> "Box":
        return cls(
            name=row.name,
            state=row.state,
            silent=row.silent(now_ns),
            enrolled=moment(row.enrolled_ns),
            revoked=moment_or_none(row.revoked_ns),
            last_report=moment_or_none(row.last_report_ns),
            address=row.address,
            clock_offset_ms=row.clock_offset_ms,
            reports=row.items,
            lost=row.lost,
            health=None if row.health is None else msgspec.convert(row.health, Health),
            **more,
        )


class WholeBox(Box, frozen=True, kw_only=True):
    """A box with its certificates and its last health reports, newest first."""

    certificates: list[Certificate]
    history: list[Health]


class HealthReport(Out, frozen=True, kw_only=True):
    """What a box said about itself, and by how much its clock was off when that came."""

    clock_offset_ms: int
    report: Health

    @classmethod
    def of(cls, row: fleet.Health) -> "HealthReport":
        return cls(clock_offset_ms=row.clock_offset_ms, report=msgspec.convert(row.body, Health))


class Revocation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a box is revoked, for the record."""

    reason: Annotated[str, Meta(max_length=journal.MAX_REASON)] = ""


class Point(Out, frozen=True, kw_only=True):
    """The sums of one span of time; `dropped` are packets that a capture lost."""

    time: datetime
    calls: int
    answered: int
    watched: int
    flagged: int
    sip_messages: int
    packets: int
    dropped: int

    @classmethod
    def of(cls, row: trends.Point) -> "Point":
        values = {name: getattr(row, name) for name in cls.__struct_fields__ if name != "time"}
        return cls(**values, time=moment(row.time_ns))


class FraudPoint(Out, frozen=True, kw_only=True):
    """Verdicts of one fraud type within one span."""

    time: datetime
    fraud_type: FraudType
    flagged: int

    @classmethod
    def of(cls, row: trends.FraudPoint) -> "FraudPoint":
        return cls(time=moment(row.time_ns), fraud_type=row.fraud_type, flagged=row.flagged)


class Trends(Out, frozen=True, kw_only=True):
    """Counters over time, oldest first. Spans without a report are not there."""

    since: datetime
    until: datetime
    span_s: int
    points: list[Point]
    fraud_types: list[FraudPoint]


class Event(Out, frozen=True, kw_only=True):
    """`kind`: enrolled or refused. `count`: the same again within a minute is counted, not listed."""

    first: datetime
    last: datetime
    count: int
    kind: str
    reason: str | None
    box: str | None
    address: str | None
    detail: str | None

    @classmethod
    def of(cls, row: journal.Event) -> "Event":
        names = ("count", "kind", "reason", "box", "address", "detail")
        values = {name: getattr(row, name) for name in names}
        return cls(**values, first=moment(row.first_ns), last=moment(row.last_ns))


class AuditEntry(Out, frozen=True, kw_only=True):
    """`actor` did `action` to `subject`. An actor is an account, `token:NAME`, or `shell:USER` of the command."""

    time: datetime
    actor: str
    action: str
    subject: str | None
    address: str | None
    detail: dict[str, Any] | None

    @classmethod
    def of(cls, row: journal.AuditEntry) -> "AuditEntry":
        return cls(
            time=moment(row.time_ns),
            actor=row.actor,
            action=row.action,
            subject=row.subject,
            address=row.address,
            detail=row.detail,
        )


class Account(Out, frozen=True, kw_only=True):
    """Somebody who may log in to the console. `one_time`: the password that was given out has not been changed yet."""

    name: str
    role: Role
    created: datetime
    one_time: bool
    disabled: datetime | None

    @classmethod
    def of(cls, row: User) -> "Account":
        return cls(
            name=row.name,
            role=row.role,
            created=moment(row.created_ns),
            one_time=row.one_time,
            disabled=moment_or_none(row.disabled_ns),
        )


class Pseudonym(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A pseudonym, as findings have it, and why its number is asked for: that goes into the audit trail."""

    pseudonym: Annotated[str, Meta(min_length=1, max_length=512)]
    reason: Annotated[str, Meta(max_length=200)] | None = None


class Number(Out, frozen=True, kw_only=True):
    """The number behind a pseudonym."""

    number: str


class Status(Out, frozen=True, kw_only=True):
    """The collector answers, and so does its store."""

    status: Literal["ok"]


class Version(Out, frozen=True, kw_only=True):
    """What runs here."""

    version: str
    schema_revision: str


class Token(Out, frozen=True, kw_only=True):
    """The token that is used."""

    name: str
    scopes: list[Scope]
    expires: datetime | None

    @classmethod
    def of(cls, row: ApiToken) -> "Token":
        return cls(name=row.name, scopes=row.scopes, expires=moment_or_none(row.expires_ns))  # type: ignore[arg-type]


def listed(page: Page, shape: Any) -> Listed:
    """A page of the store as one of the API."""
    return Listed(items=[shape(row) for row in page.items], next=cursor.encode(page.next))
