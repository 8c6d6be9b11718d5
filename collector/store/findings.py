"""Findings and call summaries, as they are read: by filters, newest first.

Every page is read by an index that has its order, so that it costs as much at the end of a long history as at its
beginning. One filter has an index of its own; several are read from the one index that has all that can be filtered
by, unless one of them leaves few rows (or PostgreSQL's statistics say otherwise); a number is looked for as caller and
as callee apart, for no index has both.
"""

import time
from collections.abc import Iterable, Iterator
from typing import Any, Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy import ColumnElement, Engine, Row
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from collector.errors import NotFoundError
from collector.store import tables
from collector.store.database import is_sqlite, writing
from collector.store.ids import MAX_AHEAD_NS, arrival_ns, lowest_id
from collector.store.paging import DEFAULT_LIMIT, Page, bounded, paged
from models.fraud_types import BIT_OF, FRAUD_TYPES, FraudType, names_of
from models.verdict import VERDICTS, Verdict

Label = Literal["fraud", "honest"]

MAX_ID = (1 << 63) - 1
IN_LIMIT = 500  # values of one IN list
FEW = 5000  # ids that one filter leaves, among which the others are looked for
RARE = 1000  # fewer still: to look each of them up is quicker than to read the newest until a page is full
MAX_OF_ONE_CALL = 100  # a Call-ID is the caller's choice: many calls may share one


class Finding(msgspec.Struct, frozen=True):
    """One finding. `line` is the contract's JSON line with its numbers by policy; only `get` and `of_call` fill it."""

    id: int
    box: str
    kind: Literal["call", "source"]
    time_ns: int
    updated_ns: int
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
    line: bytes | None = None


class LabelEntry(msgspec.Struct, frozen=True):
    """One judgement of an analyst. The last one of a finding counts."""

    id: int
    finding_id: int
    label: Label
    by: str
    time_ns: int
    comment: str | None


class Call(msgspec.Struct, frozen=True):
    """The summary of a call, flagged or not."""

    id: int
    box: str
    time_ns: int
    call_id: str
    source: str
    caller: str
    callee: str
    state: str
    status_code: int | None
    duration_s: float | None
    verdict: Verdict
    score: float


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """What findings (and calls, where it applies) must be. None: anything. Numbers as stored: see `Numbers.token`."""

    kind: Literal["call", "source"] | None = None
    verdict: Verdict | None = None
    fraud_type: FraudType | None = None
    box: str | None = None
    source: str | None = None
    caller: str | None = None
    callee: str | None = None
    number: str | None = None  # caller or callee
    call_id: str | None = None
    label: Literal["fraud", "honest", "none"] | None = None
    min_score: float | None = None
    since_ns: int | None = None  # of the finding's own time
    until_ns: int | None = None


Place = tuple[int, int]  # (time_ns, id)
_LISTED = [column for column in tables.findings.c if column.name != "line"]


