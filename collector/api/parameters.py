"""Parameters that several routes take."""

from datetime import UTC, datetime
from typing import Annotated

from litestar.params import QueryParameter

from collector.api import cursor
from collector.pseudonyms import Numbers, clean
from collector.store.paging import MAX_LIMIT

MAX_TEXT = 512  # characters
MAX_NS = (1 << 63) - 1

Cursor = Annotated[str | None, QueryParameter(pattern=cursor.PATTERN, description="`next` of the page before.")]
Limit = Annotated[int, QueryParameter(ge=1, le=MAX_LIMIT, description="Rows of a page.")]
Text = Annotated[str | None, QueryParameter(max_length=MAX_TEXT)]
Number = Annotated[str | None, QueryParameter(max_length=MAX_TEXT, description="A number, or its pseudonym.")]
Moment = Annotated[datetime | None, QueryParameter(description="UTC where it says nothing else.")]


def text(value: str | None) -> str | None:
    """As texts are stored; None when it is empty."""
    return clean(value, MAX_TEXT) or None if value is not None else None


def number(value: str | None, numbers: Numbers) -> str | None:
    """As numbers are stored."""
    found = text(value)
    return None if found is None else numbers.search(found)


def time_ns(moment: datetime | None) -> int | None:
    """Nanoseconds since the epoch; moments before it and beyond what the store has are its ends."""
    if moment is None:
        return None
    since_epoch = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - datetime(1970, 1, 1, tzinfo=UTC)
    microseconds = (since_epoch.days * 86_400 + since_epoch.seconds) * 10**6 + since_epoch.microseconds
    return min(max(0, microseconds * 1000), MAX_NS)
