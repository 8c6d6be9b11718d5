"""The boxes, their certificates, and the tokens that enrol them."""

import hashlib
import time
from collections.abc import Collection
from typing import Any, Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, Engine

from collector.errors import NotFoundError, RefusedError
from collector.store import tables
from collector.store.database import writing
from collector.store.journal import add_event, audit
from collector.store.paging import DEFAULT_LIMIT, MAX_LIMIT, Page, behind, bounded, paged

BoxState = Literal["active", "revoked"]
LIVENESS = ("active", "silent", "revoked")  # of a box; `active` is here: and not silent
SILENT_NS = 5 * 60 * 10**9  # a box reports each minute
MAX_CERTIFICATES = 20  # of one box: an honest one has a new one in two months; the oldest are forgotten


class Box(msgspec.Struct, frozen=True):
    """A box of the fleet, with what it last said about itself."""

    id: int
    name: str
    state: BoxState
    enrolled_ns: int
    revoked_ns: int | None
    last_report_ns: int | None
    address: str | None
    clock_offset_ms: int | None
    items: int
    lost: int
    health: dict[str, Any] | None  # an appliance.report.Health
    health_ns: int | None

    def silent(self, now_ns: int) -> bool:
        """Whether it should have been heard of by now."""
        return self.state == "active" and now_ns - (self.last_report_ns or 0) > SILENT_NS


class Certificate(msgspec.Struct, frozen=True):
    """A certificate that the authority gave to a box."""

    serial: str
    box_id: int
    not_before_ns: int
    not_after_ns: int
    revoked_ns: int | None
    reason: str | None


class EnrolmentToken(msgspec.Struct, frozen=True):
    """A token that enrols one box, once. Its secret is shown when it is made, and not kept."""

    id: int
    box: str | None
    created_by: str
    created_ns: int
    expires_ns: int
    used_ns: int | None
    used_by: int | None


class Health(msgspec.Struct, frozen=True):
    """A health report as it came."""

    id: int
    time_ns: int
    clock_offset_ms: int
    body: dict[str, Any]


def digest(secret: str) -> str:
    """What is stored of a random secret. It has 128 bits or more, so a plain hash cannot be searched."""
    return hashlib.sha256(secret.encode()).hexdigest()


