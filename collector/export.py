"""The store as Parquet files, for analysis elsewhere. Numbers are as they are stored: pseudonyms stay pseudonyms.

Rows are read in pages by their key and written a row group at a time: an export of any size takes little memory.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa

from collector.store import tables
from collector.store.ids import arrival_ns, lowest_id
from collector.store.store import Store
from collector.store.trends import HOUR_S
from models.fraud_types import names_of
from models.verdict import VERDICTS

GROUP_ROWS = 10_000
PRIVATE = 0o600
MOMENT = pa.timestamp("us", tz="UTC")  # what every reader of Parquet takes
LAST_ID = (1 << 63) - 1

Row = dict[str, Any]

_FINDING = pa.schema(
    [
        ("id", pa.int64()),
        ("box", pa.string()),
        ("kind", pa.string()),
        ("time", MOMENT),
        ("arrived", MOMENT),
        ("updated", MOMENT),
        ("verdict", pa.string()),
        ("score", pa.float64()),
        ("fraud_types", pa.list_(pa.string())),
        ("source", pa.string()),
        ("caller", pa.string()),
        ("callee", pa.string()),
        ("call_id", pa.string()),
        ("bundle", pa.string()),
        ("skewed", pa.bool_()),
        ("label", pa.string()),
        ("line", pa.string()),
    ]
)
_CALL = pa.schema(
    [
        ("id", pa.int64()),
        ("box", pa.string()),
        ("time", MOMENT),
        ("arrived", MOMENT),
        ("call_id", pa.string()),
        ("source", pa.string()),
        ("caller", pa.string()),
        ("callee", pa.string()),
        ("state", pa.string()),
        ("status_code", pa.int16()),
        ("duration_s", pa.float64()),
        ("verdict", pa.string()),
        ("score", pa.float64()),
    ]
)
_LABEL = pa.schema(
    [
        ("id", pa.int64()),
        ("finding_id", pa.int64()),
        ("label", pa.string()),
        ("by", pa.string()),
        ("time", MOMENT),
        ("comment", pa.string()),
    ]
)
_HOUR = pa.schema(
    [("time", MOMENT), ("box", pa.string())]
    + [(column.name, pa.int64()) for column in tables.counters.c if column.name not in tables.counters.primary_key]
)


def export(store: Store, folder: Path, since_ns: int | None = None, until_ns: int | None = None) -> dict[str, int]:
    """Writes `findings`, `calls`, `labels` and `hours` (.parquet); rows by file. Moments bound the arrival."""
    folder.mkdir(parents=True, exist_ok=True)
    first = lowest_id(since_ns) if since_ns is not None else 0
    past = lowest_id(until_ns) if until_ns is not None else LAST_ID
    labelled = sa.and_(tables.labels.c.finding_id >= first, tables.labels.c.finding_id < past)
    jobs: list[tuple[str, pa.Schema, Iterator[Row], Callable[[Row], Row]]] = [
        ("findings", _FINDING, _by_id(store, tables.findings, first, past), _finding),
        ("calls", _CALL, _by_id(store, tables.calls, first, past), _call),
        ("labels", _LABEL, _by_id(store, tables.labels, 0, LAST_ID, labelled), _moments),
        ("hours", _HOUR, _hours(store, since_ns or 0, until_ns or LAST_ID), _moments),
    ]
    return {name: _write(folder / f"{name}.parquet", schema, map(shape, rows)) for name, schema, rows, shape in jobs}


def _write(path: Path, schema: pa.Schema, rows: Iterator[Row]) -> int:
    """The file is for its owner alone: rows name subscribers."""
    total = 0
    beside = path.with_name(path.name + ".new")
    beside.unlink(missing_ok=True)
    with (
        os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE), "wb") as file,
        pq.ParquetWriter(file, schema, compression="zstd") as writer,
    ):
        group: list[Row] = []
        for row in rows:
            group.append({name: row[name] for name in schema.names})
            if len(group) == GROUP_ROWS:
                writer.write_table(pa.Table.from_pylist(group, schema))
                total += len(group)
                group.clear()
        if group:
            writer.write_table(pa.Table.from_pylist(group, schema))
            total += len(group)
    beside.replace(path)
    return total


def _by_id(
    store: Store, table: sa.Table, first: int, past: int, condition: sa.ColumnElement[bool] | None = None
) -> Iterator[Row]:
    """Rows with first <= id < past, page by page, with the name of their box where they have one."""
    query = sa.select(table)
    if "box_id" in table.c:
        boxes = tables.boxes
        query = sa.select(table, boxes.c.name.label("box")).join_from(table, boxes, boxes.c.id == table.c.box_id)
    if condition is not None:
        query = query.where(condition)
    while True:
        page = query.where(table.c.id >= first, table.c.id < past).order_by(table.c.id).limit(GROUP_ROWS)
        with store.engine.connect() as connection:
            rows = connection.execute(page).mappings().all()
        yield from map(dict, rows)
        if len(rows) < GROUP_ROWS:
            return
        first = rows[-1]["id"] + 1


def _hours(store: Store, since_ns: int, until_ns: int) -> Iterator[Row]:
    """The counters of hours, hour by hour."""
    c, boxes = tables.counters.c, tables.boxes
    joined = sa.select(tables.counters, boxes.c.name.label("box")).join_from(
        tables.counters, boxes, boxes.c.id == c.box_id
    )
    while True:
        with store.engine.connect() as connection:
            hour = connection.scalar(
                sa.select(sa.func.min(c.time_ns)).where(c.span_s == HOUR_S, c.time_ns >= since_ns, c.time_ns < until_ns)
            )
            if hour is None:
                return
            rows = connection.execute(joined.where(c.span_s == HOUR_S, c.time_ns == hour).order_by(c.box_id)).mappings()
            found = list(map(dict, rows))
        yield from found
        since_ns = hour + 1


def _moments(row: Row) -> Row:
    return {**row, "time": row["time_ns"] // 1000}


def _finding(row: Row) -> Row:
    return {
        **row,
        "time": row["time_ns"] // 1000,
        "arrived": arrival_ns(row["id"]) // 1000,
        "updated": row["updated_ns"] // 1000,
        "verdict": VERDICTS[row["verdict"]],
        "fraud_types": names_of(row["fraud_types"]),
        "line": row["line"].decode(),
    }


def _call(row: Row) -> Row:
    return {
        **row,
        "time": row["time_ns"] // 1000,
        "arrived": arrival_ns(row["id"]) // 1000,
        "verdict": VERDICTS[row["verdict"]],
    }
