"""Webhooks: whom findings are told to, and what became of that. Administrators make, change and end them."""

import re
from typing import Annotated

import httpx
import msgspec
from litestar import Request, Response, get, post
from litestar.concurrency import sync_to_thread
from litestar.enums import RequestEncodingType
from litestar.exceptions import ValidationException
from litestar.params import Body, FromPath
from litestar.response import Redirect, Template

from collector.console import query as asked
from collector.console.sessions import needs
from collector.errors import ConflictError
from collector.store.accounts import NAME_PATTERN, ExistsError
from collector.store.webhooks import MAX_WEBHOOKS, Lowest, Queue, State
from collector.webhooks.target import MAX_URL, TargetError
from models.fraud_types import FRAUD_TYPES, FraudType

ROWS = 50  # of a page
LOWEST: tuple[Lowest, ...] = ("flag", "watch")
STATES: tuple[State, ...] = ("waiting", "dead")
ANALYSTS, ADMINISTRATORS = [needs("analyst")], [needs("administrator")]


class WebhookForm(msgspec.Struct, frozen=True):
    name: str = ""
    url: str = ""
    verdict: str = "flag"
    fraud_type: str | list[str] = []  # one that is ticked comes as it is
    box: str = ""


class SwitchForm(msgspec.Struct):
    enabled: str = ""


class SureForm(msgspec.Struct):
    sure: str = ""


WebhookData = Annotated[WebhookForm, Body(media_type=RequestEncodingType.URL_ENCODED)]
SwitchData = Annotated[SwitchForm, Body(media_type=RequestEncodingType.URL_ENCODED)]
SureData = Annotated[SureForm, Body(media_type=RequestEncodingType.URL_ENCODED)]


# Not `sync_to_thread=True`: litestar wraps such a handler twice where another one has the same path.
@get("/webhooks", guards=ANALYSTS)
async def webhooks(request: Request) -> Template:
    """All webhooks: they are few."""
    return await sync_to_thread(_page, request)


@post("/webhooks", guards=ADMINISTRATORS, status_code=200)
async def add(request: Request, data: WebhookData) -> Template:
    """A new webhook. The secret that its messages are signed with is shown this once."""
    return await sync_to_thread(_add, request, data)


def _add(request: Request, data: WebhookForm) -> Template:
    state = request.app.state
    ticked = {data.fraud_type} if isinstance(data.fraud_type, str) else set(data.fraud_type)
    if data.verdict not in LOWEST or not ticked <= set(FRAUD_TYPES):
        raise ValidationException("there is no such verdict or fraud type")
    types: list[FraudType] = [each for each in FRAUD_TYPES if each in ticked]
    box = state.store.fleet.box(asked.part(data.box)).name if data.box else None
    if not re.match(NAME_PATTERN, data.name):
        return _page(request, 400, "webhooks.bad_name", data)
    try:
        state.targets.check(data.url)
        made, secret = state.store.webhooks.add(data.name, data.url, request.user.name, data.verdict, types, box)
    except TargetError:
        return _page(request, 400, "webhooks.bad_url", data)
    except ExistsError:
        return _page(request, 409, "webhooks.exists", data)
    except ConflictError:
        return _page(request, 409, "webhooks.full", data)
    return _page(request, 201, made_for=made.name, secret=secret)


@get("/webhooks/{name:str}", guards=ANALYSTS, sync_to_thread=True)
def webhook(request: Request, name: FromPath[str]) -> Template:
    """One webhook with what waits for it and what was given up."""
    query, store = request.query_params, request.app.state.store.webhooks
    hook = store.webhook(asked.part(name))
    shown = asked.one_of(query, "state", STATES)
    queue = store.queue_of(hook)
    here = f"/webhooks/{hook.name}"
    counts = {"all": queue.waiting + queue.dead, "waiting": queue.waiting, "dead": queue.dead}
    tabs = [
        {
            "key": key,
            "count": count,
            "link": here if key == "all" else f"{here}?state={key}",
            "chosen": key == (shown or "all"),
        }
        for key, count in counts.items()
    ]
    page = store.deliveries(hook.name, shown, asked.key(query, "before"), ROWS)
    context = {**asked.paged(here, query, page), "hook": hook, "queue": queue, "tabs": tabs, "host": _host(hook.url)}
    return Template("webhook.html", context=context)


