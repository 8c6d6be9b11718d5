"""A store with a long history: a million findings and calls, spread as those of a fleet are.

Few callers, sources and callees have most of it, most others are seen once; some fraud types are common, one is
nearly never seen; a box or two are much busier than the others. Rows go past the ingest, straight into the tables,
and the indexes are made at the end, so that filling takes a minute and not an hour.
"""

import json
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from appliance.findings import moment
from collector.arrival import COUNTED
from collector.store import tables
from collector.store.database import PARTITION_DAYS, is_sqlite, partition_bounds, refresh_statistics
from collector.store.fleet import Certificate
from collector.store.ids import COUNT_BITS, arrival_ns, lowest_id
from collector.store.paging import every
from collector.store.store import Store
from collector.store.webhooks import MAX_DEAD, MAX_WEBHOOKS
from models.fraud_types import FRAUD_TYPES
from models.verdict import VERDICTS

S_NS = 10**9
DAY_NS = 86_400 * S_NS
# Of findings, in the order of FRAUD_TYPES: the last is the rare one that a filter has to look far for.
WEIGHTS = (200, 300, 220, 40, 60, 30, 60, 30, 25, 10, 15, 9, 0.9, 0.05)
INCARNATION = "0" * 16


@dataclass(frozen=True)
class Size:
    """How much there is."""

    findings: int = 1_000_000
    calls: int = 1_000_000
    boxes: int = 200
    days: int = 90  # of findings and hours
    call_days: int = 30
    minute_days: int = 2
    health_minutes: int = 1440
    events: int = 50_000
    audits: int = 50_000
    webhooks: int = MAX_WEBHOOKS
    dead: int = MAX_DEAD  # deliveries of the first webhook


@dataclass(frozen=True)
class Known:
    """What is in it, to look for."""

    busiest_caller: str
    busiest_callee: str
    busiest_source: str
    middle_id: int
    oldest_id: int
    newest_id: int
    since_ns: int
    until_ns: int
    labels: int  # judgements, numbered from 1