class Findings:
    """Reads findings and calls, and labels findings. The ingest writes them: `collector.writer`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def find(self, wanted: Filter = Filter(), before: int | None = None, limit: int = DEFAULT_LIMIT) -> Page[Finding]:  # noqa: B008 - frozen
        """The findings behind the one with the id `before`, newest arrival first; with several filters or a time, in
        the order of their own time."""
        limit = bounded(limit)
        if _is_broad(wanted):
            rows = self._rows(_newest_of_many(wanted, self._few(wanted), self._place(before), limit + 1))
        else:
            rare = self._rare(wanted) if _is_by_type(wanted) else None
            rows = self._rows(_newest_findings(wanted, rare, before, limit + 1))
        return paged([_finding(row) for row in rows], limit)

    def newer(self, after: int, wanted: Filter = Filter(), limit: int = DEFAULT_LIMIT) -> list[Finding]:  # noqa: B008 - frozen
        """Findings that arrived after the one with the id `after`, oldest first: for a live view."""
        query, key = _listed(wanted)
        query = query.where(key > after, *_conditions(tables.findings, wanted, None)).order_by(key)
        return [_finding(row) for row in self._rows(query.limit(bounded(limit)))]

    def get(self, finding_id: int) -> Finding:
        """One finding with its line. Raises NotFoundError."""
        table = tables.findings
        rows = []
        if 0 <= finding_id <= MAX_ID:
            rows = self._rows(_joined(table, list(table.c)).where(table.c.id == finding_id))
        if not rows:
            raise NotFoundError(f"no finding {finding_id}")
        return _finding(rows[0])

    def some(self, ids: list[int]) -> list[Finding]:
        """The findings with these ids, as far as they are there, without their lines."""
        found: list[Finding] = []
        for start in range(0, len(ids), IN_LIMIT):
            chosen = tables.findings.c.id.in_(ids[start : start + IN_LIMIT])
            found += [_finding(row) for row in self._rows(_joined(tables.findings, _LISTED).where(chosen))]
        return found

    def count(self) -> int:
        """How many findings there are. Reads an index whole: seconds on a large store."""
        with self._engine.connect() as connection:
            return connection.scalar(sa.select(sa.func.count()).select_from(tables.findings)) or 0

    def of_call(self, call_id: str) -> list[Finding]:
        """The findings about the calls of one Call-ID, on any box, with their lines; newest first."""
        table = tables.findings
        query = _joined(table, list(table.c)).where(table.c.call_id == call_id)
        return [_finding(row) for row in self._rows(query.order_by(table.c.id.desc()).limit(MAX_OF_ONE_CALL))]

    def calls(self, wanted: Filter = Filter(), before: int | None = None, limit: int = DEFAULT_LIMIT) -> Page[Call]:  # noqa: B008 - frozen
        """Call summaries, newest first. `kind`, `fraud_type` and `label` of the filter do not apply."""
        limit = bounded(limit)
        wanted = msgspec.structs.replace(wanted, kind=None, fraud_type=None, label=None)
        rows = self._rows(_newest_calls(wanted, before, limit + 1))
        return paged([_call(row) for row in rows], limit)

    def label(self, finding_id: int, label: Label, by: str, comment: str | None = None) -> None:
        """An analyst's judgement. Raises NotFoundError."""
        with writing(self._engine.connect()) as connection, connection.begin():
            table = tables.findings
            changed = connection.execute(sa.update(table).where(table.c.id == finding_id).values(label=label))
            if not changed.rowcount:
                raise NotFoundError(f"no finding {finding_id}")
            entry = {"finding_id": finding_id, "label": label, "by": by, "time_ns": time.time_ns(), "comment": comment}
            connection.execute(sa.insert(tables.labels), entry)

    def labels(
        self, finding_id: int | None = None, before: int | None = None, limit: int = DEFAULT_LIMIT
    ) -> Page[LabelEntry]:
        """The judgements, of one finding or of all; newest first."""
        limit = bounded(limit)
        table = tables.labels
        query = sa.select(table).order_by(table.c.id.desc()).limit(limit + 1)
        if finding_id is not None:
            query = query.where(table.c.finding_id == finding_id)
        if before is not None:
            query = query.where(table.c.id < before)
        return paged([LabelEntry(**row._mapping) for row in self._rows(query)], limit)

    def _few(self, wanted: Filter) -> ColumnElement[bool] | None:
        """That a finding is among those which one of several filters leaves, when it alone leaves few."""
        rare = self._rare(wanted)
        if rare is not None:
            return rare
        return next((tables.findings.c.id.in_(ids) for ids in _leads(wanted) if self._has_at_most(FEW, ids)), None)

    def _rare(self, wanted: Filter) -> ColumnElement[bool] | None:
        """That a finding is one of those of a rare fraud type, each of which is looked up. PostgreSQL would rather read
        an index of all findings: it takes a lookup by a join to go into every partition. SQLite looks up by itself."""
        if wanted.fraud_type is None or is_sqlite(self._engine):
            return None
        ids = _of_type(wanted.fraud_type)
        if not self._has_at_most(RARE, ids):
            return None
        return tables.findings.c.id == sa.any_(sa.func.array(ids.scalar_subquery()))

    def _has_at_most(self, limit: int, ids: sa.Select) -> bool:
        counted = sa.select(sa.func.count()).select_from(ids.limit(limit + 1).subquery())
        with self._engine.connect() as connection:
            return (connection.scalar(counted) or 0) <= limit

    def _place(self, before: int | None) -> Place | None:
        """Where a page ended, in the order of time; by its arrival, when the retention took the finding meanwhile."""
        if before is None:
            return None
        c = tables.findings.c
        with self._engine.connect() as connection:
            time_ns = connection.scalar(sa.select(c.time_ns).where(c.id == before))
        return (min(arrival_ns(before), MAX_ID) if time_ns is None else time_ns, before)

    def _rows(self, query: sa.Select) -> list[Row]:
        with self._engine.connect() as connection:
            return list(connection.execute(query))


