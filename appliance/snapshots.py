"""Snapshots in the life of the service: restored at its start, taken now and then and at its end."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

from appliance import log, snapshot
from appliance.errors import BusyError, SnapshotError
from appliance.findings import moment
from appliance.pipeline import Pipeline
from appliance.status import SnapshotStatus

T = TypeVar("T")
# A box that is asked too much finds time for a snapshot soon.
PATIENCE_S = 30.0


class Snapshots:
    """Of one state directory. A snapshot that does not fit, or cannot be written, is said and does no harm."""

    def __init__(self, state_dir: Path, region: str | None, secret: int) -> None:
        self._path = state_dir / snapshot.SNAPSHOT_FILE
        self._region = region
        self._secret = secret
        self._taken_ns: int | None = None
        self._bytes = 0
        self._restored = False
        self._problem: str | None = None
        self._saving = threading.Lock()

    def restore(self, make: Callable[[], Pipeline]) -> Pipeline:
        """A pipeline that remembers what the last one did; a fresh one when there is nothing that fits."""
        pipeline = make()
        try:
            taken_ns = snapshot.load(self._path, pipeline, region=self._region, secret=self._secret)
        except SnapshotError as error:
            self._problem = f"nothing is remembered of before the start: {error}"
            log.warning("the snapshot is refused", problem=str(error))
            return make()
        if taken_ns is not None:
            self._restored = True
            self._taken_ns = taken_ns
            log.info("restored", taken=moment(taken_ns), open_calls=pipeline.engine.open_calls)
        return pipeline

    def save(self, ask: Callable[[Callable[[Pipeline], T]], Future[T]]) -> None:
        """Takes one. `ask` is the tracker's; not to be called on its thread, since this one waits for it."""
        with self._saving:
            self._save(ask)

    def _save(self, ask: Callable[[Callable[[Pipeline], T]], Future[T]]) -> None:
        try:
            taken = snapshot.save(
                self._path,
                lambda question: ask(question).result(PATIENCE_S),
                region=self._region,
                secret=self._secret,
            )
        except (SnapshotError, BusyError, TimeoutError) as error:
            problem = str(error) or "the tracker did not answer"
            if problem != self._problem:
                log.error("no snapshot could be taken", problem=problem)
            self._problem = problem
            return
        if self._problem is not None and self._taken_ns is not None:
            log.info("snapshots are taken again")
        self._problem = None
        self._taken_ns, self._bytes = time.time_ns(), taken.bytes
        log.debug("snapshot", bytes=taken.bytes, longest_step_s=taken.longest_step_s)

    @property
    def problem(self) -> str | None:
        return self._problem

    def status(self) -> SnapshotStatus:
        return SnapshotStatus(
            taken=None if self._taken_ns is None else moment(self._taken_ns),
            bytes=self._bytes,
            restored=self._restored,
            problem=self._problem,
        )
