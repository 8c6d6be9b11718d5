"""Webhooks, what they are to be told, and how far that has come.

Theory of operation. The writer puts one announcement into the transaction that stores findings. The dispatcher makes
a delivery of it for each webhook that wants one, and takes the announcement away in the same transaction: so nothing
is forgotten and nothing queued twice, whenever the collector dies. Whoever sends deliveries leases them first, by
moving their due time past the longest that an attempt can take; one that is not heard of again is due again then.
So a delivery may arrive twice, under one id, and arrives at least once or is kept as dead.
"""

import secrets
import time
from base64 import b64encode
from typing import Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from collector.errors import CollectorError, ConflictError, NotFoundError
from collector.store import tables
from collector.store.accounts import ExistsError, is_name
from collector.store.database import writing
from collector.store.journal import audit
from collector.store.paging import DEFAULT_LIMIT, Page, bounded, paged
from models.fraud_types import BIT_OF, FraudType, names_of
from models.verdict import VERDICTS

MAX_WEBHOOKS = 50
MAX_DEAD = 10_000  # of one webhook; the oldest go
MAX_ID = (1 << 63) - 1
MAX_ERROR = 200  # characters
SECRET_BYTES = 32

State = Literal["waiting", "dead"]
Lowest = Literal["watch", "flag"]


class Webhook(msgspec.Struct, frozen=True):
    """Whom to tell of which findings: of `verdict` and above, of one of `fraud_types` (none: of any), of `box`."""

    id: int
    name: str
    url: str
    verdict: Lowest
    fraud_types: list[FraudType]
    box: str | None
    created_by: str
    created_ns: int
    disabled_ns: int | None
    delivered: int
    delivered_ns: int | None
    dropped: int


class Queue(msgspec.Struct, frozen=True):
    """How many deliveries of a webhook there are."""

    waiting: int = 0
    dead: int = 0


class Delivery(msgspec.Struct, frozen=True):
    """One message to one webhook."""

    id: int
    webhook: str
    finding_id: int
    event: str
    state: State
    created_ns: int
    queued_ns: int
    next_ns: int
    attempts: int
    status: int | None
    error: str | None


class Leased(msgspec.Struct, frozen=True):
    """A delivery that is to be attempted now."""

    id: int
    finding_id: int
    event: str
    queued_ns: int
    attempts: int  # before this one
    body: bytes


class Outcome(msgspec.Struct, frozen=True):
    """How an attempt ended. `next_ns` is when to try again; None: delivered, or with an error: dead."""

    id: int
    status: int | None = None
    error: str | None = None
    next_ns: int | None = None


class Message(msgspec.Struct, frozen=True):
    """What a webhook is to be told of a finding."""

    webhook_id: int
    finding_id: int
    event: str
    body: bytes


class Announcement(msgspec.Struct, frozen=True):
    """Findings that were stored: (id, verdict)."""

    id: int
    findings: list[tuple[int, int]]


_WEBHOOK = [tables.webhooks.c[name] for name in Webhook.__struct_fields__]
_DELIVERY = [tables.deliveries.c[name] for name in Delivery.__struct_fields__ if name != "webhook"]


