"""Keyset pages: newest first, each asked for by the key that the one before it ended with."""

from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000


class Page(msgspec.Struct, Generic[T], frozen=True):
    """Some rows; `next` is the `before` of the page that follows, None when there is none."""

    items: list[T]
    next: int | None


def bounded(limit: int) -> int:
    """A page never has more than MAX_LIMIT rows, whatever was asked for."""
    return max(1, min(limit, MAX_LIMIT))
