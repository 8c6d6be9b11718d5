"""Boxes: how they are, how they were, and their end."""

import time
from typing import Annotated

import msgspec
from litestar import Request, post
from litestar.params import FromPath, JSONBody, QueryParameter

from appliance.report import Health
from collector.api import parameters as asked
from collector.api.access import actor_of, opened_by, reads
from collector.api.cursor import decode
from collector.api.parameters import Cursor, Limit
from collector.api.schemas import Box, Certificate, HealthReport, Listed, Revocation, WholeBox, listed
from collector.pseudonyms import clean
from collector.store.journal import MAX_REASON
from collector.store.paging import DEFAULT_LIMIT

HEALTH_SHOWN = 60  # an hour


@reads("/boxes", "fleet:read")
def list_boxes(
    request: Request,
    revoked: Annotated[bool | None, QueryParameter(description="Only boxes that are revoked, or that are not.")] = None,
    silent: Annotated[bool | None, QueryParameter(description="Only boxes that are silent, or that are not.")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Listed[Box]:
    """The fleet, by name."""
    now = time.time_ns()
    page = request.app.state.store.fleet.boxes(decode(cursor), limit, revoked, silent)
    return listed(page, lambda box: Box.of(box, now))


@reads("/boxes/{name:str}", "fleet:read", 404)
def show_box(request: Request, name: FromPath[str]) -> WholeBox:
    """One box with its certificates and its health reports of the last hour."""
    return _whole(request, name)


@reads("/boxes/{name:str}/health", "fleet:read", 404)
def list_health(
    request: Request, name: FromPath[str], limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Listed[HealthReport]:
    """The health reports of one box, newest first."""
    fleet = request.app.state.store.fleet
    box = fleet.box(clean(name, asked.MAX_TEXT))
    return listed(fleet.health(box.id, decode(cursor), limit), HealthReport.of)


@post("/boxes/{name:str}/revoke", status_code=200, **opened_by("fleet:write", 404, 413))
def revoke_box(request: Request, name: FromPath[str], data: JSONBody[Revocation]) -> WholeBox:
    """Ends a box: nothing that it sends is taken from now on. It can be enrolled anew with a token made for it."""
    reason = clean(data.reason.strip(), MAX_REASON) or "revoked"
    request.app.state.store.fleet.revoke(clean(name, asked.MAX_TEXT), actor_of(request), reason)
    return _whole(request, name)


def _whole(request: Request, name: str) -> WholeBox:
    fleet = request.app.state.store.fleet
    box = fleet.box(clean(name, asked.MAX_TEXT))
    made = WholeBox.of(
        box,
        time.time_ns(),
        certificates=[Certificate.of(row) for row in fleet.certificates(box.id)],
        history=[msgspec.convert(row.body, Health) for row in fleet.health(box.id, limit=HEALTH_SHOWN).items],
    )
    assert isinstance(made, WholeBox)
    return made


ROUTES = [list_boxes, show_box, list_health, revoke_box]
