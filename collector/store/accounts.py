"""People (users of the console) and programs (API tokens)."""

import re
import secrets
import time
from typing import Literal

import msgspec
import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from collector.errors import CollectorError, ConflictError, NotFoundError
from collector.store import tables
from collector.store.database import writing
from collector.store.fleet import digest
from collector.store.journal import audit
from collector.store.paging import DEFAULT_LIMIT, Page, behind, bounded, paged

Role = Literal["reader", "analyst", "administrator"]
MIN_PASSWORD, MAX_PASSWORD = 12, 256  # characters
TOKEN_PREFIX = "swc_"  # by which scanners for leaked secrets know one
TOKEN_PATTERN = TOKEN_PREFIX + r"[A-Za-z0-9_-]{43}"
# No white space, which nobody sees, and no colon: `shell:` and `token:` before a name are other actors of the trail.
USER_NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,62}\Z"
USER_NAME = "a user name begins with a letter or digit and goes on with letters, digits and . _ @ -, 63 at most"
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,55}\Z"  # of a token: `token:NAME` is an actor of the audit trail

_hasher = PasswordHasher()
# Verified when there is no such user, so that an answer takes as long as for one who is there.
_NOBODY = _hasher.hash(secrets.token_urlsafe())


class User(msgspec.Struct, frozen=True):
    """An account of the console. `changed_ns` is when its password was last set, 0 while it has a one-time one."""

    id: int
    name: str
    role: Role
    language: str | None
    created_ns: int
    changed_ns: int
    disabled_ns: int | None

    @property
    def one_time(self) -> bool:
        """Whether the password was given to the user and has to be changed."""
        return self.changed_ns == 0


class ApiToken(msgspec.Struct, frozen=True):
    """A token of the REST API, without its secret."""

    id: int
    name: str
    scopes: list[str]
    created_by: str
    created_ns: int
    expires_ns: int | None
    used_ns: int | None
    revoked_ns: int | None


class ExistsError(ConflictError):
    """The name is taken: the fault of who asked."""


_USER = [tables.users.c[name] for name in User.__struct_fields__]
_TOKEN = [tables.api_tokens.c[name] for name in ApiToken.__struct_fields__]


