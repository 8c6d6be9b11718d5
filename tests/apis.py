"""The API over a store with something of everything, without a network; tokens for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from litestar.testing import TestClient

from collector.api.access import Throttle
from collector.api.app import PREFIX, api_app
from collector.config import Config
from collector.limits import Buckets
from collector.pseudonyms import Numbers
from collector.refusals import Refusals, Strangers
from collector.scopes import SCOPES, Scope
from collector.store.store import Store
from tests.consoles import fill

PLENTY = 10**9
KEY = bytes(range(64))
PSEUDONYM = Numbers("pseudonym", KEY).stored("+4930123400001")


class Api:
    """A client of the API of one store; asks with a token that has every scope unless it is told another."""

    def __init__(self, store: Store, numbers: Numbers) -> None:
        self.store = store
        self.numbers = numbers
        self.refusals = Refusals(store)
        self.app = api_app(Config(), store, numbers, Strangers(self.refusals))
        self.client = TestClient(self.app, raise_server_exceptions=False)
        self.token = self.make_token("all", *SCOPES)

    def unthrottled(self) -> "Api":
        """With room for as many requests as tests make."""
        self.app.state.throttle = Throttle(Buckets(PLENTY, PLENTY), Buckets(PLENTY, PLENTY))
        return self

    def make_token(self, name: str, *scopes: Scope) -> str:
        return self.store.accounts.create_api_token(name, list(scopes), "test", lifetime_s=3600)[1]

    def ask(self, method: str, path: str, token: str | None = "", **options: Any) -> Any:
        """A request to `path` below the prefix; `token` None for none."""
        headers = dict(options.pop("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {token or self.token}"
        return self.client.request(method, f"{PREFIX}{path}", headers=headers, **options)

    def get(self, path: str, token: str | None = "", **options: Any) -> Any:
        return self.ask("GET", path, token, **options)

    def post(self, path: str, body: Any = None, token: str | None = "", **options: Any) -> Any:
        return self.ask("POST", path, token, json=body, **options)


@contextmanager
def opened(url: str) -> Iterator[Api]:
    """An API over a new store, filled as the console's: numbers are plain, and there is a key for pseudonyms."""
    store = fill(Store.open(url, create=True))
    try:
        yield Api(store, Numbers("plain", KEY))
    finally:
        store.close()
