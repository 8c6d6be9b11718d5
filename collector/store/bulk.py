"""Many rows into one table at once.

PostgreSQL opens the table, its partitions and all indexes for each statement, which costs more than a row does: there,
one statement takes a list for each column. SQLite runs one prepared statement for row after row.
"""

from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql

from collector.store import tables

# Their columns are of types that PostgreSQL takes lists of as they are.
IN_LISTS = (tables.findings, tables.finding_types, tables.calls)


def insert_rows(connection: Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    """Inserts rows, which all have the same keys."""
    if not rows:
        return
    if connection.dialect.name == "postgresql" and table in IN_LISTS:
        names = tuple(rows[0])
        connection.execute(_of_lists(table, names), {name: [row[name] for row in rows] for name in names})
    else:
        connection.execute(sa.insert(table), rows)


@lru_cache(maxsize=32)
def _of_lists(table: sa.Table, names: tuple[str, ...]) -> sa.TextClause:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    lists = ", ".join(f"CAST(:{name} AS {table.c[name].type.compile(dialect)}[])" for name in names)
    return sa.text(f"INSERT INTO {table.name} ({', '.join(names)}) SELECT * FROM unnest({lists})")