class Fleet:
    """Reads and changes boxes, certificates and enrolment tokens."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def boxes(
        self,
        after: int | None = None,
        limit: int = DEFAULT_LIMIT,
        revoked: bool | None = None,
        silent: bool | None = None,
    ) -> Page[Box]:
        """Boxes by name, behind the one with the id `after`: those that are revoked or silent, those that are not, or
        (None) all."""
        c = tables.boxes.c
        query = sa.select(tables.boxes).order_by(c.name).limit(bounded(limit) + 1)
        if after is not None:
            query = query.where(behind(tables.boxes, after))
        for wanted, condition in ((revoked, c.state == "revoked"), (silent, _is_silent(time.time_ns()))):
            if wanted is not None:
                query = query.where(condition if wanted else sa.not_(condition))
        with self._engine.connect() as connection:
            return paged([Box(**row._mapping) for row in connection.execute(query)], bounded(limit))

    def counts(self) -> dict[str, int]:
        """How many boxes report, are silent, and are revoked."""
        kind = sa.case((_is_silent(time.time_ns()), "silent"), else_=tables.boxes.c.state).label("kind")
        query = sa.select(kind, sa.func.count().label("boxes")).group_by(kind)
        with self._engine.connect() as connection:
            found = {row.kind: row.boxes for row in connection.execute(query)}
        return {kind: found.get(kind, 0) for kind in LIVENESS}

    def names(self) -> list[str]:
        """The names of boxes to choose from, as many as a page may have."""
        query = sa.select(tables.boxes.c.name).order_by(tables.boxes.c.name).limit(MAX_LIMIT)
        with self._engine.connect() as connection:
            return list(connection.execute(query).scalars())

    def known(self, names: Collection[str]) -> set[str]:
        """Those of some names that a box has."""
        query = sa.select(tables.boxes.c.name).where(tables.boxes.c.name.in_(names))
        with self._engine.connect() as connection:
            return set(connection.execute(query).scalars())

    def box(self, name: str) -> Box:
        """One box by its name. Raises NotFoundError."""
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(tables.boxes).where(tables.boxes.c.name == name)).first()
        if row is None:
            raise NotFoundError(f"no box is called {name!r}")
        return Box(**row._mapping)

    def certificates(self, box_id: int) -> list[Certificate]:
        """The certificates of a box, newest first."""
        c = tables.certificates.c
        query = sa.select(tables.certificates).where(c.box_id == box_id).order_by(c.not_before_ns.desc())
        with self._engine.connect() as connection:
            return [Certificate(**row._mapping) for row in connection.execute(query)]

    def health(self, box_id: int, before: int | None = None, limit: int = DEFAULT_LIMIT) -> Page[Health]:
        """The health reports of a box (with an id below `before`), newest first."""
        c = tables.health.c
        query = sa.select(c.id, c.time_ns, c.clock_offset_ms, c.body).where(c.box_id == box_id)
        if before is not None:
            query = query.where(c.id < before)
        query = query.order_by(c.id.desc()).limit(bounded(limit) + 1)
        with self._engine.connect() as connection:
            return paged([Health(**row._mapping) for row in connection.execute(query)], bounded(limit))

    def config_at(self, box: str, before: int) -> str | None:
        """The configuration that a box named in its last health report before `before`, the id of a finding, while that
        report is kept."""
        c = tables.health.c
        query = sa.select(c.body).where(c.box_id == tables.box_id(box), c.id < before)
        with self._engine.connect() as connection:
            body = connection.scalar(query.order_by(c.id.desc()).limit(1))
        return (body or {}).get("config") or None

    def revoke(self, name: str, by: str, reason: str = "revoked") -> None:
        """Ends a box: its certificates are void from the next request on. Raises NotFoundError."""
        now = time.time_ns()
        boxes, certificates = tables.boxes, tables.certificates
        with writing(self._engine.connect()) as connection, connection.begin():
            box_id = connection.execute(sa.select(boxes.c.id).where(boxes.c.name == name)).scalar()
            if box_id is None:
                raise NotFoundError(f"no box is called {name!r}")
            connection.execute(sa.update(boxes).where(boxes.c.id == box_id).values(state="revoked", revoked_ns=now))
            valid = sa.and_(certificates.c.box_id == box_id, certificates.c.revoked_ns.is_(None))
            connection.execute(sa.update(certificates).where(valid).values(revoked_ns=now, reason=reason))
            audit(connection, by, "box.revoke", name, detail={"reason": reason})

    def identify(self, serial: str, connection: Connection | None = None) -> Box:
        """The box of a certificate that is good now. Raises RefusedError `unknown_certificate` or `revoked`."""
        if connection is None:
            with self._engine.connect() as own:
                return self.identify(serial, own)
        boxes, certificates = tables.boxes, tables.certificates
        query = sa.select(boxes, certificates.c.revoked_ns.label("void_ns"))
        query = query.join(certificates, certificates.c.box_id == boxes.c.id).where(certificates.c.serial == serial)
        row = connection.execute(query).first()
        if row is None:
            raise RefusedError(403, "unknown_certificate", "this certificate was not given out by this collector")
        values = dict(row._mapping)
        if values.pop("void_ns") is not None or values["state"] != "active":
            raise RefusedError(403, "revoked", "the certificate or its box was revoked", box=values["name"])
        return Box(**values)

    # --- enrolment

    def create_token(self, secret: str, by: str, lifetime_s: int, box: str | None = None) -> EnrolmentToken:
        """Stores the digest of a token's secret."""
        now = time.time_ns()
        values = {
            "digest": digest(secret),
            "box": box,
            "created_by": by,
            "created_ns": now,
            "expires_ns": now + lifetime_s * 10**9,
        }
        with writing(self._engine.connect()) as connection, connection.begin():
            made = connection.execute(sa.insert(tables.enrolment_tokens).values(values)).inserted_primary_key
            assert made is not None
            audit(connection, by, "enrolment_token.create", box, detail={"id": made[0], "lifetime_s": lifetime_s})
        del values["digest"]
        return EnrolmentToken(id=made[0], used_ns=None, used_by=None, **values)  # type: ignore[arg-type]

    def tokens(self, before: int | None = None, limit: int = DEFAULT_LIMIT) -> Page[EnrolmentToken]:
        """Enrolment tokens (with an id below `before`), newest first."""
        c = tables.enrolment_tokens.c
        columns = [column for column in c if column.name != "digest"]
        query = sa.select(*columns).order_by(c.id.desc()).limit(bounded(limit) + 1)
        if before is not None:
            query = query.where(c.id < before)
        with self._engine.connect() as connection:
            return paged([EnrolmentToken(**row._mapping) for row in connection.execute(query)], bounded(limit))

    def enrol(self, secret: str, name: str, certificate: Certificate, address: str | None = None) -> int:
        """Uses up a token and enrols the box `name` with its first certificate, or not at all; the box's id.

        `certificate.box_id` is not looked at: the box may be new. A box that is there is only enrolled anew by a token
        that was made for it. Raises RefusedError.
        """
        tokens, boxes = tables.enrolment_tokens, tables.boxes
        now = time.time_ns()
        with writing(self._engine.connect()) as connection, connection.begin():
            token = connection.execute(
                sa.select(tokens).where(tokens.c.digest == digest(secret)).with_for_update()
            ).first()
            if token is None:
                raise RefusedError(403, "token_unknown", "no such enrolment token", box=name)
            if token.used_ns is not None:
                raise RefusedError(403, "token_used", "this enrolment token was used before", box=name)
            if token.expires_ns <= now:
                raise RefusedError(403, "token_expired", "this enrolment token has expired", box=name)
            if token.box is not None and token.box != name:
                raise RefusedError(403, "token_other_box", "this enrolment token is for another box", box=name)
            known = connection.execute(sa.select(boxes.c.id).where(boxes.c.name == name)).scalar()
            if known is not None and token.box is None:
                raise RefusedError(
                    409, "box_exists", "a box of this name is enrolled: make a token for this very box", box=name
                )
            box_id = known or _new_box(connection, name, now)
            connection.execute(sa.update(tokens).where(tokens.c.id == token.id).values(used_ns=now, used_by=box_id))
            if known is not None:
                _void_certificates(connection, box_id, now)
                again = {"state": "active", "revoked_ns": None, "enrolled_ns": now}
                connection.execute(sa.update(boxes).where(boxes.c.id == box_id).values(again))
            _add_certificate(connection, box_id, certificate)
            add_event(connection, "enrolled", box=name, box_id=box_id, address=address)
        return box_id

    def renew(self, serial: str, certificate: Certificate) -> None:
        """A new certificate for the box of a good one, which stays good until its own end. Raises RefusedError."""
        with writing(self._engine.connect()) as connection, connection.begin():
            box = self.identify(serial, connection)
            _add_certificate(connection, box.id, certificate)


