"""Refusals on their way into the store's events: gathered for a moment, so that a flood of them costs one row."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from collector.errors import RefusedError
from collector.store.database import first_line
from collector.store.store import Store

MAX_KINDS = 1000  # between two writes; beyond, refusals are only counted
MAX_NAME = 63
# Addresses that are noted by name within a minute. Everybody can connect: the events must not be theirs to fill.
MAX_NAMED = 100
NAMED_S = 60

log = logging.getLogger("collector.refusals")

Key = tuple[str, str | None, str | None]  # reason, box, address


class Refusals:
    """Notes refusals from any thread; `write` brings them into the store and is called again and again."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._waiting: dict[Key, tuple[int, str]] = {}
        self.by_reason: Counter[str] = Counter()

    def note(self, error: RefusedError, address: str | None) -> None:
        box = error.box[:MAX_NAME] if error.box else None
        key = (error.reason, box, address)
        with self._lock:
            self.by_reason[error.reason] += 1
            count, detail = self._waiting.get(key, (0, error.detail))
            if count or len(self._waiting) < MAX_KINDS:
                self._waiting[key] = (count + 1, detail)
        if not count:
            log.warning("refused reason=%s box=%s address=%s detail=%r", error.reason, box, address, detail)

    def write(self) -> None:
        """Writes what was gathered. What cannot be written now is written later."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        while waiting:
            (reason, box, address), (count, detail) = next(iter(waiting.items()))
            try:
                self._store.journal.event("refused", reason, box=box, address=address, detail=detail, count=count)
            except SQLAlchemyError as error:
                log.error("events_not_written error=%r", first_line(error))
                with self._lock:
                    for key, value in waiting.items():
                        if len(self._waiting) < MAX_KINDS:
                            self._waiting.setdefault(key, value)
                return
            del waiting[reason, box, address]


class Strangers:
    """Notes refusals of those who have shown nothing yet: the first MAX_NAMED addresses of a minute by name, all others
    together. What these others say to be is not noted either."""

    def __init__(self, refusals: Refusals, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._refusals = refusals
        self._monotonic = monotonic
        self._named: set[str | None] = set()
        self._since = monotonic()

    def note(self, error: RefusedError, address: str | None) -> None:
        now = self._monotonic()
        if now - self._since >= NAMED_S:
            self._named.clear()
            self._since = now
        if len(self._named) < MAX_NAMED:
            self._named.add(address)
        if address in self._named:
            self._refusals.note(error, address)
        else:
            self._refusals.note(RefusedError(error.status, error.reason, error.detail), None)
