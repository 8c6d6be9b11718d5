"""Webhooks and their deliveries. The secret of a webhook is in one answer, that to its making."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Request, delete, patch, post
from litestar.params import FromPath, FromQuery, JSONBody
from msgspec import Meta

from collector.api import parameters as asked
from collector.api.access import actor_of, opened_by, reads
from collector.api.cursor import decode
from collector.api.parameters import Cursor, Limit, Text
from collector.api.schemas import Listed, Out, listed, moment, moment_or_none
from collector.store import webhooks as stored
from collector.store.paging import DEFAULT_LIMIT
from collector.store.webhooks import Lowest, State
from collector.webhooks.target import MAX_URL, URL_PATTERN
from models.fraud_types import FRAUD_TYPES, FraudType

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,55}$"
BOX = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"


class NewWebhook(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whom to tell of which findings: of `verdict` and above; of any fraud type when none is named; of all boxes when
    none is."""

    name: Annotated[str, Meta(pattern=NAME)]
    url: Annotated[str, Meta(pattern=URL_PATTERN, max_length=MAX_URL)]
    verdict: Lowest = "flag"
    fraud_types: Annotated[list[FraudType], Meta(max_length=len(FRAUD_TYPES))] = []
    box: Annotated[str, Meta(pattern=BOX)] | None = None


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether a webhook is told of new findings. What waits is kept while it is not."""

    enabled: bool


class Webhook(Out, frozen=True, kw_only=True):
    """A webhook, and how far it has been told. `dropped`: for want of room in its queue."""

    name: str
    url: str
    verdict: Lowest
    fraud_types: list[FraudType]
    box: str | None
    enabled: bool
    created: datetime
    created_by: str
    delivered: int
    last_delivered: datetime | None
    waiting: int
    dead: int
    dropped: int

    @classmethod
    def of(cls, row: stored.Webhook, queue: stored.Queue, **more: Any) -> "Webhook":
        names = ("name", "url", "verdict", "fraud_types", "box", "created_by", "delivered", "dropped")
        return cls(
            **{name: getattr(row, name) for name in names},
            enabled=row.disabled_ns is None,
            created=moment(row.created_ns),
            last_delivered=moment_or_none(row.delivered_ns),
            waiting=queue.waiting,
            dead=queue.dead,
            **more,
        )


class MadeWebhook(Webhook, frozen=True, kw_only=True):
    """A new webhook with the secret that its messages are signed with. It is not shown again."""

    secret: str


class Webhooks(Out, frozen=True, kw_only=True):
    """All webhooks, by name: 50 at most, so there are no pages."""

    items: list[Webhook]


class Delivery(Out, frozen=True, kw_only=True):
    """A message that waits to be delivered, or is dead: given up after a day of attempts, to be tried again
    or discarded by hand."""

    id: int
    webhook: str
    finding: int
    event: str
    state: State
    created: datetime
    next_attempt: datetime | None
    attempts: int
    status: int | None
    error: str | None

    @classmethod
    def of(cls, row: stored.Delivery) -> "Delivery":
        names = ("id", "webhook", "event", "state", "attempts", "status", "error")
        return cls(
            **{name: getattr(row, name) for name in names},
            finding=row.finding_id,
            created=moment(row.created_ns),
            next_attempt=moment(row.next_ns) if row.state == "waiting" else None,
        )


class Retried(Out, frozen=True, kw_only=True):
    """How many deliveries are in the queue again."""

    deliveries: int


class Discarded(Out, frozen=True, kw_only=True):
    """How many dead deliveries were forgotten."""

    deliveries: int


@reads("/webhooks", "webhooks:read")
def list_webhooks(request: Request) -> Webhooks:
    """The webhooks, by name. They are 50 at most: there are no pages."""
    store = request.app.state.store.webhooks
    queues = store.queues()
    return Webhooks(items=[Webhook.of(hook, queues.get(hook.id, stored.Queue())) for hook in store.webhooks()])


@post("/webhooks", **opened_by("webhooks:write", 409, 413))
def add_webhook(request: Request, data: JSONBody[NewWebhook]) -> MadeWebhook:
    """Makes a webhook. Its secret is in this answer and in no other."""
    state = request.app.state
    state.targets.check(data.url)
    fields = msgspec.structs.asdict(data)
    hook, secret = state.store.webhooks.add(**fields, by=actor_of(request))
    made = MadeWebhook.of(hook, stored.Queue(), secret=secret)
    assert isinstance(made, MadeWebhook)
    return made


@reads("/webhooks/{name:str}", "webhooks:read", 404)
def show_webhook(request: Request, name: FromPath[str]) -> Webhook:
    """One webhook."""
    return _webhook(request, name)


@patch("/webhooks/{name:str}", **opened_by("webhooks:write", 404, 413))
def change_webhook(request: Request, name: FromPath[str], data: JSONBody[Change]) -> Webhook:
    """Stops telling a webhook of new findings, or goes on."""
    store = request.app.state.store.webhooks
    store.set_enabled(asked.text(name), data.enabled, actor_of(request))
    return _webhook(request, name)


@delete("/webhooks/{name:str}", **opened_by("webhooks:write", 404))
def remove_webhook(request: Request, name: FromPath[str]) -> None:
    """Ends a webhook with all its deliveries."""
    request.app.state.store.webhooks.remove(asked.text(name), actor_of(request))


@post("/webhooks/{name:str}/retry", status_code=200, **opened_by("webhooks:write", 404))
def retry_webhook(request: Request, name: FromPath[str]) -> Retried:
    """Tries all dead deliveries of a webhook again."""
    return Retried(deliveries=request.app.state.store.webhooks.retry_all(asked.text(name), actor_of(request)))


@post("/webhooks/{name:str}/discard", status_code=200, **opened_by("webhooks:write", 404))
def discard_of_webhook(request: Request, name: FromPath[str]) -> Discarded:
    """Forgets all dead deliveries of a webhook."""
    return Discarded(deliveries=request.app.state.store.webhooks.discard_all(asked.text(name), actor_of(request)))


@reads("/deliveries", "webhooks:read")
def list_deliveries(
    request: Request,
    webhook: Text = None,
    dead: FromQuery[bool | None] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Listed[Delivery]:
    """Deliveries, newest first: those that are `dead`, those that wait (`dead=false`), or both."""
    state: State | None = None if dead is None else "dead" if dead else "waiting"
    page = request.app.state.store.webhooks.deliveries(asked.text(webhook), state, decode(cursor), limit)
    return listed(page, Delivery.of)


@post("/deliveries/{delivery_id:int}/retry", status_code=200, **opened_by("webhooks:write", 404, 409))
def retry_delivery(request: Request, delivery_id: FromPath[int]) -> Delivery:
    """Tries a dead delivery again."""
    store = request.app.state.store.webhooks
    store.retry(delivery_id, actor_of(request))
    return Delivery.of(store.delivery(delivery_id))


@delete("/deliveries/{delivery_id:int}", **opened_by("webhooks:write", 404, 409))
def discard_delivery(request: Request, delivery_id: FromPath[int]) -> None:
    """Forgets a dead delivery."""
    request.app.state.store.webhooks.discard(delivery_id, actor_of(request))


def _webhook(request: Request, name: str) -> Webhook:
    store = request.app.state.store.webhooks
    hook = store.webhook(asked.text(name))
    return Webhook.of(hook, store.queue_of(hook))


ROUTES = [
    list_webhooks,
    add_webhook,
    show_webhook,
    change_webhook,
    remove_webhook,
    retry_webhook,
    discard_of_webhook,
    list_deliveries,
    retry_delivery,
    discard_delivery,
]
