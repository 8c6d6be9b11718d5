"""Reading many stored findings while holding few: the line of one may be as long as a megabyte."""

from collections.abc import Iterator
from typing import Any

from appliance.report import StoredFinding
from appliance.storage.store import Store

PAGE = 50


def each(store: Store, limit: int, before_id: int | None = None, **wanted: Any) -> Iterator[StoredFinding]:
    """At most `limit` findings, newest first; `wanted` is what Store.find takes. Waits for the disk."""
    while limit > 0:
        page = store.find(before_id=before_id, limit=min(limit, PAGE), **wanted)
        yield from page
        if len(page) < min(limit, PAGE):
            return
        limit -= len(page)
        before_id = page[-1].id
