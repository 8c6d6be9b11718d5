"""The tracker: the thread that owns the pipeline and polls every source.

Theory of operation
-------------------
A turn waits until a source has packets, a question is asked, or the time is up; then it takes from every source what
is within reach, at most a block each, so that none starves the others. A block ends when it is full, or with the turn
when the one before ended `verdict_delay_ms` ago. So a row is judged at once while there are few, and when there are
many it waits for company, but no longer than that: a batch of a few rows costs hardly more than a batch of one.

Nothing that this thread calls waits for anything else than the poll: lines go to an outlet that drops rather than
blocks, questions are answered between two blocks, and sources open themselves again by and by.

Time. With a live source among its own, the tracker tells the engine the time of a clock that never steps
(appliance/live/clock.py). With recordings only, time comes with the packets, as in `screen`, and so do the verdicts.
"""

import math
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TypeVar

from appliance import log
from appliance.errors import BusyError
from appliance.live.clock import Clock
from appliance.live.totals import Totals
from appliance.outlet import Outlet
from appliance.pipeline import Pipeline
from appliance.sources.hep import HepSource
from appliance.sources.hep_secrets import HepSecrets
from appliance.sources.source import Source, SourceCounters

T = TypeVar("T")

# Sources without anything to wait for are visited so often, and the engine is told the time.
VISIT_S = 0.1
# How often the totals that others read are brought up to date, and findings with news are reported.
TOTALS_S = 0.5
REFRESH_S = 5.0
# Of these so many in one turn: some hundred microseconds, and at a thousand turns a second more than there can be.
REFRESH_AT_ONCE = 16
# What a source still holds at the end is taken for at most so long: one that is flooded never comes to an end.
DRAIN_S = 10.0
# Questions that wait: each client asks one at a time.
MAX_QUESTIONS = 64
# A row of a recording beside live sources says nothing of the box's speed. See LATE_NS in kernels/engine.pyx.
LATEST_S = 60.0


