"""Keyset pages: each is asked for by the key that the one before it ended with, which is the id of its last row.

Most lists are in the order of ids, newest first. Boxes, accounts and tokens are listed by name: the id of the last row
leads to its name, for rows that are listed so do not go.
"""

from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy import ColumnElement

T = TypeVar("T")

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000


class Page(msgspec.Struct, Generic[T], frozen=True):
    """Some rows; `next` is the key of the page that follows, None when there is none."""

    items: list[T]
    next: int | None


def bounded(limit: int) -> int:
    """A page never has more than MAX_LIMIT rows, whatever was asked for."""
    return max(1, min(limit, MAX_LIMIT))


def paged(items: list[Any], limit: int) -> Page:
    """A page of `items`, of which one more than `limit` was asked for: it says whether there is another page."""
    return Page(items[:limit], items[limit - 1].id if len(items) > limit else None)


def behind(table: sa.Table, after: int) -> ColumnElement[bool]:
    """What comes behind the row with the id `after` in the order of names."""
    return table.c.name > sa.select(table.c.name).where(table.c.id == after).scalar_subquery()


def every(page: Callable[[int | None], Page[T]]) -> Iterator[T]:
    """All rows of a list: `page` gives the page behind a key."""
    found = page(None)
    yield from found.items
    while found.next is not None:
        found = page(found.next)
        yield from found.items
