"""One transaction of reports: what of some batches is new, and the rows that it becomes."""

from collections import Counter
from itertools import product
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from appliance.report import Acknowledgement
from collector.arrival import (
    COUNTED,
    HOUR_NS,
    MAX_JUMP,
    MAX_REJECTED_NAMED,
    MINUTE_NS,
    Arrival,
    Row,
    fraud_positions,
    moment_ns,
)
from collector.errors import CollectorError, RefusedError
from collector.ranges import Ranges
from collector.store import tables
from collector.store.bulk import insert_rows
from collector.store.ids import Ids, lowest_id
from collector.store.trends import HOUR_S, MINUTE_S
from models.fraud_types import FRAUD_TYPES
from models.verdict import WATCH

MAX_INCARNATIONS = 100  # of one box that are remembered: each is a start of its service
SUBJECT_DAYS = 7  # a finding that is said again after so long is a new one
IN_LIMIT = 500  # values of one IN list
SPANS = ((MINUTE_S, MINUTE_NS), (HOUR_S, HOUR_NS))

# Built once: to build a statement takes longer than to run it.
_COUNTED_OF_BOX = ("box", "more_items", "more_lost", "last_report_ns", "address", "clock_offset_ms")
_UPDATE_BOX = (
    sa.update(tables.boxes)
    .where(tables.boxes.c.id == sa.bindparam("box"))
    .values(
        items=tables.boxes.c["items"] + sa.bindparam("more_items"),
        lost=tables.boxes.c.lost + sa.bindparam("more_lost"),
        last_report_ns=sa.bindparam("last_report_ns"),
        address=sa.bindparam("address"),
        clock_offset_ms=sa.bindparam("clock_offset_ms"),
    )
)
_UPDATE_HEALTH = (
    sa.update(tables.boxes)
    .where(tables.boxes.c.id == sa.bindparam("box"))
    .values(health=sa.bindparam("health"), health_ns=sa.bindparam("health_ns"))
)
# One row for all findings of a transaction, and none without somebody to be told.
_ANNOUNCE = sa.insert(tables.announcements).from_select(
    ["findings"],
    sa.select(sa.bindparam("announced", type_=sa.JSON)).where(
        sa.exists(sa.select(1).where(tables.webhooks.c.disabled_ns.is_(None)))
    ),
)
_UPSERTS: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class Known(msgspec.Struct):
    """What the store knows of the box of a batch."""

    box_id: int
    name: str
    state: str
    void_ns: int | None