class Accounts:
    """Reads and changes users and API tokens. Every change goes into the audit trail, in the same transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def users(self, after: int | None = None, limit: int = DEFAULT_LIMIT) -> Page[User]:
        """Users by name, behind the one with the id `after`."""
        rows = self._by_name(tables.users, _USER, after, limit)
        return paged([User(**row._mapping) for row in rows], bounded(limit))

    def user(self, name: str) -> User:
        """One user. Raises NotFoundError."""
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(*_USER).where(tables.users.c.name == name)).first()
        if row is None:
            raise NotFoundError(f"no user is called {name!r}")
        return User(**row._mapping)

    def add_user(
        self, name: str, role: Role, password: str, by: str, language: str | None = None, one_time: bool = False
    ) -> User:
        """A new user; one with a one-time password has to change it. Raises ExistsError, or CollectorError for a name
        that is none."""
        if not is_user_name(name):
            raise CollectorError(USER_NAME)
        now = time.time_ns()
        values = {
            "name": name,
            "role": role,
            "password": _hasher.hash(password),
            "language": language,
            "created_ns": now,
            "changed_ns": 0 if one_time else now,
        }
        try:
            with writing(self._engine.connect()) as connection, connection.begin():
                connection.execute(sa.insert(tables.users).values(values))
                audit(connection, by, "user.add", name, detail={"role": role})
        except IntegrityError as error:
            raise ExistsError(f"there is a user {name!r} already") from error
        return self.user(name)

    def set_password(self, name: str, password: str, by: str, one_time: bool = False) -> None:
        """A new password; one that is good for one login has to be changed then. Raises NotFoundError."""
        changed_ns = 0 if one_time else time.time_ns()
        detail = {"one_time": True} if one_time else None
        self._change(name, {"password": _hasher.hash(password), "changed_ns": changed_ns}, by, "user.password", detail)

    def set_role(self, name: str, role: Role, by: str) -> None:
        """Another role. Raises NotFoundError."""
        self._change(name, {"role": role}, by, "user.role", {"role": role})

    def set_language(self, name: str, language: str | None, by: str) -> None:
        """The language of the console for this user. Raises NotFoundError."""
        self._change(name, {"language": language}, by, "user.language", {"language": language})

    def set_disabled(self, name: str, disabled: bool, by: str) -> None:
        """Locks an account out, or in again. Raises NotFoundError."""
        action = "user.disable" if disabled else "user.enable"
        self._change(
            name,
            {"disabled_ns": time.time_ns() if disabled else None},
            by,
            action,
        )

    def authenticate(self, name: str, password: str) -> User | None:
        """The user, when password and account are good. Takes as long when there is no such user."""
        c = tables.users.c
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(*_USER, c.password).where(c.name == name)).first()
        stored = row.password if row is not None else _NOBODY
        try:
            _hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return None
        if row is None or row.disabled_ns is not None:
            return None
        return User(**{key: row._mapping[key] for key in User.__struct_fields__})

    def _by_name(self, table: sa.Table, columns: list, after: int | None, limit: int) -> list[sa.Row]:
        query = sa.select(*columns).order_by(table.c.name).limit(bounded(limit) + 1)
        if after is not None:
            query = query.where(behind(table, after))
        with self._engine.connect() as connection:
            return list(connection.execute(query))

    def _change(self, name: str, values: dict, by: str, action: str, detail: dict | None = None) -> None:
        table = tables.users
        with writing(self._engine.connect()) as connection, connection.begin():
            if not connection.execute(sa.update(table).where(table.c.name == name).values(values)).rowcount:
                raise NotFoundError(f"no user is called {name!r}")
            audit(connection, by, action, name, detail=detail)

    # --- tokens of the API

    def create_api_token(
        self, name: str, scopes: list[str], by: str, lifetime_s: int | None = None
    ) -> tuple[ApiToken, str]:
        """A new token and its secret, which is shown this once. Raises ExistsError, or CollectorError for a name that
        is none."""
        if not is_name(name):
            raise CollectorError("a name has letters, digits, dots, dashes and underscores, 56 at most")
        secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
        now = time.time_ns()
        values = {
            "name": name,
            "digest": digest(secret),
            "scopes": " ".join(scopes),
            "created_by": by,
            "created_ns": now,
            "expires_ns": None if lifetime_s is None else now + lifetime_s * 10**9,
        }
        try:
            with writing(self._engine.connect()) as connection, connection.begin():
                connection.execute(sa.insert(tables.api_tokens).values(values))
                audit(connection, by, "api_token.create", name, detail={"scopes": scopes})
        except IntegrityError as error:
            raise ExistsError(f"there is an API token {name!r} already") from error
        with self._engine.connect() as connection:
            made = connection.execute(sa.select(*_TOKEN).where(tables.api_tokens.c.name == name)).one()
        return _token(made), secret

    def api_tokens(self, after: int | None = None, limit: int = DEFAULT_LIMIT) -> Page[ApiToken]:
        """API tokens by name, behind the one with the id `after`."""
        rows = self._by_name(tables.api_tokens, _TOKEN, after, limit)
        return paged([_token(row) for row in rows], bounded(limit))

    def api_token(self, secret: str) -> ApiToken | None:
        """The token of a secret, when it is good now. Notes when it was last used, to the minute."""
        c = tables.api_tokens.c
        now = time.time_ns()
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(*_TOKEN).where(c.digest == digest(secret))).first()
        if row is None or row.revoked_ns is not None or (row.expires_ns is not None and row.expires_ns <= now):
            return None
        if row.used_ns is None or now - row.used_ns > 60 * 10**9:
            with writing(self._engine.connect()) as connection, connection.begin():
                connection.execute(sa.update(tables.api_tokens).where(c.id == row.id).values(used_ns=now))
        return _token(row)

    def revoke_api_token(self, name: str, by: str) -> None:
        """Ends a token. Raises NotFoundError."""
        c = tables.api_tokens.c
        with writing(self._engine.connect()) as connection, connection.begin():
            update = sa.update(tables.api_tokens).where(c.name == name, c.revoked_ns.is_(None))
            if not connection.execute(update.values(revoked_ns=time.time_ns())).rowcount:
                raise NotFoundError(f"no API token in use is called {name!r}")
            audit(connection, by, "api_token.revoke", name)


def is_user_name(name: str) -> bool:
    """Whether an account of the console may be called so."""
    return re.match(USER_NAME_PATTERN, name) is not None


def is_name(name: str) -> bool:
    """Whether an API token or a webhook may be called so."""
    return re.match(NAME_PATTERN, name) is not None


def _token(row: sa.Row) -> ApiToken:
    return ApiToken(**{**row._mapping, "scopes": row.scopes.split()})
