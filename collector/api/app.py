"""The application of the REST API, under PREFIX on the console's listener, and its description."""

from importlib.metadata import version
from typing import Any

from litestar import Litestar, Request, Response, Router, get
from litestar.datastructures import MutableScopeHeaders
from litestar.middleware import DefineMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from collector.api import desk, findings, fleet, webhooks
from collector.api.access import Bearer, Throttle, known_parameters, reads
from collector.api.openapi import document
from collector.api.problems import EXCEPTION_HANDLERS, responses
from collector.api.schemas import Status, Token, Version
from collector.config import Config
from collector.console.app import HSTS
from collector.pseudonyms import Numbers
from collector.refusals import Strangers
from collector.store.database import revision_of
from collector.store.store import Store
from collector.webhooks.target import Targets

PREFIX = "/api/v1"
MAX_BODY = 16 << 10
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


@get("/health", opt={"open": True}, sync_to_thread=True, responses=responses(400, 500, 503))
def show_health(request: Request) -> Status:
    """Whether the collector and its store answer. Needs no token."""
    revision_of(request.app.state.store.engine)
    return Status(status="ok")


@get("/openapi.json", opt={"open": True}, sync_to_thread=False, include_in_schema=False)
def show_document(request: Request) -> Response[bytes]:
    """This description. Needs no token."""
    return Response(request.app.state.document, media_type="application/vnd.oai.openapi+json")


@reads("/version", None)
def show_version(request: Request) -> Version:
    """What runs here."""
    revision = revision_of(request.app.state.store.engine)
    assert revision is not None
    return Version(version=version("sipwarden"), schema_revision=revision)


@reads("/token", None)
def show_token(request: Request) -> Token:
    """What the token that is used may do, and until when."""
    return Token.of(request.user)


ABOUT = [show_health, show_document, show_version, show_token]
ROUTER = Router(PREFIX, route_handlers=[*ABOUT, *findings.ROUTES, *fleet.ROUTES, *desk.ROUTES, *webhooks.ROUTES])


def api_app(config: Config, store: Store, numbers: Numbers, refusals: Strangers) -> Litestar:
    """The API of one store."""
    headers = {**HEADERS, "Strict-Transport-Security": HSTS} if config.console.tls else HEADERS

    async def harden(message: Message, scope: Scope) -> None:
        if message["type"] == "http.response.start":
            MutableScopeHeaders.from_message(message).update(headers)

    app = Litestar(
        [ROUTER],
        middleware=[DefineMiddleware(Bearer, exclude_from_auth_key="open")],
        before_request=known_parameters,
        before_send=[harden],
        exception_handlers=EXCEPTION_HANDLERS,
        openapi_config=None,
        logging_config=None,
        request_max_body_size=MAX_BODY,
    )
    app.state.update(
        store=store,
        numbers=numbers,
        refusals=refusals,
        throttle=Throttle(),
        targets=Targets(config.webhooks.networks),
        document=document(ROUTER),
    )
    return app


def beside(console: ASGIApp, api: ASGIApp) -> ASGIApp:
    """One listener for both. They share nothing: no session opens the API, no token the console."""

    async def either(scope: Any, receive: Receive, send: Send) -> None:
        is_api = scope["type"] == "http" and scope["path"].startswith("/api/")
        await (api if is_api else console)(scope, receive, send)

    return either
