"""One box: what it said about itself, its certificates, and its end."""

import time
from typing import Annotated

import msgspec
from litestar import Request, Response, get, post
from litestar.enums import RequestEncodingType
from litestar.exceptions import ValidationException
from litestar.params import Body, FromPath
from litestar.response import Redirect, Template

from collector.console import query as asked
from collector.console.sessions import needs
from collector.store.fleet import Box
from collector.store.journal import MAX_REASON

HEALTH_ROWS = 30  # of a page: half an hour
REFUSALS = 5  # that are shown with a box; the events have all


class RevokeForm(msgspec.Struct):
    reason: str = ""
    sure: str = ""


RevokeData = Annotated[RevokeForm, Body(media_type=RequestEncodingType.URL_ENCODED)]


@get("/boxes/{name:str}", sync_to_thread=True)
def box(request: Request, name: FromPath[str]) -> Template:
    """How a box is, and how it was."""
    query, store = request.query_params, request.app.state.store
    found: Box = store.fleet.box(asked.part(name))
    history = store.fleet.health(found.id, HEALTH_ROWS + 1, asked.key(query, "before"))
    more = len(history) > HEALTH_ROWS
    here = f"/boxes/{found.name}"
    now = time.time_ns()
    context = {
        "box": found,
        "state": "silent" if found.silent(now) else found.state,
        "silent_s": None if found.last_report_ns is None else (now - found.last_report_ns) / 1e9,
        "history": history[:HEALTH_ROWS],
        "certificates": store.fleet.certificates(found.id),
        "now": now,
        "refusals": store.journal.events(kind="refused", box=found.name, limit=REFUSALS).items,
        "older": asked.link(here, query, before=history[HEALTH_ROWS - 1].id) if more else None,
        "newest": asked.link(here, query, before=None) if query.get("before") else None,
    }
    return Template("box.html", context=context)


@post("/boxes/{name:str}/revoke", guards=[needs("administrator")], status_code=200, sync_to_thread=True)
def revoke(request: Request, name: FromPath[str], data: RevokeData) -> Response:
    """Ends a box: nothing that it sends is taken from now on."""
    store = request.app.state.store
    found = store.fleet.box(asked.part(name))
    if data.sure != "yes":
        raise ValidationException("sure is not ticked")
    reason = asked.typed(data.reason, MAX_REASON) or "revoked"
    store.fleet.revoke(found.name, request.user.name, reason)
    return Redirect(f"/boxes/{found.name}", status_code=303)


ROUTES = [box, revoke]