@post("/webhooks/{name:str}/switch", guards=ADMINISTRATORS, status_code=200, sync_to_thread=True)
def switch(request: Request, name: FromPath[str], data: SwitchData) -> Response:
    """Stops telling a webhook of new findings, or goes on."""
    if data.enabled not in ("yes", "no"):
        raise ValidationException("enabled is yes or no")
    request.app.state.store.webhooks.set_enabled(asked.part(name), data.enabled == "yes", request.user.name)
    return _back_to(name)


@post("/webhooks/{name:str}/remove", guards=ADMINISTRATORS, status_code=200, sync_to_thread=True)
def remove(request: Request, name: FromPath[str], data: SureData) -> Response:
    """Ends a webhook with all its deliveries."""
    _be_sure(data)
    request.app.state.store.webhooks.remove(asked.part(name), request.user.name)
    return Redirect("/webhooks", status_code=303)


@post("/webhooks/{name:str}/retry", guards=ADMINISTRATORS, status_code=200, sync_to_thread=True)
def retry_all(request: Request, name: FromPath[str]) -> Response:
    """Tries all dead deliveries of a webhook again."""
    request.app.state.store.webhooks.retry_all(asked.part(name), request.user.name)
    return _back_to(name)


@post("/webhooks/{name:str}/discard", guards=ADMINISTRATORS, status_code=200, sync_to_thread=True)
def discard_all(request: Request, name: FromPath[str], data: SureData) -> Response:
    """Forgets all dead deliveries of a webhook."""
    _be_sure(data)
    request.app.state.store.webhooks.discard_all(asked.part(name), request.user.name)
    return _back_to(name)


@post("/deliveries/{delivery_id:int}/retry", guards=ADMINISTRATORS, status_code=200, sync_to_thread=True)
def retry(request: Request, delivery_id: FromPath[int]) -> Response:
    """Tries one dead delivery again."""
    store = request.app.state.store.webhooks
    found = store.delivery(delivery_id)
    store.retry(found.id, request.user.name)
    return Redirect(asked.link(f"/webhooks/{found.webhook}", request.query_params), status_code=303)


@post("/deliveries/{delivery_id:int}/discard", guards=ADMINISTRATORS, status_code=200, sync_to_thread=True)
def discard(request: Request, delivery_id: FromPath[int]) -> Response:
    """Forgets one dead delivery."""
    store = request.app.state.store.webhooks
    found = store.delivery(delivery_id)
    store.discard(found.id, request.user.name)
    return Redirect(asked.link(f"/webhooks/{found.webhook}", request.query_params), status_code=303)


def _back_to(name: str) -> Redirect:
    return Redirect(f"/webhooks/{name}", status_code=303)


def _be_sure(data: SureForm) -> None:
    if data.sure != "yes":
        raise ValidationException("sure is not ticked")


def _host(url: str) -> str:
    """All of a URL that is shown to who may not change it: the rest may hold a secret of the receiver."""
    return httpx.URL(url).host


def _page(
    request: Request,
    status: int = 200,
    problem: str | None = None,
    form: WebhookForm | None = None,
    made_for: str | None = None,
    secret: str | None = None,
) -> Template:
    store = request.app.state.store
    hooks = store.webhooks.webhooks()
    queues = store.webhooks.queues()
    context = {
        "hooks": [(hook, queues.get(hook.id, Queue()), _host(hook.url)) for hook in hooks],
        "form": form or WebhookForm(),
        "verdicts": LOWEST,
        "fraud_types": FRAUD_TYPES,
        "boxes": store.fleet.names(),
        "problem": problem,
        "made_for": made_for,
        "secret": secret,
        "most": MAX_WEBHOOKS,
        "longest_url": MAX_URL,
    }
    return Template("webhooks.html", context=context, status_code=status)


ROUTES = [webhooks, add, webhook, switch, remove, retry_all, discard_all, retry, discard]
