"""What can still be read of a corrupt store: the labels and lists that a person put in and no traffic brings back."""

import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TABLES = ("labels", "entries")


@dataclass(frozen=True, slots=True)
class Salvage:
    """Rows by table, and the last id that a finding had, None when that cannot be read."""

    rows: dict[str, list[tuple[Any, ...]]]
    last_id: int | None

    @classmethod
    def read(cls, path: Path) -> "Salvage":
        """Never raises for what is in the file."""
        rows: dict[str, list[tuple[Any, ...]]] = {table: [] for table in TABLES}
        last_id = None
        with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as connection:
            connection.text_factory = lambda stored: stored.decode(errors="replace")
            for table in TABLES:
                rows[table] = _readable(connection, table)
            labelled = max((row[1] for row in rows["labels"]), default=None)
            with suppress(sqlite3.Error):
                last_id = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'findings'").fetchone()[0]
            if last_id is not None and labelled is not None:
                last_id = max(last_id, labelled)
        return cls(rows, last_id)

    def write(self, connection: sqlite3.Connection, first_id: int) -> None:
        """Into a new store. Ids go on behind the last one, else from `first_id`: a label keeps its finding."""
        for table, rows in self.rows.items():
            for row in rows:
                with suppress(sqlite3.IntegrityError):
                    connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)
        last_id = first_id if self.last_id is None else self.last_id
        connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('findings', ?)", (last_id,))

    def __str__(self) -> str:
        return " and ".join(f"{len(rows)} {table}" for table, rows in self.rows.items())


def _readable(connection: sqlite3.Connection, table: str) -> list[tuple[Any, ...]]:
    """Rows from both ends of a table up to where it cannot be read."""
    found: dict[tuple[Any, ...], None] = {}
    for order in ("ASC", "DESC"):
        with suppress(sqlite3.Error):
            for row in connection.execute(f"SELECT * FROM {table} ORDER BY rowid {order}"):
                if row in found:
                    break
                found[row] = None
    return list(found)
