"""A scenario played in time: frames that are sent when they are due rather than written."""

from __future__ import annotations

import heapq
import time
from abc import ABC, abstractmethod
from collections.abc import Callable

from simulator.errors import ScenarioError
from simulator.network import Frame
from simulator.rhythm import NS_PER_S
from simulator.writer import Block

LIMIT_S = 3600.0  # of real time, whatever the scenario's length and speed


class Player(ABC):
    """Takes the place of a capture's writer. `packets` were sent, `skipped` were not."""

    def __init__(
        self,
        speed: float = 1.0,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ):
        if speed <= 0:
            raise ScenarioError(f"--speed {speed}: time does not go backwards, nor stand still")
        self.packets, self.skipped = 0, 0
        self._speed, self._clock, self._sleep = speed, clock, sleep
        self._began_s, self._first_ns = 0.0, 0

    def __enter__(self) -> Player:
        return self

    @abstractmethod
    def __exit__(self, *_: object) -> None: ...

    @abstractmethod
    def _send(self, whole: bytes) -> None:
        """Sends one frame, and counts it."""

    @property
    def limit_ns(self) -> int:
        """How much of a scenario fits into LIMIT_S."""
        return int(LIMIT_S * self._speed * NS_PER_S)

    def write(self, frames: list[Frame], blocks: list[Block]) -> None:
        """Send these, merged by time, each when it is due."""
        rows = ([(at, row.tobytes()) for at, row in zip(times.tolist(), rows, strict=True)] for times, rows in blocks)
        for at_ns, whole in heapq.merge(frames, *rows, key=lambda item: item[0]):
            if not self.packets + self.skipped:
                self._began_s, self._first_ns = self._clock(), at_ns
            since_ns = at_ns - self._first_ns
            if since_ns > self.limit_ns:
                self.skipped += 1
                continue
            wait_s = self._began_s + since_ns / NS_PER_S / self._speed - self._clock()
            if wait_s > 0:
                self._sleep(wait_s)
            self._send(whole)
