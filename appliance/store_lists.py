"""The lists: numbers, sources and callers that are always let through, and those that are refused."""

import sqlite3
from pathlib import Path
from typing import Any, Literal

import msgspec

from appliance.database import values
from appliance.errors import StoreError
from appliance.store_findings import storable

ListName = Literal["allow", "deny"]

MAX_ENTRIES = 100_000  # of all lists together
NOW = (
    "SELECT list, value, added_by, added_ns, why, expires_ns FROM entries"
    " WHERE (expires_ns IS NULL OR expires_ns > ?) AND (? IS NULL OR list = ?) ORDER BY added_ns, rowid"
)


class ListEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What a list names, and who wanted it there. It expires, or says that it never does."""

    list: ListName
    value: str
    added_by: str
    added_ns: int
    why: str
    expires_ns: int | Literal["never"]


def store_entry(connection: sqlite3.Connection, entry: ListEntry, now_ns: int, path: Path) -> None:
    """In place of an entry of the same value. Raises StoreError, which names `path`, when the lists are full."""
    connection.execute("DELETE FROM entries WHERE expires_ns <= ?", (now_ns,))
    delete_entry(connection, entry.list, entry.value)
    if values(connection, "SELECT count(*) FROM entries")[0][0] >= MAX_ENTRIES:
        raise StoreError(f"{path}: the lists are full ({MAX_ENTRIES} entries)")
    texts = [storable(text) for text in (entry.value, entry.added_by, entry.why)]
    expires_ns = None if entry.expires_ns == "never" else entry.expires_ns
    connection.execute(
        "INSERT INTO entries (list, value, added_by, why, added_ns, expires_ns) VALUES (?, ?, ?, ?, ?, ?)",
        (entry.list, *texts, entry.added_ns, expires_ns),
    )


def delete_entry(connection: sqlite3.Connection, name: ListName, value: str) -> bool:
    gone = connection.execute("DELETE FROM entries WHERE list = ? AND value = ?", (name, storable(value)))
    return gone.rowcount > 0


def entry_of(row: tuple[Any, ...]) -> ListEntry:
    """A row of NOW."""
    fields = dict(zip(ListEntry.__struct_fields__, row, strict=True))
    if fields["expires_ns"] is None:
        fields["expires_ns"] = "never"
    return ListEntry(**fields)