class Tracker(threading.Thread):
    """Runs until `stop`. `outlet` takes what is found; `delay_s` is how long rows may wait for company.

    `failure` is what ended the thread before its time.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        sources: Sequence[Source],
        outlet: Outlet,
        delay_s: float,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(name="tracker", daemon=True)
        self.sources = list(sources)
        self.outlet = outlet
        self.delay_s = delay_s
        self.clock = clock or Clock()
        self._moves_time = _moves_time(sources)
        self.tally = pipeline.tally
        self.turns = 0  # how often the loop went round: what the watchdog looks at
        self.blocks = 0
        self.failure: BaseException | None = None
        self._pipeline = pipeline
        self._closed_counters = SourceCounters()
        self.totals = self._totals()
        self._questions: deque[tuple[Callable[[Pipeline], object], Future]] = deque()
        self._drained: Future[None] = Future()
        self._asking = threading.Lock()
        self._closed = False
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll = select.poll()
        self._polled: list[int] = []
        self._draining = False
        self._stopping = False
        self._hungry = False  # a source has more within reach than was taken
        self._block_s = 0.0  # when the last block ended
        self._visit_s = self._totals_s = self._refresh_s = 0.0
        self._untold = 0  # findings with news that are due to be reported

    # -- what other threads call ----------------------------------------------------------------------------

    def ask(self, question: Callable[[Pipeline], T]) -> "Future[T]":
        """Runs `question` on the tracker's thread, between two blocks. It must be short: packets wait meanwhile.

        The future raises what the question raised; BusyError when too many wait, or the tracker has ended.
        """
        future: Future[T] = Future()
        with self._asking:
            if self._closed:
                future.set_exception(BusyError("the tracker has ended"))
            elif len(self._questions) >= MAX_QUESTIONS:
                future.set_exception(BusyError(f"{MAX_QUESTIONS} questions wait already"))
            else:
                self._questions.append((question, future))
                os.eventfd_write(self._wake, 1)
        return future

    def drain(self) -> "Future[None]":
        """Ends the screening in order: what the sources hold is still taken, they are closed, the last block is ended
        and reported. From then on only questions are answered, until `stop`."""
        with self._asking:
            self._draining = True
            if not self._closed:
                os.eventfd_write(self._wake, 1)
        return self._drained

    def stop(self) -> None:
        """Drains, and ends the thread."""
        self._stopping = True
        self.drain()

    def watch(self, sources: Sequence[Source]) -> "Future[None]":
        """Takes these sources instead of those it has, which are closed; one that is in both goes on."""
        return self.ask(lambda _: self._replace(list(sources)))

    def renew(self, secrets: HepSecrets) -> "Future[None]":
        """Gives the sources of HEP the key and certificate that are in force from now on."""
        return self.ask(lambda _: self._renew(secrets))

    # -- the thread -----------------------------------------------------------------------------------------

    def run(self) -> None:
        try:
            self._poll.register(self._wake, select.POLLIN)
            while not self._draining:
                self._turn()
            self._drain()
            while not self._stopping:
                self._wait()
                self._answer()
                self.turns += 1
        except BaseException as error:
            self.failure = error
            log.exception("the tracker failed")
        finally:
            self._close()

    def _turn(self) -> None:
        ready = self._wait()
        self._answer()
        self._advance()
        now_s = time.monotonic()
        visit = now_s >= self._visit_s
        hungry, self._hungry = self._hungry, False
        for source in self.sources:
            if visit or hungry or source.fileno() in ready:
                self._take(source)
        self._end_block_in_time()
        if visit:
            self._visit_s = now_s + VISIT_S
            self._look_after(now_s)
        self._refresh(REFRESH_AT_ONCE)
        self.turns += 1

    def _wait(self) -> set[int]:
        """The descriptors that are readable, as soon as one is, or the time is up."""
        wanted = [fd for source in self.sources if (fd := source.fileno()) >= 0]
        if wanted != self._polled:
            for fd in self._polled:
                self._poll.unregister(fd)
            for fd in wanted:
                self._poll.register(fd, select.POLLIN)
            self._polled = wanted
        ready = {fd for fd, _ in self._poll.poll(self._patience_ms())}
        if self._wake in ready:
            os.eventfd_read(self._wake)
        return ready

    def _patience_ms(self) -> int:
        if self._hungry or self._stopping or self._untold:
            return 0
        until_s = min(self._visit_s, time.monotonic() + VISIT_S)
        if self._pipeline.engine.rows:
            until_s = min(until_s, self._block_s + self.delay_s)
        return max(0, math.ceil((until_s - time.monotonic()) * 1e3))

    def _take(self, source: Source) -> None:
        """What is within reach, at most a block."""
        source.receive()
        if source.reader is None:
            return
        before = self._pipeline.engine.packets
        if self._pipeline.run(source.reader, live=source.live):
            self._end_block()
            self._hungry = True
        elif source.fileno() < 0 and self._pipeline.engine.packets != before:
            self._hungry = True  # there is nothing to wait for: more may be within reach at once

    def _advance(self) -> None:
        if not self._moves_time:
            return
        now_ns = self.clock.now_ns()
        while self._pipeline.advance(now_ns, self.clock.offset_ns):
            self._end_block()

    def _end_block_in_time(self) -> None:
        engine = self._pipeline.engine
        if engine.rows:
            delay_s = self.delay_s
        elif engine.finished_calls:
            delay_s = VISIT_S  # nobody waits for the line of a call that is over
        else:
            return
        if time.monotonic() >= self._block_s + delay_s:
            self._end_block()

    def _end_block(self) -> None:
        times = self._pipeline.engine.row_times()
        self._pipeline.end_block(self.outlet)
        self.blocks += 1
        self._block_s = time.monotonic()
        if self._moves_time and len(times):
            latency_s = (self.clock.wall_ns() - times) * 1e-9
            self.tally.latency_s.add(latency_s[latency_s < LATEST_S])

    def _answer(self) -> None:
        """Between two blocks: the one at hand is ended first."""
        if not self._questions:
            return
        self._end_block()
        for _ in range(len(self._questions)):
            question, future = self._questions.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(question(self._pipeline))
            except BaseException as error:
                future.set_exception(error)

    def _look_after(self, now_s: float) -> None:
        if now_s >= self._totals_s:
            self._totals_s = now_s + TOTALS_S
            self.totals = self._totals()
        if now_s >= self._refresh_s:
            self._refresh_s = now_s + REFRESH_S
            self._untold = self._pipeline.findings.untold

    def _refresh(self, at_most: int) -> None:
        if self._untold:
            self._pipeline.refresh(self.outlet, at_most)
            self._untold = max(0, self._untold - at_most)

    def _totals(self) -> Totals:
        return Totals.of(self._pipeline, self.sources, self._closed_counters)

    def _renew(self, secrets: HepSecrets) -> None:
        for source in self.sources:
            if isinstance(source, HepSource):
                source.use(secrets)

    def _replace(self, sources: list[Source]) -> None:
        for source in self.sources:
            if source not in sources:
                source.close()
                self._closed_counters += source.counters()
        self.sources = sources
        self._moves_time = self._moves_time or _moves_time(sources)

    # -- the end --------------------------------------------------------------------------------------------

    def _drain(self) -> None:
        """Takes what the sources held when they were told to stop. What comes later is not waited for."""
        for source in self.sources:
            self._empty(source)
        self._end_block()
        self._pipeline.refresh(self.outlet, self._pipeline.findings.untold)
        self.totals = self._totals()
        self._replace([])
        self._hungry = False
        self._visit_s = math.inf
        self._drained.set_result(None)

    def _empty(self, source: Source) -> None:
        until_s = time.monotonic() + DRAIN_S
        more = True
        while more and time.monotonic() < until_s:
            before = self._pipeline.engine.packets
            self._hungry = False
            self._advance()
            self._take(source)
            more = self._hungry or self._pipeline.engine.packets != before

    def _close(self) -> None:
        for source in self.sources:
            source.close()
        with self._asking:
            self._closed = True
            os.close(self._wake)
        for future in [*(future for _, future in self._questions), self._drained]:
            if not future.done():
                future.set_exception(BusyError("the tracker has ended"))


def _moves_time(sources: Sequence[Source]) -> bool:
    """Whether time passes without packets: it does unless there are recordings only, which have times of their own."""
    return not sources or any(source.live for source in sources)