class Webhooks:
    """Reads and changes webhooks and their deliveries. Changes by people go into the audit trail."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    # --- subscriptions

    def add(
        self,
        name: str,
        url: str,
        by: str,
        verdict: Lowest = "flag",
        fraud_types: list[FraudType] | None = None,
        box: str | None = None,
    ) -> tuple[Webhook, str]:
        """A new webhook and its secret, which is shown this once. Raises ConflictError, or CollectorError for a name
        that is none."""
        if not is_name(name):
            raise CollectorError("a name has letters, digits, dots, dashes and underscores, 56 at most")
        secret = b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
        values = {
            "name": name,
            "url": url,
            "secret": secret,
            "verdict": VERDICTS.index(verdict),
            "fraud_types": sum({BIT_OF[each] for each in fraud_types or ()}),
            "box": box,
            "created_by": by,
            "created_ns": time.time_ns(),
            "delivered": 0,
            "dropped": 0,
        }
        try:
            with writing(self._engine.connect()) as connection, connection.begin():
                count = connection.scalar(sa.select(sa.func.count()).select_from(tables.webhooks)) or 0
                if count >= MAX_WEBHOOKS:
                    raise ConflictError(f"there are {MAX_WEBHOOKS} webhooks, more than that are not kept")
                connection.execute(sa.insert(tables.webhooks).values(values))
                audit(connection, by, "webhook.add", name, detail={"url": url})
        except IntegrityError as error:
            raise ExistsError(f"there is a webhook {name!r} already") from error
        return self.webhook(name), f"whsec_{secret}"

    def webhooks(self) -> list[Webhook]:
        """All webhooks by name."""
        with self._engine.connect() as connection:
            return [_webhook(row) for row in connection.execute(sa.select(*_WEBHOOK).order_by("name"))]

    def webhook(self, name: str) -> Webhook:
        """One webhook. Raises NotFoundError."""
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(*_WEBHOOK).where(tables.webhooks.c.name == name)).first()
        if row is None:
            raise NotFoundError(f"no webhook is called {name!r}")
        return _webhook(row)

    def secrets(self) -> dict[int, str]:
        """The secret of each webhook, for who signs."""
        c = tables.webhooks.c
        with self._engine.connect() as connection:
            return {row.id: row.secret for row in connection.execute(sa.select(c.id, c.secret))}

    def set_enabled(self, name: str, enabled: bool, by: str) -> None:
        """Whether it is told of new findings; what waits is kept meanwhile. Raises NotFoundError."""
        disabled_ns = None if enabled else time.time_ns()
        with writing(self._engine.connect()) as connection, connection.begin():
            update = sa.update(tables.webhooks).where(tables.webhooks.c.id == _id_of(connection, name))
            connection.execute(update.values(disabled_ns=disabled_ns))
            audit(connection, by, "webhook.enable" if enabled else "webhook.disable", name)

    def remove(self, name: str, by: str) -> None:
        """Ends a webhook with all its deliveries. Raises NotFoundError."""
        with writing(self._engine.connect()) as connection, connection.begin():
            hook_id = _id_of(connection, name)
            connection.execute(sa.delete(tables.deliveries).where(tables.deliveries.c.webhook_id == hook_id))
            connection.execute(sa.delete(tables.webhooks).where(tables.webhooks.c.id == hook_id))
            audit(connection, by, "webhook.remove", name)

    # --- deliveries, as people see them

    def queue_of(self, webhook: Webhook) -> Queue:
        """What one webhook has waiting and dead."""
        return self.queues(webhook.id).get(webhook.id, Queue())

    def queues(self, webhook_id: int | None = None) -> dict[int, Queue]:
        """What each webhook, or one, has waiting and dead; those with neither are not there."""
        c = tables.deliveries.c
        query = sa.select(c.webhook_id, c.state, sa.func.count()).group_by(c.webhook_id, c.state)
        if webhook_id is not None:
            query = query.where(c.webhook_id == webhook_id)
        counts: dict[int, dict[str, int]] = {}
        with self._engine.connect() as connection:
            for hook_id, state, count in connection.execute(query):
                counts.setdefault(hook_id, {})[state] = count
        return {hook_id: Queue(**states) for hook_id, states in counts.items()}

    def deliveries(
        self,
        webhook: str | None = None,
        state: State | None = None,
        before: int | None = None,
        limit: int = DEFAULT_LIMIT,
    ) -> Page[Delivery]:
        """Deliveries that wait or are dead, newest first."""
        limit = bounded(limit)
        c = tables.deliveries.c
        query = _deliveries().order_by(c.id.desc()).limit(limit + 1)
        if webhook is not None:
            query = query.where(tables.webhooks.c.name == webhook)
        if state is not None:
            query = query.where(c.state == state)
        if before is not None:
            query = query.where(c.id < before)
        with self._engine.connect() as connection:
            return paged([Delivery(**row._mapping) for row in connection.execute(query)], limit)

    def delivery(self, delivery_id: int) -> Delivery:
        """One delivery. Raises NotFoundError."""
        row = None
        if 0 <= delivery_id <= MAX_ID:
            with self._engine.connect() as connection:
                row = connection.execute(_deliveries().where(tables.deliveries.c.id == delivery_id)).first()
        if row is None:
            raise NotFoundError(f"no delivery {delivery_id} waits or is dead")
        return Delivery(**row._mapping)

    def retry(self, delivery_id: int, by: str) -> None:
        """Puts a dead delivery back into the queue. Raises NotFoundError, or ConflictError for one that waits."""
        self.delivery(delivery_id)
        c = tables.deliveries.c
        if not self._queue_again(sa.and_(c.id == delivery_id, c.state == "dead"), by, f"delivery {delivery_id}"):
            raise ConflictError(f"delivery {delivery_id} is not dead: it waits")

    def retry_all(self, webhook: str, by: str) -> int:
        """Puts all dead deliveries of a webhook back into the queue; how many. Raises NotFoundError."""
        c = tables.deliveries.c
        return self._queue_again(sa.and_(c.webhook_id == self.webhook(webhook).id, c.state == "dead"), by, webhook)

    def discard(self, delivery_id: int, by: str) -> None:
        """Forgets a dead delivery. Raises NotFoundError, or ConflictError for one that waits."""
        self.delivery(delivery_id)
        c = tables.deliveries.c
        if not self._forget(sa.and_(c.id == delivery_id, c.state == "dead"), by, f"delivery {delivery_id}"):
            raise ConflictError(f"delivery {delivery_id} is not dead: it waits")

    def discard_all(self, webhook: str, by: str) -> int:
        """Forgets all dead deliveries of a webhook; how many. Raises NotFoundError."""
        c = tables.deliveries.c
        return self._forget(sa.and_(c.webhook_id == self.webhook(webhook).id, c.state == "dead"), by, webhook)

    def _forget(self, which: sa.ColumnElement[bool], by: str, subject: str) -> int:
        with writing(self._engine.connect()) as connection, connection.begin():
            count = connection.execute(sa.delete(tables.deliveries).where(which)).rowcount
            if count:
                audit(connection, by, "webhook.discard", subject, detail={"deliveries": count})
        return count

    def _queue_again(self, which: sa.ColumnElement[bool], by: str, subject: str) -> int:
        now = time.time_ns()
        again = {"state": "waiting", "attempts": 0, "queued_ns": now, "next_ns": now}
        with writing(self._engine.connect()) as connection, connection.begin():
            count = connection.execute(sa.update(tables.deliveries).where(which).values(again)).rowcount
            if count:
                audit(connection, by, "webhook.retry", subject, detail={"deliveries": count})
        return count

    # --- deliveries, as the dispatcher makes them

    def announcement(self) -> Announcement | None:
        """The oldest announcement."""
        table = tables.announcements
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(table).order_by(table.c.id).limit(1)).first()
        return None if row is None else Announcement(row.id, [(finding, verdict) for finding, verdict in row.findings])

    def queue(self, announcement_id: int, messages: list[Message], room: int) -> None:
        """Makes deliveries of an announcement, which is done with then. A webhook has room for `room` that wait;
        those beyond are dropped and counted."""
        now = time.time_ns()
        table = tables.announcements
        with writing(self._engine.connect()) as connection, connection.begin():
            if not connection.execute(sa.delete(table).where(table.c.id == announcement_id)).rowcount:
                return  # another collector was faster
            by_hook: dict[int, list[Message]] = {}
            for message in messages:
                by_hook.setdefault(message.webhook_id, []).append(message)
            for hook_id, own in by_hook.items():
                kept = own[: max(0, room - _waiting(connection, hook_id))]
                rows = [
                    {
                        **msgspec.structs.asdict(message),
                        "state": "waiting",
                        "created_ns": now,
                        "queued_ns": now,
                        "next_ns": now,
                        "attempts": 0,
                    }
                    for message in kept
                ]
                if rows:
                    connection.execute(sa.insert(tables.deliveries), rows)
                if len(kept) < len(own):
                    dropped = tables.webhooks.c.dropped + len(own) - len(kept)
                    update = sa.update(tables.webhooks).where(tables.webhooks.c.id == hook_id)
                    connection.execute(update.values(dropped=dropped))

    def due(self) -> set[int]:
        """The webhooks in use that have a delivery due."""
        c = tables.deliveries.c
        own = sa.and_(c.webhook_id == tables.webhooks.c.id, c.state == "waiting", c.next_ns <= time.time_ns())
        query = sa.select(tables.webhooks.c.id).where(tables.webhooks.c.disabled_ns.is_(None))
        with self._engine.connect() as connection:
            return set(connection.execute(query.where(sa.exists(sa.select(1).where(own)))).scalars())

    def lease(self, webhook_id: int, limit: int, lease_s: float) -> list[Leased]:
        """Deliveries that are due, the longest due first; nobody else gets them for `lease_s`."""
        c = tables.deliveries.c
        now = time.time_ns()
        query = sa.select(*(c[name] for name in Leased.__struct_fields__))
        query = query.where(c.webhook_id == webhook_id, c.state == "waiting", c.next_ns <= now)
        query = query.order_by(c.next_ns, c.id).limit(limit).with_for_update(skip_locked=True)
        with writing(self._engine.connect()) as connection, connection.begin():
            found = [Leased(**row._mapping) for row in connection.execute(query)]
            if found:
                chosen = c.id.in_([delivery.id for delivery in found])
                until = now + int(lease_s * 10**9)
                connection.execute(sa.update(tables.deliveries).where(chosen).values(next_ns=until))
        return found

    def record(self, webhook_id: int, outcomes: list[Outcome]) -> None:
        """What became of leased deliveries."""
        c = tables.deliveries.c
        delivered = [outcome.id for outcome in outcomes if outcome.error is None]
        with writing(self._engine.connect()) as connection, connection.begin():
            if delivered:
                gone = connection.execute(sa.delete(tables.deliveries).where(c.id.in_(delivered))).rowcount
                values = {"delivered": tables.webhooks.c.delivered + gone, "delivered_ns": time.time_ns()}
                connection.execute(sa.update(tables.webhooks).where(tables.webhooks.c.id == webhook_id).values(values))
            for outcome in outcomes:
                if outcome.error is not None:
                    values = {
                        "attempts": c.attempts + 1,
                        "status": outcome.status,
                        "error": outcome.error[:MAX_ERROR].replace("\0", ""),
                        "state": "dead" if outcome.next_ns is None else "waiting",
                    }
                    if outcome.next_ns is not None:
                        values["next_ns"] = outcome.next_ns
                    connection.execute(sa.update(tables.deliveries).where(c.id == outcome.id).values(values))
            if any(outcome.error is not None and outcome.next_ns is None for outcome in outcomes):
                _forget_oldest_dead(connection, webhook_id)


def _webhook(row: sa.Row) -> Webhook:
    values = dict(row._mapping)
    return Webhook(**{**values, "verdict": VERDICTS[row.verdict], "fraud_types": names_of(row.fraud_types)})


def _deliveries() -> sa.Select:
    webhooks, deliveries = tables.webhooks, tables.deliveries
    joined = sa.select(*_DELIVERY, webhooks.c.name.label("webhook"))
    return joined.join_from(deliveries, webhooks, webhooks.c.id == deliveries.c.webhook_id)


def _id_of(connection: Connection, name: str) -> int:
    found = connection.scalar(sa.select(tables.webhooks.c.id).where(tables.webhooks.c.name == name))
    if found is None:
        raise NotFoundError(f"no webhook is called {name!r}")
    return found


def _waiting(connection: Connection, webhook_id: int) -> int:
    c = tables.deliveries.c
    query = sa.select(sa.func.count()).where(c.webhook_id == webhook_id, c.state == "waiting")
    return connection.scalar(query) or 0


def _forget_oldest_dead(connection: Connection, webhook_id: int) -> None:
    c = tables.deliveries.c
    dead = sa.and_(c.webhook_id == webhook_id, c.state == "dead")
    last = connection.scalar(sa.select(c.id).where(dead).order_by(c.id.desc()).offset(MAX_DEAD).limit(1))
    if last is not None:
        connection.execute(sa.delete(tables.deliveries).where(dead, c.id <= last))