class Deposit:
    """Stores batches within one open transaction. `findings` counts those that are new, by verdict."""

    def __init__(self, connection: Connection, ids: Ids) -> None:
        self._connection = connection
        self._ids = ids
        self._upsert = _UPSERTS[connection.dialect.name]
        self.findings: Counter[int] = Counter()

    def store(self, arrivals: list[Arrival]) -> list[Acknowledgement | CollectorError]:
        """For each batch its acknowledgement, or why nothing of it was stored. Raises SQLAlchemyError."""
        known = self._known({arrival.serial for arrival in arrivals})
        good = [arrival for arrival in arrivals if isinstance(self._box_of(arrival, known), Known)]
        ranges = self._ranges({(known[arrival.serial].box_id, arrival.incarnation) for arrival in good})
        answers: list[Acknowledgement | CollectorError] = []
        fresh: list[tuple[Arrival, int, set[int]]] = []
        changed: set[tuple[int, str]] = set()
        totals: dict[int, Row] = {}
        for arrival in arrivals:
            box = self._box_of(arrival, known)
            if isinstance(box, CollectorError):
                answers.append(box)
                continue
            try:
                received = self._received(ranges, box, arrival)
            except RefusedError as refused:
                answers.append(refused)
                continue
            sequences = arrival.sequences
            new = {sequence for sequence in sequences if sequence not in received}
            lost = received.add(arrival.first, arrival.last)
            changed.add((box.box_id, arrival.incarnation))
            fresh.append((arrival, box.box_id, new))
            _add_to(totals, box.box_id, arrival, len(new), lost)
            answers.append(_acknowledgement(arrival, new))
        self._insert(fresh)
        self._write_ranges(ranges, changed, fresh)
        self._update_boxes(totals)
        return answers

    # --- who sent it

    def _known(self, serials: set[str]) -> dict[str, Known]:
        boxes, certificates = tables.boxes, tables.certificates
        query = (
            sa.select(certificates.c.serial, boxes.c.id, boxes.c.name, boxes.c.state, certificates.c.revoked_ns)
            .join_from(certificates, boxes, boxes.c.id == certificates.c.box_id)
            .where(certificates.c.serial.in_(serials))
            .with_for_update(read=True)  # a revocation waits for us, or we see it
        )
        rows = self._connection.execute(query)
        return {serial: Known(box_id, name, state, void_ns) for serial, box_id, name, state, void_ns in rows}

    @staticmethod
    def _box_of(arrival: Arrival, known: dict[str, Known]) -> Known | RefusedError:
        box = known.get(arrival.serial)
        if box is None:
            detail = "this certificate was not given out by this collector"
            return RefusedError(403, "unknown_certificate", detail, box=arrival.box)
        if box.void_ns is not None or box.state != "active":
            return RefusedError(403, "revoked", "the certificate or its box was revoked", box=box.name)
        return box

    # --- what is new

    def _ranges(self, keys: set[tuple[int, str]]) -> dict[tuple[int, str], Ranges]:
        c = tables.receipts.c
        query = sa.select(c.box_id, c.incarnation, c.ranges)
        query = query.where(sa.tuple_(c.box_id, c.incarnation).in_(keys)).with_for_update()
        rows = self._connection.execute(query)
        return {(box_id, incarnation): Ranges(stored) for box_id, incarnation, stored in rows}

    def _received(self, ranges: dict[tuple[int, str], Ranges], box: Known, arrival: Arrival) -> Ranges:
        key = (box.box_id, arrival.incarnation)
        if key not in ranges:
            self._forget_old_spools(box.box_id)
            ranges[key] = Ranges()
        received = ranges[key]
        if arrival.last > received.last + MAX_JUMP:
            raise RefusedError(422, "sequence", "the sequence numbers are far ahead of all before", box=box.name)
        return received

    def _forget_old_spools(self, box_id: int) -> None:
        """A box sends its spools one after the other: nothing more comes of one so long ago."""
        c = tables.receipts.c
        query = sa.select(c.incarnation).where(c.box_id == box_id).order_by(c.last_ns.desc()).offset(MAX_INCARNATIONS)
        old = list(self._connection.execute(query.limit(IN_LIMIT)).scalars())
        if old:
            forget = sa.delete(tables.receipts).where(c.box_id == box_id, c.incarnation.in_(old))
            self._connection.execute(forget)

    def _write_ranges(
        self,
        ranges: dict[tuple[int, str], Ranges],
        changed: set[tuple[int, str]],
        fresh: list[tuple[Arrival, int, set[int]]],
    ) -> None:
        now = max((arrival.arrived_ns for arrival, _, _ in fresh), default=0)
        rows = [
            {
                "box_id": box_id,
                "incarnation": incarnation,
                "ranges": ranges[box_id, incarnation].to_list(),
                "last_ns": now,
            }
            for box_id, incarnation in sorted(changed)
        ]
        self._upsert_rows(tables.receipts, rows, replace=("ranges", "last_ns"))

    # --- rows

    def _insert(self, fresh: list[tuple[Arrival, int, set[int]]]) -> None:
        findings: dict[int, Row] = {}
        calls: list[Row] = []
        health: list[Row] = []
        counters: dict[tuple, Row] = {}
        frauds: dict[tuple, Row] = {}
        for arrival, box_id, new in fresh:
            for sequence in sorted(new):
                if (finding := arrival.findings.get(sequence)) is not None:
                    findings[finding["subject"]] = _newer(
                        findings.get(finding["subject"]), {**finding, "box_id": box_id}
                    )
                elif (call := arrival.calls.get(sequence)) is not None:
                    calls.append({**call, "box_id": box_id})
                elif (minute := arrival.minutes.get(sequence)) is not None:
                    _count(counters, frauds, box_id, minute)
                elif (report := arrival.health.get(sequence)) is not None:
                    health.append(_health_row(box_id, arrival, report))
        self._put_findings(list(findings.values()))
        insert_rows(self._connection, tables.calls, self._numbered(calls))
        insert_rows(self._connection, tables.health, self._numbered(health))
        self._upsert_rows(tables.counters, _by_key(counters), add=COUNTED)
        self._upsert_rows(tables.fraud_counters, _by_key(frauds), add=("flagged",))

    def _numbered(self, rows: list[Row]) -> list[Row]:
        return [{"id": row_id, **row} for row_id, row in zip(self._ids.take(len(rows)), rows, strict=True)]

    def _put_findings(self, findings: list[Row]) -> None:
        known = self._stored_subjects(findings)
        new = self._numbered([row for row in findings if row["subject"] not in known])
        again = []
        for row in findings:
            stored = known.get(row["subject"])
            if stored is not None and _is_newer(row, stored.incarnation, stored.sequence):
                again.append({"finding": stored.id, **row})
        insert_rows(self._connection, tables.findings, new)
        self.findings.update(row["verdict"] for row in new)
        self._announce(new, again, known)
        if again:
            replaced = [name for name in again[0] if name not in ("finding", "subject", "box_id")]
            update = sa.update(tables.findings).where(tables.findings.c.id == sa.bindparam("finding"))
            self._connection.execute(update.values({name: sa.bindparam(name) for name in replaced}), again)
            ids = [row["finding"] for row in again]
            self._connection.execute(sa.delete(tables.finding_types).where(tables.finding_types.c.finding_id.in_(ids)))
        types = [
            {"fraud_type": position, "finding_id": row.get("id") or row["finding"]}
            for row in (*new, *again)
            for position in range(len(FRAUD_TYPES))
            if row["fraud_types"] >> position & 1
        ]
        insert_rows(self._connection, tables.finding_types, types)

    def _announce(self, new: list[Row], again: list[Row], known: dict[int, sa.Row]) -> None:
        """Findings that are new, and those whose verdict rose, for webhooks."""
        announced = [(row["id"], row["verdict"]) for row in new if row["verdict"] >= WATCH]
        announced += [
            (row["finding"], row["verdict"]) for row in again if row["verdict"] > known[row["subject"]].verdict
        ]
        if announced:
            self._connection.execute(_ANNOUNCE, {"announced": announced})

    def _stored_subjects(self, findings: list[Row]) -> dict[int, sa.Row]:
        """The findings of the last days that are about the same."""
        if not findings:
            return {}
        c = tables.findings.c
        since = lowest_id(max(row["updated_ns"] for row in findings) - SUBJECT_DAYS * 86400 * 10**9)
        subjects = [row["subject"] for row in findings]
        found = {}
        for start in range(0, len(subjects), IN_LIMIT):
            some = c.subject.in_(subjects[start : start + IN_LIMIT])
            query = sa.select(c.subject, c.id, c.incarnation, c.sequence, c.verdict).where(some, c.id >= since)
            found.update({row.subject: row for row in self._connection.execute(query)})
        return found

    def _upsert_rows(
        self, table: sa.Table, rows: list[Row], replace: tuple[str, ...] = (), add: tuple[str, ...] = ()
    ) -> None:
        """Inserts rows; where the key is there already, replaces some columns or adds to them."""
        if not rows:
            return
        insert: Any = self._upsert(table)
        values: dict[str, Any] = {name: insert.excluded[name] for name in replace}
        values |= {name: table.c[name] + insert.excluded[name] for name in add}
        key = [column.name for column in table.primary_key]
        self._connection.execute(insert.on_conflict_do_update(index_elements=key, set_=values), rows)

    def _update_boxes(self, totals: dict[int, Row]) -> None:
        rows = [{"box": box_id, **values} for box_id, values in sorted(totals.items())]
        if not rows:
            return
        self._connection.execute(_UPDATE_BOX, [{name: row[name] for name in _COUNTED_OF_BOX} for row in rows])
        told = [{name: row[name] for name in ("box", "health", "health_ns")} for row in rows if "health" in row]
        if told:
            self._connection.execute(_UPDATE_HEALTH, told)