def _joined(table: sa.Table, columns: Iterable[ColumnElement]) -> sa.Select:
    boxes = tables.boxes
    return sa.select(*columns, boxes.c.name.label("box")).join_from(table, boxes, boxes.c.id == table.c.box_id)


def _newest_findings(wanted: Filter, rare: ColumnElement[bool] | None, before: int | None, limit: int) -> sa.Select:
    """A query for the findings of one page, in the order of their arrival; `rare` says which ones are looked at."""
    table = tables.findings
    if wanted.number is not None:
        return _of_number(table, _LISTED, wanted, before, limit)
    query, key = _listed(wanted)
    if rare is not None:
        query = query.where(rare)
    return query.where(*_conditions(table, wanted, before)).order_by(key.desc()).limit(limit)


def _newest_of_many(wanted: Filter, few: ColumnElement[bool] | None, before: Place | None, limit: int) -> sa.Select:
    """A query for the findings of one page, in the order of their own time: among `few`, else by the index that has all
    filters."""
    c = tables.findings.c
    narrow = sa.select(c.id).where(*_conditions(tables.findings, wanted, None))
    if few is not None:
        narrow = narrow.where(few)
    if before is not None:
        narrow = narrow.where(sa.tuple_(c.time_ns, c.id) < sa.tuple_(*before))
    narrow = narrow.order_by(c.time_ns.desc(), c.id.desc()).limit(limit)
    return _joined(tables.findings, _LISTED).where(c.id.in_(narrow)).order_by(c.time_ns.desc(), c.id.desc())


def _leads(wanted: Filter) -> Iterator[sa.Select]:
    """The ids that single filters leave, each by an index of its own."""
    c = tables.findings.c
    if wanted.fraud_type is not None:
        yield _of_type(wanted.fraud_type)
    if wanted.label in ("fraud", "honest"):
        yield sa.select(c.id).where(c.label == wanted.label)
    if wanted.box is not None:
        yield sa.select(c.id).where(c.box_id == tables.box_id(wanted.box))


def _of_type(fraud_type: FraudType) -> sa.Select:
    c = tables.finding_types.c
    return sa.select(c.finding_id).where(c.fraud_type == FRAUD_TYPES.index(fraud_type))


def _newest_calls(wanted: Filter, before: int | None, limit: int) -> sa.Select:
    """A query for the calls of one page."""
    table = tables.calls
    if wanted.number is not None:
        return _of_number(table, list(table.c), wanted, before, limit)
    query = _joined(table, list(table.c)).where(*_conditions(table, wanted, before))
    return query.order_by(table.c.id.desc()).limit(limit)


def _is_broad(wanted: Filter) -> bool:
    """Whether no index of one filter is enough: there are several, or a time, and none that finds few rows."""
    filters = (wanted.verdict, wanted.fraud_type, wanted.box, wanted.label)
    timed = wanted.since_ns is not None or wanted.until_ns is not None
    return not _is_of_party(wanted) and (timed or sum(value is not None for value in filters) > 1)


def _is_by_type(wanted: Filter) -> bool:
    """Whether a fraud type is what leads to the rows: then its own table has them in order."""
    return wanted.fraud_type is not None and not _is_broad(wanted) and not _is_of_party(wanted)


def _is_of_party(wanted: Filter) -> bool:
    leading = (wanted.source, wanted.caller, wanted.callee, wanted.number, wanted.call_id)
    return any(value is not None for value in leading)


