"""What all live sources have in common: a reader for the engine, a state, counters, and trying again.

A source belongs to the tracker's thread. It is up, and then has a `reader`, or it is down, and then has a `problem`.
`receive` never waits; while the source is down it tries to open it again, less and less often.
"""

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

from appliance import log
from appliance.sources.errors import SourceError
from capture.source import RecordSource

# Pauses between two attempts to open a source: an interface that is only pulled and plugged is back soon, and nobody
# is asked every second for what was never there.
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 2.0

State = Literal["up", "down"]


@dataclass(frozen=True, slots=True)
class SourceCounters:
    """Since the start, over all times that the source was down."""

    packets: int = 0
    dropped: int = 0  # came, and were lost before they could be read
    bytes: int = 0  # on the wire
    duplicates: int = 0  # seen twice, and taken once
    errors: int = 0  # what could not be read, was refused, or ended before its time

    def __add__(self, other: "SourceCounters") -> "SourceCounters":
        return SourceCounters(
            self.packets + other.packets,
            self.dropped + other.dropped,
            self.bytes + other.bytes,
            self.duplicates + other.duplicates,
            self.errors + other.errors,
        )


class Source(ABC):
    """A live source by the name of `name`, down until the first `receive`."""

    live = True  # packets come in as they are sent; False: from recordings, in whose time they are screened

    def __init__(self, name: str) -> None:
        self.name = name
        self.reader: RecordSource | None = None
        self.problem: str | None = "not opened yet"
        self.failures = 0  # times that it was up and then no longer
        self._said: str | None = None
        self._pause_s = FIRST_PAUSE_S
        self._next_attempt_s = 0.0

    @property
    def state(self) -> State:
        return "down" if self.reader is None else "up"

    def receive(self) -> None:
        """Brings what is waiting within reach of `reader`; what it handed out before is then no longer valid."""
        if self.reader is not None:
            try:
                self._receive()
            except SourceError as error:
                self.failures += 1
                self._down(str(error))
        elif time.monotonic() >= self._next_attempt_s:
            try:
                self.reader = self._open()
            except SourceError as error:
                self._down(str(error))
            else:
                self._up()

    def close(self) -> None:
        """Lets go of everything; the counters stay."""
        self.reader = None
        self._close()

    @abstractmethod
    def fileno(self) -> int:
        """What to wait for: readable when `receive` has something to do; -1 while there is nothing to wait for."""

    @abstractmethod
    def counters(self) -> SourceCounters: ...

    @abstractmethod
    def _open(self) -> RecordSource:
        """Raises SourceError, and then has nothing open."""

    @abstractmethod
    def _receive(self) -> None:
        """Raises SourceError when the source is no longer one."""

    @abstractmethod
    def _close(self) -> None: ...

    def _up(self) -> None:
        self.problem = self._said = None
        self._pause_s = FIRST_PAUSE_S
        log.info("source is up", source=self.name)

    def _down(self, problem: str) -> None:
        """Said when it is news, and not at every attempt that fails the same way."""
        self.reader = None
        self._close()
        self.problem = problem
        if problem != self._said:
            log.warning("source is down", source=self.name, problem=problem)
            self._said = problem
        self._next_attempt_s = time.monotonic() + self._pause_s
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
