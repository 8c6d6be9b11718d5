"""The accounts of the console, as administrators manage them."""

import secrets
from typing import Annotated

import msgspec
from litestar import Request, Response, get, post
from litestar.concurrency import sync_to_thread
from litestar.enums import RequestEncodingType
from litestar.exceptions import ValidationException
from litestar.params import Body, FromPath
from litestar.response import Redirect, Template

from collector.console import query as asked
from collector.console.sessions import ROLES, needs
from collector.store.accounts import ExistsError, User, is_user_name

ROWS = 50  # of a page
ONE_TIME_BYTES = 12  # of a one-time password, before base64


class AccountForm(msgspec.Struct):
    name: str = ""
    role: str = ""


class RoleForm(msgspec.Struct):
    role: str = ""


class LockForm(msgspec.Struct):
    disabled: str = ""


AccountData = Annotated[AccountForm, Body(media_type=RequestEncodingType.URL_ENCODED)]
RoleData = Annotated[RoleForm, Body(media_type=RequestEncodingType.URL_ENCODED)]
LockData = Annotated[LockForm, Body(media_type=RequestEncodingType.URL_ENCODED)]
ADMINISTRATORS = [needs("administrator")]


# Not `sync_to_thread=True`: litestar wraps such a handler twice where another one has the same path.
@get("/accounts", guards=ADMINISTRATORS)
async def accounts(request: Request) -> Template:
    """The accounts, by name."""
    return await sync_to_thread(_page, request)


@post("/accounts", guards=ADMINISTRATORS, status_code=200)
async def add(request: Request, data: AccountData) -> Template:
    """A new account, with a one-time password that is shown this once."""
    state = request.app.state
    role = _role(data.role)
    if not is_user_name(data.name):
        return await sync_to_thread(_page, request, 400, "accounts.bad_name")
    password = secrets.token_urlsafe(ONE_TIME_BYTES)
    try:
        async with state.hashing:
            await sync_to_thread(
                state.store.accounts.add_user, data.name, role, password, request.user.name, None, True
            )
    except ExistsError:
        return await sync_to_thread(_page, request, 409, "accounts.exists")
    return await sync_to_thread(_page, request, 201, None, data.name, password)


@post("/accounts/{name:str}/password", guards=ADMINISTRATORS, status_code=200)
async def reset_password(request: Request, name: FromPath[str]) -> Template:
    """A one-time password for an account; its sessions end."""
    state = request.app.state
    user = await sync_to_thread(_other, request, name)
    password = secrets.token_urlsafe(ONE_TIME_BYTES)
    async with state.hashing:
        await sync_to_thread(state.store.accounts.set_password, user.name, password, request.user.name, True)
    return await sync_to_thread(_page, request, 200, None, user.name, password)


@post("/accounts/{name:str}/role", guards=ADMINISTRATORS, status_code=200, sync_to_thread=True)
def set_role(request: Request, name: FromPath[str], data: RoleData) -> Response:
    """Another role, from the account's next page on."""
    user, role = _other(request, name), _role(data.role)
    request.app.state.store.accounts.set_role(user.name, role, request.user.name)
    return Redirect(asked.link("/accounts", request.query_params), status_code=303)


@post("/accounts/{name:str}/lock", guards=ADMINISTRATORS, status_code=200, sync_to_thread=True)
def lock(request: Request, name: FromPath[str], data: LockData) -> Response:
    """Locks an account out, or lets it in again."""
    user = _other(request, name)
    if data.disabled not in ("yes", "no"):
        raise ValidationException("disabled is yes or no")
    request.app.state.store.accounts.set_disabled(user.name, data.disabled == "yes", request.user.name)
    return Redirect(asked.link("/accounts", request.query_params), status_code=303)


def _role(text: str) -> str:
    if text not in ROLES:
        raise ValidationException("there is no such role")
    return text


def _other(request: Request, name: str) -> User:
    """The account of a name. One's own is not changed here: somebody has to be left who can change it back."""
    user: User = request.app.state.store.accounts.user(asked.part(name))
    if user.name == request.user.name:
        raise ValidationException("one's own account is changed by another administrator")
    return user


def _page(
    request: Request,
    status: int = 200,
    problem: str | None = None,
    made_for: str | None = None,
    password: str | None = None,
) -> Template:
    query = request.query_params
    page = request.app.state.store.accounts.users(asked.key(query, "after"), ROWS)
    context = {
        **asked.paged("/accounts", query, page, "after"),
        "roles": ROLES,
        "problem": problem,
        "made_for": made_for,
        "password": password,
    }
    return Template("accounts.html", context=context, status_code=status)


ROUTES = [accounts, add, reset_password, set_role, lock]
