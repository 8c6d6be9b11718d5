"""The one thread that writes reports into the store, and how it does so exactly once.

Theory of operation. Batches that wait are written together, in one transaction: a commit costs a flush of the disk,
however much it holds. In that transaction

1. the certificate and the box of each batch are looked at again, so that nothing is stored after a revocation;
2. the received ranges of each (box, incarnation) are read and locked; what they hold already is a duplicate;
3. rows are inserted, the ranges are written back, and all is committed, or none.

Only then are the batches acknowledged. A collector that dies before the commit has stored nothing; one that dies
after it has not acknowledged, the box sends again, and step 2 finds duplicates. When a transaction fails for what is
in it, each batch is tried alone, so that one cannot take others down.
"""

import logging
import queue
import threading
import time
from collections import Counter
from concurrent.futures import Future
from dataclasses import dataclass, field

from prometheus_client import Histogram
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from appliance.report import Acknowledgement
from collector.arrival import Arrival
from collector.deposit import Deposit
from collector.errors import BusyError, CollectorError
from collector.store.database import first_line, writing
from collector.store.ids import Ids
from collector.store.store import Store

MAX_GROUP_REPORTS = 4000  # of one transaction: longer ones would make everybody wait
MAX_WAITING = 2048  # batches
RETRY_AFTER_BUSY_S = 2
RETRY_AFTER_DOWN_S = 5
STOP_S = 30
LATENCIES_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

log = logging.getLogger("collector.writer")

Waiting = tuple[Arrival, "Future[Acknowledgement]"]


@dataclass(slots=True)
class Totals:
    """What was done since the start. Counted by the writer's thread; others may read at any time."""

    transactions: int = 0
    batches: int = 0  # acknowledged
    reports: int = 0  # stored
    duplicates: int = 0
    rejected: int = 0  # reports, as not of the schema
    failures: int = 0  # batches that the store did not take
    findings: Counter[int] = field(default_factory=Counter)  # new ones, by verdict


class Writer(threading.Thread):
    """Takes arrivals from any thread; each gets a Future of its acknowledgement."""

    def __init__(self, store: Store, max_bytes: int) -> None:
        super().__init__(name="writer", daemon=True)
        self._store = store
        self._ids: Ids | None = None
        self._max_bytes = max_bytes
        self._bytes = 0
        self._lock = threading.Lock()
        self._queue: queue.Queue[Waiting | None] = queue.Queue(MAX_WAITING)
        self._down = False
        self.totals = Totals()
        self.latency = Histogram(
            "sipwarden_collector_batch_latency_seconds",
            "From the arrival of a batch to its acknowledgement, after the commit.",
            buckets=LATENCIES_S,
            registry=None,
        )

    def submit(self, arrival: Arrival) -> "Future[Acknowledgement]":
        """Queues a batch. The future ends with a CollectorError when it was not stored. Raises BusyError when too
        much waits."""
        future: Future[Acknowledgement] = Future()
        future.set_running_or_notify_cancel()  # who waits for it may go away: it is written all the same
        with self._lock:
            if self._bytes + arrival.bytes > self._max_bytes and self._bytes:
                raise BusyError(429, RETRY_AFTER_BUSY_S, "too much waits to be stored")
            self._bytes += arrival.bytes
        try:
            self._queue.put_nowait((arrival, future))
        except queue.Full:
            self._give_back(arrival)
            raise BusyError(429, RETRY_AFTER_BUSY_S, "too much waits to be stored") from None
        return future

    @property
    def waiting_bytes(self) -> int:
        return self._bytes

    def stop(self) -> None:
        """Writes what waits, and ends the thread."""
        self._queue.put(None)
        self.join(STOP_S)

    def run(self) -> None:
        while (first := self._queue.get()) is not None:
            group, goes_on = self._group(first)
            self._write(group)
            if not goes_on:
                return

    def _group(self, first: Waiting) -> tuple[list[Waiting], bool]:
        """`first` and what waits behind it, as much as one transaction should hold; False when it is time to stop."""
        group = [first]
        reports = len(first[0].sequences)
        while reports < MAX_GROUP_REPORTS:
            try:
                following = self._queue.get_nowait()
            except queue.Empty:
                break
            if following is None:
                return group, False
            group.append(following)
            reports += len(following[0].sequences)
        return group, True

    def _write(self, group: list[Waiting]) -> None:
        arrivals = [arrival for arrival, _ in group]
        try:
            answers = self._commit(arrivals)
        except OperationalError as error:
            self._say_down(error)
            answers = [BusyError(503, RETRY_AFTER_DOWN_S, "the store cannot be reached")] * len(group)
        except Exception as error:
            log.error("transaction_failed batches=%d error=%r", len(group), first_line(error))
            answers = [self._write_alone(arrival) for arrival in arrivals]
        for (arrival, future), answer in zip(group, answers, strict=True):
            self._give_back(arrival)
            if isinstance(answer, Acknowledgement):
                self._count(answer)
                self.latency.observe(max(0, time.time_ns() - arrival.arrived_ns) / 1e9)
                future.set_result(answer)
            else:
                self.totals.failures += isinstance(answer, BusyError)
                future.set_exception(answer)

    def _count(self, answer: Acknowledgement) -> None:
        self.totals.batches += 1
        self.totals.reports += answer.stored
        self.totals.duplicates += answer.duplicates
        self.totals.rejected += len(answer.rejected)

    def _write_alone(self, arrival: Arrival) -> Acknowledgement | CollectorError:
        """A second try, for one batch of a group that failed together."""
        try:
            return self._commit([arrival])[0]
        except SQLAlchemyError as error:
            log.error("batch_failed box=%s error=%r", arrival.box, first_line(error))
        except Exception:  # what nobody thought of must not end the thread, and the log says where it was
            log.exception("batch_failed box=%s", arrival.box)
        return BusyError(503, RETRY_AFTER_DOWN_S, "the store failed for this batch")

    def _commit(self, arrivals: list[Arrival]) -> list[Acknowledgement | CollectorError]:
        if self._ids is None:
            self._ids = Ids(self._store.highest_id())
        try:
            with writing(self._store.engine.connect()) as connection, connection.begin():
                deposit = Deposit(connection, self._ids)
                answers = deposit.store(arrivals)
        except DBAPIError:
            self._ids = None  # another process may have given out the same ids
            raise
        self.totals.transactions += 1
        self.totals.findings.update(deposit.findings)
        if self._down:
            log.warning("store_back")
            self._down = False
        return answers

    def _say_down(self, error: Exception) -> None:
        if not self._down:
            log.error("store_down error=%r", first_line(error))
            self._down = True

    def _give_back(self, arrival: Arrival) -> None:
        with self._lock:
            self._bytes -= arrival.bytes