def _of_number(
    table: sa.Table, columns: Iterable[ColumnElement], wanted: Filter, before: int | None, limit: int
) -> sa.Select:
    """A query for one page of what a number called or was called by: the newest of both, by an index for each."""
    parties = [
        sa.select(table.c.id)
        .where(column == wanted.number, *_conditions(table, wanted, before))
        .order_by(table.c.id.desc())
        .limit(limit)
        .subquery()
        for column in (table.c.caller, table.c.callee)
    ]
    ids = sa.union(*(sa.select(party.c.id) for party in parties))
    return _joined(table, columns).where(table.c.id.in_(ids)).order_by(table.c.id.desc()).limit(limit)


def _listed(wanted: Filter) -> tuple[sa.Select, ColumnElement[int]]:
    """A query for findings without their lines, and the id to order it by: that of the index which has the order."""
    query = _joined(tables.findings, _LISTED)
    if not _is_by_type(wanted):
        return query, tables.findings.c.id
    types = tables.finding_types
    of_type = sa.and_(
        types.c.finding_id == tables.findings.c.id, types.c.fraud_type == FRAUD_TYPES.index(wanted.fraud_type)
    )
    return query.join(types, of_type), types.c.finding_id


def _conditions(table: sa.Table, wanted: Filter, before: int | None) -> list[ColumnElement[bool]]:
    c = table.c
    found: list[ColumnElement[bool]] = []
    for name in ("kind", "source", "caller", "callee", "call_id"):
        value = getattr(wanted, name)
        if value is not None:
            found.append(c[name] == value)
    if before is not None:
        found.append(c.id < before)
        if _is_by_type(wanted):
            found.append(tables.finding_types.c.finding_id < before)  # no planner carries it over the join
    leads = not (_is_broad(wanted) or _is_of_party(wanted))
    if wanted.verdict is not None:
        found.append(_by(c.verdict, leads) == VERDICTS.index(wanted.verdict))
    if wanted.fraud_type is not None and not _is_by_type(wanted):
        found.append(c.fraud_types.op("&")(BIT_OF[wanted.fraud_type]) != 0)
    if wanted.box is not None:
        # which box, and so how many findings, is not known yet when either database plans
        found.append((c.box_id if leads else c.box_id + 0) == tables.box_id(wanted.box))
    if wanted.label is not None:
        label = _by(c.label, leads)
        found.append(label.is_(None) if wanted.label == "none" else label == wanted.label)
    if wanted.min_score is not None:
        found.append(c.score >= wanted.min_score)
    if wanted.since_ns is not None:
        found.append(c.time_ns >= wanted.since_ns)
        found.append(c.id >= lowest_id(wanted.since_ns - MAX_AHEAD_NS))  # spares older partitions
    if wanted.until_ns is not None:
        found.append(c.time_ns < wanted.until_ns)
    return found


class Aside(FunctionElement):
    """A column that is only looked at. SQLite takes an index of whatever column is named, even one that finds half of
    all rows, but not behind a unary plus (https://sqlite.org/optoverview.html, "Disqualifying WHERE-clause terms").
    PostgreSQL chooses well by its statistics, which know the column alone."""

    inherit_cache = True

    def __init__(self, column: sa.Column) -> None:
        super().__init__(column)
        self.type = column.type


@compiles(Aside)
def _as_it_is(element: Aside, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


@compiles(Aside, "sqlite")
def _behind_a_plus(element: Aside, compiler: SQLCompiler, **options: Any) -> str:
    return f"+{compiler.process(element.clauses, **options)}"


def _by(column: sa.Column, leads: bool) -> ColumnElement:
    """A column that leads to the rows by its index, or is only looked at."""
    return column if leads else Aside(column)


def _finding(row: Row) -> Finding:
    values = row._mapping
    return Finding(
        **{name: values[name] for name in Finding.__struct_fields__ if name in values and name not in _TRANSLATED},
        verdict=VERDICTS[values["verdict"]],
        fraud_types=names_of(values["fraud_types"]),
    )


def _call(row: Row) -> Call:
    values = row._mapping
    return Call(
        **{name: values[name] for name in Call.__struct_fields__ if name not in _TRANSLATED},
        verdict=VERDICTS[values["verdict"]],
    )


_TRANSLATED = {"verdict", "fraud_types"}
