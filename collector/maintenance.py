"""What a store needs from time to time: old rows go, coming time partitions are made, statistics renewed.

Rows go in small transactions, so that the writer never waits long for SQLite's one write lock; on PostgreSQL whole
partitions go first.
"""

import time
from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy import ColumnElement

from collector.config import Retention
from collector.store import tables
from collector.store.database import drop_partitions, make_partitions, refresh_statistics, writing
from collector.store.ids import lowest_id
from collector.store.store import Store
from collector.store.trends import HOUR_S, MINUTE_S

DAY_NS = 86_400 * 10**9
ROWS_AT_ONCE = 2000


def maintain(store: Store, retention: Retention, now_ns: int | None = None) -> dict[str, int]:
    """Applies the retention and makes partitions; rows that went, by table (dropped partitions not counted)."""
    now = time.time_ns() if now_ns is None else now_ns
    make_partitions(store.engine)
    drop_partitions(store.engine, tables.findings, now - retention.findings_days * DAY_NS)
    drop_partitions(store.engine, tables.calls, now - retention.calls_days * DAY_NS)
    gone: dict[str, int] = {}
    for table, key, old in _old(retention, now):
        gone[table.name] = gone.get(table.name, 0) + _delete(store, table, key, old)
    refresh_statistics(store.engine)
    return gone


def _old(retention: Retention, now: int) -> Iterator[tuple[sa.Table, list[sa.Column], ColumnElement[bool]]]:
    """(table, key, condition) of what has had its time."""
    findings_before = lowest_id(now - retention.findings_days * DAY_NS)
    for table, column in (
        (tables.findings, tables.findings.c.id),
        (tables.finding_types, tables.finding_types.c.finding_id),
        (tables.labels, tables.labels.c.finding_id),
    ):
        yield table, [column], column < findings_before
    calls = tables.calls.c.id
    yield tables.calls, [calls], calls < lowest_id(now - retention.calls_days * DAY_NS)
    health = tables.health.c.id
    yield tables.health, [health], health < lowest_id(now - retention.health_days * DAY_NS)
    for counted in (tables.counters, tables.fraud_counters):
        for span_s, days in ((MINUTE_S, retention.minutes_days), (HOUR_S, retention.hours_days)):
            c = counted.c
            yield counted, list(counted.primary_key), sa.and_(c.span_s == span_s, c.time_ns < now - days * DAY_NS)
    yield tables.events, [tables.events.c.id], tables.events.c.last_ns < now - retention.events_days * DAY_NS
    yield tables.audit, [tables.audit.c.id], tables.audit.c.time_ns < now - retention.audit_days * DAY_NS
    tokens = tables.enrolment_tokens.c
    yield tables.enrolment_tokens, [tokens.id], tokens.expires_ns < now - retention.audit_days * DAY_NS
    c = tables.deliveries.c
    yield (
        tables.deliveries,
        [c.id],
        sa.and_(c.state == "dead", c.queued_ns < now - retention.events_days * DAY_NS),
    )
    # A spool that has said nothing for as long as findings are kept will not send its old reports again.
    receipts = tables.receipts.c.last_ns
    yield tables.receipts, list(tables.receipts.primary_key), receipts < now - retention.findings_days * DAY_NS


def _delete(store: Store, table: sa.Table, key: list[sa.Column], old: ColumnElement[bool]) -> int:
    gone = 0
    while True:
        some = sa.select(*key).where(old).limit(ROWS_AT_ONCE)
        chosen = key[0].in_(some) if len(key) == 1 else sa.tuple_(*key).in_(some)
        with writing(store.engine.connect()) as connection, connection.begin():
            count = connection.execute(sa.delete(table).where(chosen)).rowcount
        gone += count
        if not count:
            return gone
