"""The store as the rest of the collector sees it: one object, one part for each kind of row."""

import os

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from collector.errors import StoreError
from collector.store.accounts import Accounts
from collector.store.database import (
    first_line,
    is_sqlite,
    make_partitions,
    migrate,
    newest_revision,
    open_engine,
    revision_of,
    sqlite_path,
)
from collector.store.findings import Findings
from collector.store.fleet import Fleet
from collector.store.journal import Journal
from collector.store.tables import NUMBERED
from collector.store.trends import Trends
from collector.store.webhooks import Webhooks


class Store:
    """An open store. Its methods block: call them from a thread (`sync_to_thread`), never from an event loop."""

    def __init__(self, url: str) -> None:
        """Opens the store as it is; `Store.open` is the usual way. Raises StoreError."""
        self.engine = open_engine(url)
        self.findings = Findings(self.engine)
        self.fleet = Fleet(self.engine)
        self.journal = Journal(self.engine)
        self.trends = Trends(self.engine)
        self.accounts = Accounts(self.engine)
        self.webhooks = Webhooks(self.engine)

    @classmethod
    def open(cls, url: str, create: bool = False) -> "Store":
        """Opens a store of this version's schema; with `create`, makes or updates it. Raises StoreError."""
        store = cls(url)
        file = store.engine.url.database
        if not create and is_sqlite(store.engine) and file and not os.access(file, os.R_OK):
            raise StoreError(
                f"{file} is not there, or not for this user to read: the first start of the collector makes it, "
                "or `sipwarden-collector migrate`"
            )
        try:
            if create:
                migrate(store.engine)
            found, wanted = revision_of(store.engine), newest_revision()
            if found != wanted:
                raise StoreError(
                    f"the store is of schema revision {found or 'none'}, this collector needs {wanted}: "
                    "run `sipwarden-collector migrate`"
                )
            make_partitions(store.engine)
        except SQLAlchemyError as error:
            raise StoreError(f"cannot open the store: {_unwritable(store.engine) or first_line(error)}") from error
        return store

    def highest_id(self) -> int:
        """The highest id of any row that `Ids` numbers, 0 in an empty store."""
        with self.engine.connect() as connection:
            highest = [connection.scalar(sa.select(sa.func.max(table.c.id))) for table in NUMBERED]
        return max(found or 0 for found in highest)

    def close(self) -> None:
        self.engine.dispose()


def _unwritable(engine: sa.Engine) -> str | None:
    """Why SQLite cannot write its log beside the store, of which it says only that it is unable to open a file."""
    if not is_sqlite(engine):
        return None
    folder = sqlite_path(engine).parent
    try:
        if os.statvfs(folder).f_flag & os.ST_RDONLY:
            return f"the disk of {folder} is read-only"
    except OSError as error:
        return f"{folder}: {error.strerror}"
    return None if os.access(folder, os.W_OK | os.X_OK) else f"{folder} is not for this user to write to"