def _newer(first: Row | None, second: Row) -> Row:
    """Of two reports about the same, the one that holds."""
    if first is None or _is_newer(second, first["incarnation"], first["sequence"]):
        return second
    return first


def _is_newer(row: Row, incarnation: str, sequence: int) -> bool:
    """Sequence numbers of two spools do not compare: what arrives later holds."""
    return row["incarnation"] != incarnation or row["sequence"] > sequence


def _add_to(totals: dict[int, Row], box_id: int, arrival: Arrival, items: int, lost: int) -> None:
    box = totals.setdefault(box_id, {"more_items": 0, "more_lost": 0})
    box["more_items"] += items
    box["more_lost"] += lost
    box["last_report_ns"] = arrival.arrived_ns
    box["address"] = arrival.address
    box["clock_offset_ms"] = arrival.clock_offset_ms
    for report in arrival.health.values():
        time_ns = moment_ns(report.time)
        if time_ns >= box.get("health_ns", 0):
            box["health"], box["health_ns"] = msgspec.to_builtins(report), time_ns


def _acknowledgement(arrival: Arrival, new: set[int]) -> Acknowledgement:
    rejected = sorted((sequence, why) for sequence, why in arrival.rejected.items() if sequence in new)
    passed_over = len(arrival.passed_over & new)
    return Acknowledgement(
        sequence=arrival.last,
        stored=len(new) - len(rejected) - passed_over,
        duplicates=len(arrival.sequences) - len(new),
        rejected=rejected[:MAX_REJECTED_NAMED],
        passed_over=passed_over,
        time_ns=arrival.arrived_ns,
    )


def _health_row(box_id: int, arrival: Arrival, report: Any) -> Row:
    return {
        "box_id": box_id,
        "time_ns": moment_ns(report.time),
        "clock_offset_ms": arrival.clock_offset_ms,
        "body": msgspec.to_builtins(report),
    }


def _count(counters: dict[tuple, Row], frauds: dict[tuple, Row], box_id: int, minute: Any) -> None:
    time_ns = moment_ns(minute.start)
    for (span_s, span_ns), counted in product(SPANS, (box_id, tables.ALL_BOXES)):
        key = {"span_s": span_s, "time_ns": time_ns - time_ns % span_ns, "box_id": counted}
        row = counters.setdefault(tuple(key.values()), {**key, **dict.fromkeys(COUNTED, 0)})
        for name in COUNTED:
            row[name] += getattr(minute, name)
        for position, flagged in fraud_positions(minute).items():
            fraud_key = {**key, "fraud_type": position}
            row = frauds.setdefault(tuple(fraud_key.values()), {**fraud_key, "flagged": 0})
            row["flagged"] += flagged


def _by_key(rows: dict[tuple, Row]) -> list[Row]:
    """In the order of their keys, so that two transactions lock rows in the same order."""
    return [rows[key] for key in sorted(rows)]
