"""A listing that goes on: its rows, and then each that is new or has changed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Sequence
from typing import TypeVar

Row = TypeVar("Row")

FOLLOW_S = 1.0  # between two looks for news


async def following(
    look: Callable[[], Awaitable[Sequence[Row]]], who: Callable[[Row], Hashable], what: Callable[[Row], Hashable]
) -> AsyncIterator[Row]:
    """Rows of which `who` is new, or `what` is another than before. `look` gives the newest first; what has left its
    rows is forgotten."""
    known: dict[Hashable, Hashable] = {}
    while True:
        rows = await look()
        for row in reversed(rows):
            if known.get(who(row)) != what(row):
                yield row
        known = {who(row): what(row) for row in rows}
        await asyncio.sleep(FOLLOW_S)