def fill(store: Store, size: Size = Size(), seed: int = 1) -> Known:
    """Fills an empty store, up to the present moment."""
    draw = random.Random(seed)
    now = time.time_ns()
    first = now - size.days * DAY_NS
    _make_past_partitions(store, first, now)
    boxes = _boxes(store, size, draw, now)
    filled = (tables.findings, tables.finding_types, tables.calls)
    with store.engine.begin() as connection:
        for table in filled:
            for index in table.indexes:
                index.drop(connection)
    parties = _Parties(draw)
    _write(store, tables.findings, _findings(size, draw, parties, boxes, first, now))
    _write(store, tables.finding_types, _types(store))
    _write(store, tables.calls, _calls(size, draw, parties, boxes, now))
    for span_s, since in ((60, now - size.minute_days * DAY_NS), (3600, first)):
        _write(store, tables.counters, _counters(draw, boxes, span_s, since, now))
        _write(store, tables.fraud_counters, _fraud_counters(draw, boxes, span_s, since, now))
    _write(store, tables.events, _events(size, draw, first, now))
    _write(store, tables.audit, _audit(size, draw, first, now))
    _write(store, tables.health, _health(size, boxes, now))
    _write(store, tables.labels, _labels(store))
    _write(store, tables.webhooks, _webhooks(size, now))
    _write(store, tables.deliveries, _deliveries(size, draw, now))
    with store.engine.begin() as connection:
        for table in filled:
            for index in table.indexes:
                index.create(connection)
    refresh_statistics(store.engine)
    _vacuum(store)
    with store.engine.connect() as connection:
        labels = connection.scalar(sa.select(sa.func.count()).select_from(tables.labels)) or 0
        ids = list(connection.execute(sa.select(tables.findings.c.id).order_by(tables.findings.c.id)).scalars())
    return Known(
        parties.callers[0], parties.callees[0], parties.sources[0], ids[len(ids) // 2], ids[len(ids) // 100],
        ids[-1], first, now, labels,
    )  # fmt: skip


class _Parties:
    """Numbers and addresses; the first of each list has the most."""

    def __init__(self, draw: random.Random) -> None:
        self._draw = draw
        self.callers = [f"+88{draw.randrange(10**9, 10**10)}" for _ in range(2000)]
        self.callees = [f"+4930{draw.randrange(10**6, 10**7)}" for _ in range(2000)]
        self.sources = [f"198.{18 + n // 250}.{draw.randrange(256)}.{n % 250 + 1}" for n in range(500)]

    def take(self) -> tuple[str, str, str]:
        """(caller, callee, source): half of the callers and a fifth of the callees are seen often."""
        draw = self._draw
        caller = self._of(self.callers) if draw.random() < 0.5 else f"+44{draw.randrange(10**9, 10**10)}"
        callee = self._of(self.callees) if draw.random() < 0.2 else f"+49{draw.randrange(10**9, 10**10)}"
        return caller, callee, self._of(self.sources)

    def _of(self, names: Sequence[str]) -> str:
        """Near the front far more often: the first has some percent of all."""
        return names[int(len(names) * self._draw.random() ** 4)]


def _vacuum(store: Store) -> None:
    """As autovacuum would have in the days that the rows took to come: an index alone answers only then."""
    if is_sqlite(store.engine):
        return
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table in (tables.findings, tables.finding_types, tables.calls):
            connection.exec_driver_sql(f"VACUUM {table.name}")


def _make_past_partitions(store: Store, first: int, now: int) -> None:
    """The collector makes partitions for the weeks to come; these are those that it would have made."""
    if is_sqlite(store.engine):
        return
    with store.engine.begin() as connection:
        for table in (tables.findings, tables.calls):
            for at in range(first, now, PARTITION_DAYS * DAY_NS):
                suffix, low, high = partition_bounds(at)
                connection.exec_driver_sql(
                    f"CREATE TABLE IF NOT EXISTS {table.name}_{suffix} PARTITION OF {table.name} "
                    f"FOR VALUES FROM ({low}) TO ({high})"
                )


def _boxes(store: Store, size: Size, draw: random.Random, now: int) -> list[int]:
    """Boxes of which some are silent, with their certificates; their ids."""
    for number in range(size.boxes):
        name = f"edge-{number:03}"
        certificate = Certificate(f"{number:032x}", 0, now - 30 * DAY_NS, now + 60 * DAY_NS, None, None)
        store.fleet.create_token(name, "bench", 3600, name)
        store.fleet.enrol(name, name, certificate)
    with store.engine.begin() as connection:
        rows: list[dict[str, Any]] = [
            {
                "key": box.id,
                "last_report_ns": now - (3 * 3600 * S_NS if box.id % 40 == 7 else draw.randrange(60 * S_NS)),
                "clock_offset_ms": draw.randrange(-20, 20),
                "items": 100_000,
                "health": _state(box.id, now),
                "health_ns": now,
            }
            for box in every(store.fleet.boxes)
        ]
        update = sa.update(tables.boxes).where(tables.boxes.c.id == sa.bindparam("key"))
        connection.execute(update.values({name: sa.bindparam(name) for name in rows[0] if name != "key"}), rows)
    return [row["key"] for row in rows]


def _state(box: int, at: int) -> dict[str, Any]:
    return {
        "type": "health", "time": moment(at), "version": "0.4.0", "started": moment(at - DAY_NS),
        "capture_loss": (box % 5) / 1000, "spool_depth": box % 9, "bundles": ["call@3", "source@3"],
        "problems": ["ring 0 dropped 120 packets"] if box % 30 == 0 else [],
    }  # fmt: skip


def _busy(draw: random.Random, boxes: list[int]) -> int:
    return boxes[int(len(boxes) * draw.random() ** 2)]


def _spread_ids(count: int, first: int, now: int) -> Iterator[int]:
    """Ids of arrivals that are evenly spread over the time."""
    last = 0
    for number in range(count):
        last = max(last + 1, lowest_id(first + (now - first) * number // count))
        yield last


def _findings(
    size: Size, draw: random.Random, parties: _Parties, boxes: list[int], first: int, now: int
) -> Iterator[dict[str, Any]]:
    types = range(len(FRAUD_TYPES))
    for number, row_id in enumerate(_spread_ids(size.findings, first, now)):
        caller, callee, source = parties.take()
        chosen = {*draw.choices(types, WEIGHTS, k=1 if draw.random() < 0.8 else 2)}
        label = draw.random()
        verdict = 2 if draw.random() < 0.45 else 1
        arrived = arrival_ns(row_id)
        score = 0.5 + verdict / 8 + draw.random() / 4
        mask = sum(1 << position for position in chosen)
        kind = "call" if number % 20 else "source"
        call_id = f"{number:x}-bench@192.0.2.1"
        yield {
            "id": row_id, "box_id": _busy(draw, boxes), "subject": number, "incarnation": INCARNATION,
            "sequence": number + 1, "kind": kind, "time_ns": arrived - draw.randrange(S_NS),
            "updated_ns": arrived, "verdict": verdict, "score": score, "fraud_types": mask, "source": source,
            "caller": caller, "callee": callee, "call_id": call_id if kind == "call" else None, "bundle": "call@3",
            "skewed": number % 500 == 0,
            "label": "fraud" if label < 0.015 else "honest" if label < 0.02 else None,
            "line": _line(kind, call_id, caller, callee, source, arrived, verdict, score),
        }  # fmt: skip


def _line(kind: str, call_id: str, caller: str, callee: str, source: str, at: int, verdict: int, score: float) -> bytes:
    """As a box writes it, as long as it is there."""
    reason = {"value": 3.0, "typical": 12.0, "effect": 0.4}
    names = ("ring_s", "caller_fan_out_1h", "answer_seizure_ratio")
    reasons = [{"feature": name, **reason, "text": f"{name} is 3, typical 12"} for name in names]
    stream = {
        "ssrc": 7, "source": f"{source}:4000", "destination": "198.51.100.1:4002", "codec": "PCMA",
        "packets": 620, "lost": 3, "jitter_ms": 2.5,
    }  # fmt: skip
    line: dict[str, Any] = {
        "type": kind, "verdict": VERDICTS[verdict], "score": score, "fraud_types": [], "reasons": reasons,
        "caller": caller, "callee": callee, "flagged_at": moment(at),
    }  # fmt: skip
    if kind == "source":
        line |= {"source": source, "first": moment(at), "last": moment(at), "requests": 42}
    else:
        line |= {
            "call_id": call_id, "caller_e164": caller, "callee_e164": callee, "source": f"{source}:5060",
            "destination": "198.51.100.1:5060", "transport": "udp", "start": moment(at), "state": "completed",
            "status_code": 200, "post_dial_delay_s": 0.5, "ring_s": 3.0, "duration_s": 12.5, "messages": 7,
            "user_agent": "gateway 1.0", "streams": [stream, stream], "bundle": "call@3", "stage": "end",
            "quality": {"capture_loss": 0.0, "one_way": False, "truncated": False},
        }  # fmt: skip
    return json.dumps(line).encode()


def _types(store: Store) -> Iterator[dict[str, Any]]:
    c = tables.findings.c
    with store.engine.connect() as connection:
        rows = connection.execute(sa.select(c.id, c.fraud_types)).all()
    for row_id, mask in rows:
        for position in range(len(FRAUD_TYPES)):
            if mask >> position & 1:
                yield {"fraud_type": position, "finding_id": row_id}


def _calls(size: Size, draw: random.Random, parties: _Parties, boxes: list[int], now: int) -> Iterator[dict[str, Any]]:
    for number, row_id in enumerate(_spread_ids(size.calls, now - size.call_days * DAY_NS, now)):
        caller, callee, source = parties.take()
        yield {
            "id": row_id, "box_id": _busy(draw, boxes), "time_ns": arrival_ns(row_id),
            "call_id": f"{number:x}-call@192.0.2.1", "source": source, "caller": caller, "callee": callee,
            "state": "completed", "status_code": 200, "duration_s": 60 * draw.random(),
            "verdict": 0, "score": draw.random() / 2,
        }  # fmt: skip


def _counters(draw: random.Random, boxes: list[int], span_s: int, since: int, now: int) -> Iterator[dict[str, Any]]:
    step = span_s * S_NS
    for at in range(since // step * step, now, step):
        sums = dict.fromkeys(COUNTED, 0)
        for box in boxes:
            calls = draw.randrange(40) * span_s // 60
            counts = (calls, calls // 2, calls // 20, calls // 30, calls * 9, calls * 600, calls // 9)
            of_box = dict(zip(COUNTED, counts, strict=True))
            sums = {name: sums[name] + count for name, count in of_box.items()}
            yield {"span_s": span_s, "time_ns": at, "box_id": box, **of_box}
        yield {"span_s": span_s, "time_ns": at, "box_id": tables.ALL_BOXES, **sums}


def _fraud_counters(
    draw: random.Random, boxes: list[int], span_s: int, since: int, now: int
) -> Iterator[dict[str, Any]]:
    step = span_s * S_NS
    for at in range(since // step * step, now, step):
        sums: Counter[int] = Counter()
        for box in boxes:
            for position in {*draw.choices(range(len(FRAUD_TYPES)), WEIGHTS, k=1 if span_s == 60 else 4)}:
                sums[position] += 1
                yield {"span_s": span_s, "time_ns": at, "box_id": box, "fraud_type": position, "flagged": 1}
        for position, flagged in sums.items():
            key = {"span_s": span_s, "time_ns": at, "box_id": tables.ALL_BOXES}
            yield {**key, "fraud_type": position, "flagged": flagged}


def _labels(store: Store) -> Iterator[dict[str, Any]]:
    """The judgement of each finding that has one."""
    c = tables.findings.c
    with store.engine.connect() as connection:
        rows = connection.execute(
            sa.select(c.id, c.label, c.updated_ns).where(c.label.is_not(None)).order_by(c.id)
        ).all()
    for finding_id, label, updated_ns in rows:
        yield {
            "finding_id": finding_id, "label": label, "by": "anna", "time_ns": updated_ns + S_NS,
            "comment": "the subscriber was asked" if finding_id % 3 == 0 else None,
        }  # fmt: skip


def _webhooks(size: Size, now: int) -> Iterator[dict[str, Any]]:
    """All of them switched off: nothing is sent meanwhile."""
    for number in range(size.webhooks):
        yield {
            "id": number + 1, "name": f"desk-{number:02}", "url": f"https://192.0.2.{number + 1}/sipwarden",
            "secret": "", "verdict": 2, "fraud_types": 0, "created_by": "anna", "created_ns": now - DAY_NS,
            "disabled_ns": now - S_NS, "delivered": 1000 * number, "dropped": 0,
        }  # fmt: skip


def _deliveries(size: Size, draw: random.Random, now: int) -> Iterator[dict[str, Any]]:
    for number in range(size.dead + 100 * size.webhooks):
        at = now - DAY_NS + number * S_NS
        yield {
            "webhook_id": 1 if number < size.dead else 1 + number % size.webhooks, "finding_id": number,
            "event": "finding.flagged", "body": b"x" * 1000, "state": "dead" if number < size.dead else "waiting",
            "created_ns": at, "queued_ns": at, "next_ns": at, "attempts": draw.randrange(1, 12), "status": 503,
            "error": "503 Service Unavailable",
        }  # fmt: skip


def _events(size: Size, draw: random.Random, first: int, now: int) -> Iterator[dict[str, Any]]:
    for number in range(size.events):
        at = first + (now - first) * number // size.events
        yield {
            "first_ns": at, "last_ns": at, "count": draw.randrange(1, 50),
            "kind": "refused" if number % 50 else "enrolled", "reason": "revoked" if number % 50 else None,
            "box": f"edge-{draw.randrange(size.boxes):03}", "address": "203.0.113.9", "detail": "not its certificate",
        }  # fmt: skip


def _audit(size: Size, draw: random.Random, first: int, now: int) -> Iterator[dict[str, Any]]:
    for number in range(size.audits):
        yield {
            "time_ns": first + (now - first) * number // size.audits,
            "actor": draw.choice(("anna", "bo", "chen")), "action": "finding.label", "subject": str(number),
            "address": "192.0.2.10",
        }  # fmt: skip


def _health(size: Size, boxes: list[int], now: int) -> Iterator[dict[str, Any]]:
    """A report each minute, of each box."""
    for number in range(size.health_minutes):
        at = now - (size.health_minutes - number) * 60 * S_NS
        for place, box in enumerate(boxes):
            yield {
                "id": lowest_id(at) + (1 << COUNT_BITS - 1) + place, "box_id": box, "time_ns": at,
                "clock_offset_ms": 3, "body": json.dumps(_state(box, at)),
            }  # fmt: skip


def _write(store: Store, table: sa.Table, rows: Iterator[dict[str, Any]]) -> None:
    """All rows in one transaction, by the quickest way that the database has."""
    head = next(rows, None)
    if head is None:
        return
    names = ", ".join(head)
    with store.engine.begin() as connection:
        driver: Any = connection.connection.driver_connection
        if is_sqlite(store.engine):
            sql = f"INSERT INTO {table.name} ({names}) VALUES ({', '.join('?' * len(head))})"
            driver.execute(sql, tuple(head.values()))
            driver.executemany(sql, (tuple(row.values()) for row in rows))
            return
        with driver.cursor() as cursor, cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
            copy.write_row(tuple(head.values()))
            for row in rows:
                copy.write_row(tuple(row.values()))
