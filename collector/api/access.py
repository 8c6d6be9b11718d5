"""Who may: tokens in `Authorization: Bearer`, and nothing else. Cookies are not looked at, so no page can make a
browser act here."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, get_args

from litestar import Request, get
from litestar.concurrency import sync_to_thread
from litestar.connection import ASGIConnection
from litestar.exceptions import ValidationException
from litestar.handlers import BaseRouteHandler
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult
from litestar.types import Guard

from collector.api.problems import responses
from collector.errors import BusyError, RefusedError
from collector.limits import Buckets, network_of
from collector.scopes import Scope
from collector.store.accounts import TOKEN_PATTERN, ApiToken

# Of one token, and bad tokens of one address: some at once, then so many a second.
REQUESTS_AT_ONCE, REQUESTS_PER_S = 200, 50
BAD_AT_ONCE, BAD_PER_S = 20, 0.2
_HEADER = re.compile(rf"bearer +({TOKEN_PATTERN}) *", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Throttle:
    """Bounds what one token may ask for, and how often one address may come with a bad one."""

    requests: Buckets = field(default_factory=lambda: Buckets(REQUESTS_PER_S, REQUESTS_AT_ONCE))
    bad: Buckets = field(default_factory=lambda: Buckets(BAD_PER_S, BAD_AT_ONCE))


class Bearer(AbstractAuthenticationMiddleware):
    """Finds the token of a request."""

    async def authenticate_request(self, connection: ASGIConnection) -> AuthenticationResult:
        state = connection.app.state
        token = await self._token(connection)
        if token is None:
            raise self._stranger(connection)
        if wait := state.throttle.requests.take(token.name):
            raise BusyError(429, math.ceil(wait), f"a token has {REQUESTS_PER_S} requests a second")
        return AuthenticationResult(user=token, auth=None)

    @staticmethod
    async def _token(connection: ASGIConnection) -> ApiToken | None:
        found = _HEADER.fullmatch(connection.headers.get("authorization", ""))
        if found is None:
            return None
        return await sync_to_thread(connection.app.state.store.accounts.api_token, found[1])

    @staticmethod
    def _stranger(connection: ASGIConnection) -> RefusedError | BusyError:
        """What somebody without a good token is told. An honest one may share the address: only bad tokens wait."""
        state, address = connection.app.state, connection.client.host if connection.client else ""
        if "authorization" not in connection.headers:
            return RefusedError(401, "token", "this needs a token: Authorization: Bearer TOKEN")
        refused = RefusedError(401, "token", "the token is unknown, has expired or was revoked")
        if wait := state.throttle.bad.take(network_of(address)):
            return BusyError(429, math.ceil(wait), "too many bad tokens from this address")
        state.refusals.note(refused, address)
        return refused


def needs(scope: Scope) -> Guard:
    """Lets tokens in that have `scope`."""

    def guard(connection: ASGIConnection, _handler: BaseRouteHandler) -> None:
        if scope not in connection.user.scopes:
            raise RefusedError(403, "scope", f"the token has not the scope {scope}")

    return guard


def known_parameters(request: Request) -> None:
    """Refuses what the route does not take: a filter with a typing error in its name must not find everything. Nor
    must one that is `null`, which litestar takes for one that is missing."""
    taken = request.route_handler.parsed_fn_signature.parameters
    for name, value in request.query_params.items():
        if name not in taken:
            raise ValidationException(f"this takes no parameter {name!r}")
        if value.lower() == "null" and str not in (kind := taken[name].annotation, *get_args(kind)):
            raise ValidationException(f"{name}: null is no value")


def actor_of(request: Request) -> str:
    """Who a token is in the audit trail."""
    return f"token:{request.user.name}"


def address_of(request: Request) -> str | None:
    return request.client.host if request.client else None


def opened_by(scope: Scope | None, *statuses: int) -> dict[str, Any]:
    """The options of a handler behind a token with `scope`, None for any; `statuses` are refusals of its own."""
    return {
        "guards": [needs(scope)] if scope else [],
        "security": [{"bearer": [scope] if scope else []}],
        "responses": responses(400, 401, *((403,) if scope else ()), *statuses, 429, 500, 503),
        "sync_to_thread": True,
    }


def reads(path: str, scope: Scope | None, *statuses: int) -> Callable:
    """A route that only reads."""
    return get(path, **opened_by(scope, *statuses))
