"""The application behind the console's listener: routes, what guards them, and how pages are made."""

import asyncio
import logging
import secrets
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jinja2
from litestar import Litestar, Request, Response, get
from litestar.config.csrf import CSRFConfig
from litestar.datastructures import MutableScopeHeaders
from litestar.exceptions import HTTPException, NotAuthorizedException, NotFoundException
from litestar.params import FromPath
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.response import Redirect, Template
from litestar.security.session_auth import SessionAuth
from litestar.stores.memory import MemoryStore
from litestar.template import TemplateConfig
from litestar.types import Message, Scope

from collector.config import Config
from collector.console import account, boxes, pages, people, reasons, reveal, text, webhooks
from collector.console.catalogue import LANGUAGES, known, language_of, span, translator
from collector.console.sessions import (
    COOKIE,
    IDLE_S,
    ROLES,
    Logins,
    OneTimeError,
    SessionConfig,
    changed_password,
    user_of,
)
from collector.errors import ConflictError, NotFoundError
from collector.pseudonyms import Numbers
from collector.store.store import Store
from collector.webhooks.target import Targets

HERE = Path(__file__).parent
MAX_BODY = 16 << 10
MAX_HASHING = 2  # passwords verified at a time: each takes 64 MiB
STATIC = {"console.css": "text/css", "icon.svg": "image/svg+xml"}
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
VERSION = version("sipwarden")
HSTS = "max-age=31536000"

log = logging.getLogger("collector.console")


@get("/static/{name:str}", opt={"open": True}, sync_to_thread=False)
def static(request: Request, name: FromPath[str]) -> Response[bytes]:
    """The style sheet and the icon."""
    if name not in STATIC:
        raise NotFoundException
    return Response(request.app.state.static[name], media_type=STATIC[name])


def environment() -> jinja2.Environment:
    """Templates: everything escaped, a name that is not there is an error."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        visible=text.visible,
        moment=text.moment,
        said=text.said,
        in_chinese=reasons.in_chinese,
        machine_moment=text.machine_moment,
        seconds=text.seconds,
        percent=text.percent,
    )
    return made


def _engine() -> JinjaTemplateEngine:
    engine = JinjaTemplateEngine.from_environment(environment())
    engine.register_template_callable("view", _view)
    return engine


def _view(context: Mapping[str, Any], /) -> dict[str, Any]:
    """What every page needs: who looks, in which language, and what the account may do."""
    request: Request = context["request"]
    user = request.scope.get("user")
    language = language_of(user.language if user else None, request.headers.get("accept-language", ""))
    return {
        "user": user,
        "language": language,
        "say": (say := translator(language)),
        "known": known,
        "span": lambda seconds: span(say, seconds),
        "may": lambda role: user is not None and ROLES.index(user.role) >= ROLES.index(role),
        "languages": LANGUAGES,
        "path": request.url.path,
        "version": VERSION,
    }


def _on_one_time(_request: Request, _error: OneTimeError) -> Response:
    return Redirect("/password", status_code=303)


def _on_stranger(_request: Request, _error: NotAuthorizedException) -> Response:
    return Redirect("/login", status_code=303)


def _on_missing(_request: Request, _error: NotFoundError) -> Template:
    return _error_page(404)


def _on_conflict(_request: Request, _error: ConflictError) -> Template:
    return _error_page(409)


def _on_http_error(_request: Request, error: HTTPException) -> Template:
    return _error_page(error.status_code)


def _on_failure(_request: Request, error: Exception) -> Template:
    log.error("page_failed", exc_info=error)
    return _error_page(500)


def _error_page(status: int) -> Template:
    kind = status if status in (400, 403, 404, 405, 409, 413) else 500 if status >= 500 else 400
    return Template("error.html", context={"status": status, "kind": f"error.{kind}"}, status_code=status)


ROUTES = [
    static,
    *account.ROUTES,
    *pages.ROUTES,
    *boxes.ROUTES,
    *reveal.ROUTES,
    *webhooks.ROUTES,
    *people.ROUTES,
]


def console_app(config: Config, store: Store, numbers: Numbers) -> Litestar:
    """The console of one store. Makes the first account when there is none."""
    account.make_first_user(store, config.state_dir)
    tls = config.console.tls
    sessions = MemoryStore()
    session_config = SessionConfig(
        key=COOKIE, max_age=IDLE_S, renew_on_access=True, httponly=True, samesite="strict", secure=tls
    )
    auth: SessionAuth = SessionAuth(
        retrieve_user_handler=user_of, session_backend_config=session_config, exclude_opt_key="open"
    )
    headers = {**HEADERS, "Strict-Transport-Security": HSTS} if tls else HEADERS

    async def harden(message: Message, scope: Scope) -> None:
        if message["type"] == "http.response.start":
            MutableScopeHeaders.from_message(message).update(headers)

    app = Litestar(
        ROUTES,
        middleware=[auth.middleware],
        guards=[changed_password],
        csrf_config=CSRFConfig(
            secret=secrets.token_hex(32),
            cookie_name="sipwarden_csrf",
            cookie_httponly=True,
            cookie_samesite="strict",
            cookie_secure=tls,
        ),
        template_config=TemplateConfig(instance=_engine()),
        stores={"sessions": sessions},
        before_send=[harden],
        exception_handlers={
            OneTimeError: _on_one_time,
            NotAuthorizedException: _on_stranger,
            NotFoundError: _on_missing,
            ConflictError: _on_conflict,
            HTTPException: _on_http_error,
            Exception: _on_failure,
        },
        openapi_config=None,
        logging_config=None,
        request_max_body_size=MAX_BODY,
    )
    app.state.update(
        config=config,
        store=store,
        numbers=numbers,
        sessions=auth.session_backend,
        logins=Logins(sessions),
        throttle=account.Throttle(),
        targets=Targets(config.webhooks.networks),
        hashing=asyncio.Semaphore(MAX_HASHING),
        languages=LANGUAGES,
        static={name: (HERE / "static" / name).read_bytes() for name in STATIC},
    )
    return app
