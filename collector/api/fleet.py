"""Boxes, events, the audit trail, and numbers behind pseudonyms."""

import time
from typing import Annotated, Literal

import msgspec
from litestar import Request, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from appliance.report import Health
from collector.api import parameters as asked
from collector.api.access import actor_of, address_of, opened_by, reads
from collector.api.cursor import decode
from collector.api.parameters import Cursor, Limit, Text
from collector.api.schemas import (
    AuditEntry,
    Box,
    Boxes,
    Certificate,
    Event,
    Listed,
    Number,
    Pseudonym,
    WholeBox,
    listed,
)
from collector.errors import NumberKeyError, RefusedError
from collector.pseudonyms import clean
from collector.store.paging import DEFAULT_LIMIT

HEALTH_SHOWN = 60  # an hour


@reads("/boxes", "fleet:read")
def list_boxes(
    request: Request,
    revoked: Annotated[bool | None, QueryParameter(description="Only boxes that are revoked, or that are not.")] = None,
    silent: Annotated[bool | None, QueryParameter(description="Only boxes that are silent, or that are not.")] = None,
) -> Boxes:
    """The fleet, by name."""
    now = time.time_ns()
    boxes = [Box.of(box, now) for box in request.app.state.store.fleet.boxes()]
    return Boxes(
        items=[box for box in boxes if revoked in (None, box.state == "revoked") and silent in (None, box.silent)]
    )


@reads("/boxes/{name:str}", "fleet:read", 404)
def show_box(request: Request, name: FromPath[str]) -> WholeBox:
    """One box with its certificates and its health reports of the last hour."""
    store = request.app.state.store
    box = store.fleet.box(clean(name, asked.MAX_TEXT))
    made = WholeBox.of(
        box,
        time.time_ns(),
        certificates=[Certificate.of(row) for row in store.fleet.certificates(box.id)],
        history=[msgspec.convert(row.body, Health) for row in store.fleet.health(box.id, HEALTH_SHOWN)],
    )
    assert isinstance(made, WholeBox)
    return made


@reads("/events", "events:read")
def list_events(
    request: Request,
    kind: FromQuery[Literal["refused", "enrolled"] | None] = None,
    box: Text = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Listed[Event]:
    """What was refused and from whom, and who was enrolled; newest first."""
    page = request.app.state.store.journal.events(kind, asked.text(box), decode(cursor), limit)
    return listed(page, Event.of)


@reads("/audit", "audit:read")
def list_audit(
    request: Request,
    actor: Text = None,
    subject: Text = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Listed[AuditEntry]:
    """Who did what, newest first."""
    journal = request.app.state.store.journal
    page = journal.audit_trail(asked.text(actor), asked.text(subject), decode(cursor), limit)
    return listed(page, AuditEntry.of)


@post("/numbers/reveal", status_code=200, **opened_by("numbers:reveal", 409, 413))
def reveal_number(request: Request, data: JSONBody[Pseudonym]) -> Number:
    """The number behind a pseudonym. It goes into the audit trail, also when there is none."""
    state = request.app.state
    subject = clean(data.pseudonym, 256)
    try:
        number = state.numbers.reveal(data.pseudonym)
    except NumberKeyError as error:
        state.store.journal.audit(actor_of(request), "number.reveal.refused", subject, address_of(request))
        raise RefusedError(409, "number_key", str(error)) from error
    state.store.journal.audit(actor_of(request), "number.reveal", subject, address_of(request))
    return Number(number=number)


ROUTES = [list_boxes, show_box, list_events, list_audit, reveal_number]
