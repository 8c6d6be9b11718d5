"""Who is logged in. Sessions are kept in memory: a restart logs everybody out.

A browser holds a random id and nothing else. The id is new with each login, so that one which somebody planted before
is worth nothing; those without a login have no session, so that strangers cannot fill the memory.
"""

import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from litestar.concurrency import sync_to_thread
from litestar.connection import ASGIConnection, Request
from litestar.datastructures import MutableScopeHeaders
from litestar.datastructures.cookie import Cookie
from litestar.exceptions import NotAuthorizedException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler
from litestar.middleware.session.server_side import ServerSideSessionBackend, ServerSideSessionConfig
from litestar.stores.memory import MemoryStore
from litestar.types import Guard, Message, ScopeSession

from collector.errors import NotFoundError
from collector.store.accounts import Role, User

COOKIE = "sipwarden_session"
IDLE_S = 8 * 3600
LONGEST_S = 24 * 3600
MAX_OF_ONE_USER = 8  # sessions; the oldest ends
ROLES: tuple[Role, ...] = ("reader", "analyst", "administrator")
ONE_TIME_PATHS = ("/password", "/logout")  # all that a one-time password opens

_FRESH = "fresh_session_id"


class FreshIds(ServerSideSessionBackend):
    """litestar's server-side sessions, with a new id at login and none without one."""

    def get_session_id(self, connection: ASGIConnection) -> str:
        fresh: str | None = connection.scope["state"].get(_FRESH)
        return fresh or super().get_session_id(connection)

    async def store_in_message(self, scope_session: ScopeSession, message: Message, connection: ASGIConnection) -> None:
        if scope_session and isinstance(scope_session, dict):
            await super().store_in_message(scope_session, message, connection)
            return
        known = connection.cookies.get(self.config.key)
        if known:
            await self.delete(known, self.config.get_store_from_app(connection.app))
            gone = Cookie(key=self.config.key, value="", max_age=0, path="/", httponly=True, samesite="strict")
            MutableScopeHeaders.from_message(message).add("Set-Cookie", gone.to_header(header=""))


@dataclass
class SessionConfig(ServerSideSessionConfig):
    """As `FreshIds` needs it."""

    _backend_class = FreshIds


class Logins:
    """Begins sessions and bounds how many there are."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._of_user: dict[str, deque[str]] = {}

    async def begin(self, request: Request, user: User, backend: FreshIds) -> None:
        """Logs `user` in under a new id; the session that the request came with ends."""
        if before := request.cookies.get(COOKIE):
            await self._store.delete(before)
        await self._store.delete_expired()
        fresh = backend.generate_session_id()
        request.scope["state"][_FRESH] = fresh
        request.set_session({"user": user.name, "changed_ns": user.changed_ns, "since": int(time.time())})
        ids = self._of_user.setdefault(user.name, deque())
        ids.append(fresh)
        while len(ids) > MAX_OF_ONE_USER:
            await self._store.delete(ids.popleft())


async def user_of(session: dict[str, Any], connection: ASGIConnection) -> User | None:
    """The account of a session; None when it is over: too old, account locked, password changed since."""
    if "user" not in session or session["since"] + LONGEST_S < time.time():
        return None
    try:
        user = await sync_to_thread(connection.app.state.store.accounts.user, session["user"])
    except NotFoundError:
        return None
    return user if user.disabled_ns is None and user.changed_ns == session["changed_ns"] else None


def needs(role: Role) -> Guard:
    """Lets those in who have `role` or a higher one."""

    def guard(connection: ASGIConnection, _handler: BaseRouteHandler) -> None:
        if ROLES.index(connection.user.role) < ROLES.index(role):
            raise PermissionDeniedException

    return guard


class OneTimeError(NotAuthorizedException):
    """The account still has its one-time password: it has to be changed first."""


def changed_password(connection: ASGIConnection, _handler: BaseRouteHandler) -> None:
    """A guard: who has a one-time password gets nowhere but to where it is changed."""
    user: User | None = connection.scope.get("user")
    if user is not None and user.one_time and connection.url.path not in ONE_TIME_PATHS:
        raise OneTimeError
