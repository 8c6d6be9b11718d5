"""Logging in and out, one's password and one's language."""

import hmac
import logging
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from litestar import Request, Response, get, post
from litestar.concurrency import sync_to_thread
from litestar.enums import RequestEncodingType
from litestar.params import Body
from litestar.response import Redirect, Template

from collector.authority import write_private
from collector.limits import Buckets, network_of
from collector.store.accounts import MAX_PASSWORD, MIN_PASSWORD, User
from collector.store.store import Store

# Attempts to log in: some at once, then one in so many seconds.
OF_ACCOUNT, ACCOUNT_S = 8, 30
OF_ADDRESS, ADDRESS_S = 30, 10
MAX_NAME = 63
FIRST_USER = "admin"
FIRST_PASSWORD_FILE = "console-password"

log = logging.getLogger("collector.console")


@dataclass
class LoginForm:
    name: str = ""
    password: str = ""


@dataclass
class PasswordForm:
    current: str = ""
    new: str = ""
    again: str = ""


@dataclass
class LanguageForm:
    language: str = ""


LoginData = Annotated[LoginForm, Body(media_type=RequestEncodingType.URL_ENCODED)]
PasswordData = Annotated[PasswordForm, Body(media_type=RequestEncodingType.URL_ENCODED)]
LanguageData = Annotated[LanguageForm, Body(media_type=RequestEncodingType.URL_ENCODED)]


class Throttle:
    """Bounds attempts by account and by address, whether they succeed or not."""

    def __init__(self) -> None:
        self._accounts = Buckets(1 / ACCOUNT_S, OF_ACCOUNT)
        self._addresses = Buckets(1 / ADDRESS_S, OF_ADDRESS)

    def take(self, name: str, address: str) -> float:
        """0 when the attempt may be made, else the seconds to wait."""
        return self._addresses.take(network_of(address)) or self._accounts.take(name)


def make_first_user(store: Store, state_dir: Path) -> None:
    """The first account of an empty store, with a one-time password in a file that only the service may read."""
    if store.accounts.users(limit=1).items:
        return
    password = secrets.token_urlsafe(12)
    file = state_dir / FIRST_PASSWORD_FILE
    write_private(file, f"{password}\n".encode())
    store.accounts.add_user(FIRST_USER, "administrator", password, "collector", one_time=True)
    log.info("first_user name=%s password_file=%s", FIRST_USER, file)


def address_of(request: Request) -> str:
    return request.client.host if request.client else ""


@get("/login", opt={"open": True})
async def login_page() -> Template:
    """The form."""
    return Template("login.html")


@post("/login", status_code=200, opt={"open": True})
async def login(request: Request, data: LoginData) -> Response | Template:
    """Begins a session."""
    state = request.app.state
    name, address = data.name[:MAX_NAME].replace("\0", ""), address_of(request)
    wait = state.throttle.take(name, address)
    if wait:
        log.warning("login_throttled address=%s", address)
        return _again(429, "login.throttled", {"Retry-After": str(int(wait) + 1)})
    async with state.hashing:
        user = await sync_to_thread(state.store.accounts.authenticate, name, data.password[:MAX_PASSWORD])
    await sync_to_thread(
        state.store.journal.audit, name or "-", "login" if user else "login.refused", name or "-", address
    )
    if user is None:
        log.warning("login_refused address=%s", address)
        return _again(401, "login.refused")
    await state.logins.begin(request, user, state.sessions)
    return Redirect("/password" if user.one_time else "/findings", status_code=303)


def _again(status: int, problem: str, headers: dict[str, str] | None = None) -> Template:
    return Template("login.html", context={"problem": problem}, status_code=status, headers=headers)


@post("/logout", status_code=200)
async def logout(request: Request) -> Response:
    """Ends the session."""
    request.clear_session()
    return Redirect("/login", status_code=303)


@get("/password")
async def password_page() -> Template:
    """The form."""
    return Template("password.html", context={"minimum": MIN_PASSWORD})


@post("/password", status_code=200)
async def password(request: Request, data: PasswordData) -> Response | Template:
    """Another password; all other sessions of the account end."""
    state, user = request.app.state, request.user
    if state.throttle.take(user.name, address_of(request)):
        return _form(429, "login.throttled")
    if not MIN_PASSWORD <= len(data.new) <= MAX_PASSWORD:
        return _form(400, "password.short")
    if not hmac.compare_digest(data.new.encode(), data.again.encode()):
        return _form(400, "password.differs")
    if data.new == data.current:
        return _form(400, "password.same")
    async with state.hashing:
        if await sync_to_thread(state.store.accounts.authenticate, user.name, data.current[:MAX_PASSWORD]) is None:
            return _form(400, "password.wrong")
        await sync_to_thread(state.store.accounts.set_password, user.name, data.new, user.name)
    if user.one_time and user.name == FIRST_USER:
        (state.config.state_dir / FIRST_PASSWORD_FILE).unlink(missing_ok=True)
    renewed: User = await sync_to_thread(state.store.accounts.user, user.name)
    await state.logins.begin(request, renewed, state.sessions)
    return Redirect("/findings", status_code=303)


def _form(status: int, problem: str) -> Template:
    return Template("password.html", context={"minimum": MIN_PASSWORD, "problem": problem}, status_code=status)


@post("/language", status_code=200)
async def language(request: Request, data: LanguageData) -> Response:
    """The language of one's account: one that there is, or what the browser asks for."""
    chosen = data.language if data.language in request.app.state.languages else None
    await sync_to_thread(request.app.state.store.accounts.set_language, request.user.name, chosen, request.user.name)
    return Redirect("/findings", status_code=303)


ROUTES = [login_page, login, logout, password_page, password, language]