def _new_box(connection: Connection, name: str, now: int) -> int:
    values = {"name": name, "state": "active", "enrolled_ns": now, "items": 0, "lost": 0}
    made = connection.execute(sa.insert(tables.boxes).values(values)).inserted_primary_key
    assert made is not None
    return made[0]


def _is_silent(now_ns: int) -> ColumnElement[bool]:
    """`Box.silent`, as part of a query."""
    c = tables.boxes.c
    return sa.and_(c.state == "active", sa.func.coalesce(c.last_report_ns, 0) < now_ns - SILENT_NS)


def _add_certificate(connection: Connection, box_id: int, certificate: Certificate) -> None:
    c = tables.certificates.c
    values = {**msgspec.structs.asdict(certificate), "box_id": box_id}
    connection.execute(sa.insert(tables.certificates).values(values))
    others = sa.select(c.serial).where(c.box_id == box_id, c.serial != certificate.serial)
    older = others.order_by(c.not_before_ns.desc(), c.serial).offset(MAX_CERTIFICATES - 1)
    connection.execute(sa.delete(tables.certificates).where(c.serial.in_(older)))  # they are unknown from now on


def _void_certificates(connection: Connection, box_id: int, now: int) -> None:
    c = tables.certificates.c
    valid = sa.and_(c.box_id == box_id, c.revoked_ns.is_(None))
    connection.execute(sa.update(tables.certificates).where(valid).values(revoked_ns=now, reason="superseded"))
