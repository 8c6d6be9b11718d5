"""Findings, labels, calls, parties and trends."""

import time
from typing import Annotated, Literal

from litestar import Request, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from collector.api import parameters as asked
from collector.api.access import actor_of, address_of, opened_by, reads
from collector.api.cursor import decode
from collector.api.parameters import Cursor, Limit, Moment, Number, Text
from collector.api.schemas import (
    Call,
    Finding,
    FraudPoint,
    Kind,
    LabelEntry,
    Listed,
    NewLabel,
    Party,
    Point,
    Trends,
    WholeFinding,
    listed,
    moment,
)
from collector.pseudonyms import clean
from collector.store.findings import Filter
from collector.store.paging import DEFAULT_LIMIT
from collector.store.trends import RANGES
from models.fraud_types import FraudType
from models.verdict import Verdict

LABELS_SHOWN = 20
MAX_COMMENT = 500


@reads("/findings", "findings:read")
def list_findings(
    request: Request,
    kind: FromQuery[Kind | None] = None,
    verdict: FromQuery[Verdict | None] = None,
    fraud_type: FromQuery[FraudType | None] = None,
    label: FromQuery[Literal["fraud", "honest", "none"] | None] = None,
    box: Text = None,
    source: Text = None,
    caller: Number = None,
    callee: Number = None,
    number: Annotated[str | None, QueryParameter(max_length=asked.MAX_TEXT, description="Caller or callee.")] = None,
    call_id: Text = None,
    min_score: Annotated[float, QueryParameter(ge=0, le=1)] = 0,
    since: Moment = None,
    until: Moment = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Listed[Finding]:
    """Findings by filters, newest arrival first; with several filters or a time, by the time of their verdicts, which
    `since` and `until` bound."""
    state = request.app.state
    wanted = Filter(
        kind=kind,
        verdict=verdict,
        fraud_type=fraud_type,
        label=label,
        box=asked.text(box),
        source=asked.text(source),
        caller=asked.number(caller, state.numbers),
        callee=asked.number(callee, state.numbers),
        number=asked.number(number, state.numbers),
        call_id=asked.text(call_id),
        min_score=min_score or None,
        since_ns=asked.time_ns(since),
        until_ns=asked.time_ns(until),
    )
    return listed(state.store.findings.find(wanted, decode(cursor), limit), Finding.of)


@reads("/findings/{finding_id:int}", "findings:read", 404)
def show_finding(request: Request, finding_id: FromPath[int]) -> WholeFinding:
    """One finding with all that the box said, and its last labels."""
    store = request.app.state.store
    found = store.findings.get(finding_id)
    labels = store.findings.labels(finding_id, limit=LABELS_SHOWN).items
    return WholeFinding.whole(found, store.fleet.config_at(found.box, found.id), labels)


@reads("/findings/{finding_id:int}/labels", "findings:read", 404)
def list_labels_of(
    request: Request, finding_id: FromPath[int], limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Listed[LabelEntry]:
    """The labels of one finding, newest first."""
    store = request.app.state.store
    store.findings.get(finding_id)
    return listed(store.findings.labels(finding_id, decode(cursor), limit), LabelEntry.of)


@post("/findings/{finding_id:int}/labels", **opened_by("labels:write", 404, 413))
def add_label(request: Request, finding_id: FromPath[int], data: JSONBody[NewLabel]) -> LabelEntry:
    """Labels a finding as fraud or honest; this label holds from now on. It goes into the audit trail."""
    store = request.app.state.store
    store.findings.get(finding_id)
    comment = clean(data.comment.strip(), MAX_COMMENT) or None if data.comment else None
    store.findings.label(finding_id, data.label, actor_of(request), comment)
    detail = {"label": data.label}
    store.journal.audit(actor_of(request), "finding.label", str(finding_id), address_of(request), detail)
    return LabelEntry.of(store.findings.labels(finding_id, limit=1).items[0])


@reads("/labels", "findings:read")
def list_labels(request: Request, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Listed[LabelEntry]:
    """The labels of all findings, newest first."""
    return listed(request.app.state.store.findings.labels(None, decode(cursor), limit), LabelEntry.of)


@reads("/calls", "findings:read")
def list_calls(
    request: Request,
    verdict: FromQuery[Verdict | None] = None,
    box: Text = None,
    source: Text = None,
    caller: Number = None,
    callee: Number = None,
    call_id: Text = None,
    since: Moment = None,
    until: Moment = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Listed[Call]:
    """Calls, flagged or not, as far as boxes report them; newest arrival first."""
    state = request.app.state
    wanted = Filter(
        verdict=verdict,
        box=asked.text(box),
        source=asked.text(source),
        caller=asked.number(caller, state.numbers),
        callee=asked.number(callee, state.numbers),
        call_id=asked.text(call_id),
        since_ns=asked.time_ns(since),
        until_ns=asked.time_ns(until),
    )
    return listed(state.store.findings.calls(wanted, decode(cursor), limit), Call.of)


@reads("/parties", "findings:read")
def show_party(
    request: Request,
    kind: FromQuery[Literal["caller", "callee", "source"]],
    value: Annotated[str, QueryParameter(min_length=1, max_length=asked.MAX_TEXT)],
    limit: Limit = DEFAULT_LIMIT,
) -> Party:
    """The history of a caller or callee (a number, or its pseudonym) or of a source (an address)."""
    state = request.app.state
    stored = clean(value, asked.MAX_TEXT) if kind == "source" else state.numbers.search(clean(value, asked.MAX_TEXT))
    wanted = Filter(**{kind: stored})  # type: ignore[arg-type]
    return Party(
        kind=kind,
        value=stored,
        findings=listed(state.store.findings.find(wanted, None, limit), Finding.of),
        calls=listed(state.store.findings.calls(wanted, None, limit), Call.of),
    )


@reads("/trends", "findings:read")
def show_trends(
    request: Request,
    range: FromQuery[Literal["day", "week", "month"]] = "day",
    box: Text = None,
) -> Trends:
    """Counters over time, of one box or of all: a day by minutes, a week or a month by hours."""
    store = request.app.state.store
    length_s, span_s = RANGES[range]
    until = (time.time_ns() // (span_s * 10**9) + 1) * span_s * 10**9
    since = until - length_s * 10**9
    name = asked.text(box)
    return Trends(
        since=moment(since),
        until=moment(until),
        span_s=span_s,
        points=[Point.of(point) for point in store.trends.points(span_s, since, until, name)],
        fraud_types=[FraudPoint.of(point) for point in store.trends.fraud_points(span_s, since, until, name)],
    )


ROUTES = [
    list_findings,
    show_finding,
    list_labels_of,
    add_label,
    list_labels,
    list_calls,
    show_party,
    show_trends,
]
