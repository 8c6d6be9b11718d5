"""The fleet, and one box of it: what it said about itself, its certificates, and its end."""

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
from collector.store.fleet import LIVENESS, SILENT_NS, Box
from collector.store.journal import MAX_REASON

ROWS = 50  # of a page of the fleet
SILENT_NAMED = 10  # silent boxes that are named above the list
HEALTH_ROWS = 30  # of a page: half an hour
# What is shown of the fleet -> (revoked, silent) of `Fleet.boxes`.
SHOWN: dict[str, tuple[bool | None, bool | None]] = {
    "active": (False, False),
    "silent": (None, True),
    "revoked": (True, None),
}
REFUSALS = 5  # that are shown with a box; the events have all


class RevokeForm(msgspec.Struct):
    reason: str = ""
    sure: str = ""


RevokeData = Annotated[RevokeForm, Body(media_type=RequestEncodingType.URL_ENCODED)]


@get("/fleet", sync_to_thread=True)
def fleet(request: Request) -> Template:
    """The boxes by name, and above them which are silent."""
    query, store = request.query_params, request.app.state.store.fleet
    shown = asked.one_of(query, "state", SHOWN)
    revoked, silent = SHOWN[shown] if shown else (None, None)
    counts = store.counts()
    tabs = [{"key": "all", "count": sum(counts.values()), "link": "/fleet", "chosen": shown is None}]
    tabs += [
        {"key": state, "count": counts[state], "link": f"/fleet?state={state}", "chosen": state == shown}
        for state in LIVENESS
    ]
    context = {
        **asked.paged("/fleet", query, store.boxes(asked.key(query, "after"), ROWS, revoked, silent), "after"),
        "tabs": tabs,
        "silent": store.boxes(limit=SILENT_NAMED, silent=True).items,
        "silent_count": counts["silent"],
        "minutes": SILENT_NS // (60 * 10**9),
        "now": time.time_ns(),
    }
    return Template("fleet.html", context=context)


@get("/boxes/{name:str}", sync_to_thread=True)
def box(request: Request, name: FromPath[str]) -> Template:
    """How a box is, and how it was."""
    query, store = request.query_params, request.app.state.store
    found: Box = store.fleet.box(asked.part(name))
    history = store.fleet.health(found.id, asked.key(query, "before"), HEALTH_ROWS)
    now = time.time_ns()
    context = {
        **asked.paged(f"/boxes/{found.name}", query, history),
        "box": found,
        "state": "silent" if found.silent(now) else found.state,
        "silent_s": None if found.last_report_ns is None else (now - found.last_report_ns) / 1e9,
        "certificates": store.fleet.certificates(found.id),
        "now": now,
        "refusals": store.journal.events(kind="refused", box=found.name, limit=REFUSALS).items,
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


ROUTES = [fleet, box, revoke]
