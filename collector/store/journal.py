"""What happened (events, of the collector and its boxes) and who did what (audit, of people and tokens)."""

import time
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from collector.store import tables
from collector.store.database import writing
from collector.store.paging import DEFAULT_LIMIT, Page, bounded, paged

COALESCE_NS = 60 * 10**9
MAX_DETAIL = 500
MAX_REASON = 32


class Event(msgspec.Struct, frozen=True):
    """`kind`: enrolled or refused. `count`: how often within its minute."""

    id: int
    first_ns: int
    last_ns: int
    count: int
    kind: str
    reason: str | None
    box_id: int | None
    box: str | None
    address: str | None
    detail: str | None


class AuditEntry(msgspec.Struct, frozen=True):
    """`actor` did `action` to `subject`."""

    id: int
    time_ns: int
    actor: str
    action: str
    subject: str | None
    address: str | None
    detail: Any


class Journal:
    """Writes and reads events and the audit trail."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def event(
        self,
        kind: str,
        reason: str | None = None,
        box: str | None = None,
        box_id: int | None = None,
        address: str | None = None,
        detail: str | None = None,
        count: int = 1,
    ) -> None:
        """Notes one event. The same kind, reason, box and address again within a minute only raises the count: a
        rogue box must not be able to fill the table."""
        c = tables.events.c
        now = time.time_ns()
        same = sa.and_(
            c.kind == kind,
            _same(c.reason, reason),
            _same(c.box, box),
            _same(c.address, address),
            c.first_ns > now - COALESCE_NS,
        )
        with writing(self._engine.connect()) as connection, connection.begin():
            last = connection.execute(sa.select(c.id).where(same).order_by(c.id.desc()).limit(1)).scalar()
            if last is not None:
                counted = {"count": c.count + count, "last_ns": now}
                connection.execute(sa.update(tables.events).where(c.id == last).values(counted))
                return
            add_event(connection, kind, reason, box, box_id, address, detail, count)

    def events(
        self,
        kind: str | None = None,
        box: str | None = None,
        before: int | None = None,
        limit: int = DEFAULT_LIMIT,
    ) -> Page[Event]:
        """Events, newest first."""
        query = sa.select(tables.events)
        if kind is not None:
            query = query.where(tables.events.c.kind == kind)
        if box is not None:
            query = query.where(tables.events.c.box == box)
        return self._page(query, tables.events, before, limit, Event)

    def audit(
        self, actor: str, action: str, subject: str | None = None, address: str | None = None, detail: Any = None
    ) -> None:
        """Notes what somebody did. Secrets and numbers have no place in `detail`."""
        with writing(self._engine.connect()) as connection, connection.begin():
            audit(connection, actor, action, subject, address, detail)

    def audit_trail(
        self,
        actor: str | None = None,
        subject: str | None = None,
        before: int | None = None,
        limit: int = DEFAULT_LIMIT,
    ) -> Page[AuditEntry]:
        """Who did what, newest first."""
        query = sa.select(tables.audit)
        if actor is not None:
            query = query.where(tables.audit.c.actor == actor)
        if subject is not None:
            query = query.where(tables.audit.c.subject == subject)
        return self._page(query, tables.audit, before, limit, AuditEntry)

    def _page(self, query: sa.Select, table: sa.Table, before: int | None, limit: int, kind: type) -> Page:
        limit = bounded(limit)
        if before is not None:
            query = query.where(table.c.id < before)
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(table.c.id.desc()).limit(limit + 1)).all()
        return paged([kind(**row._mapping) for row in rows], limit)


def add_event(
    connection: Connection,
    kind: str,
    reason: str | None = None,
    box: str | None = None,
    box_id: int | None = None,
    address: str | None = None,
    detail: str | None = None,
    count: int = 1,
) -> None:
    """Adds one event, within a transaction of the caller."""
    now = time.time_ns()
    event = {"kind": kind, "reason": reason, "box": box, "box_id": box_id, "address": address, "count": count}
    text = detail[:MAX_DETAIL].replace("\0", "") if detail else None
    connection.execute(sa.insert(tables.events).values(first_ns=now, last_ns=now, detail=text, **event))


def audit(
    connection: Connection,
    actor: str,
    action: str,
    subject: str | None = None,
    address: str | None = None,
    detail: Any = None,
) -> None:
    """As `Journal.audit`, within a transaction of the caller."""
    entry = {"actor": actor, "action": action, "subject": subject, "address": address, "detail": detail}
    connection.execute(sa.insert(tables.audit).values(time_ns=time.time_ns(), **entry))


def _same(column: sa.Column, value: str | None) -> sa.ColumnElement[bool]:
    return column.is_(None) if value is None else column == value
