"""The recorder: the thread between the tracker and the disk.

What is found is put into a queue of bounded size, and never waited for: when the disk is too slow, the newest is
dropped and counted. The recorder takes all that waits at once, so that a burst is a few large transactions. Calls that
passed are not kept: they are in the counters. The spool gets a call or party when its verdict rises and a call when it
is over; what else becomes known of a party meanwhile goes to the store alone.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec

from appliance import log, report
from appliance.admin.allow_list import AllowList
from appliance.outlet import Outlet
from appliance.report import CallLine, SourceLine, StoredFinding
from appliance.reporting.call_summaries import CallSummaries
from appliance.reporting.grades import FLAG, WATCH
from appliance.storage.spool import Spool
from appliance.storage.store import Store

# What waits for the disk at most: several seconds of a flood of findings.
QUEUE_BYTES = 32 << 20
# Seconds of counters that wait, at most.
MAX_COUNTS = 3600
# Store and spool get a turn so often even when nothing was found: they may have been waiting for their disk.
IDLE_S = 2.0
# In a string of JSON the quotation marks would be escaped.
PASSED = b'"verdict":"pass"'
# What is raised for a line that is no report, or has no moment in it.
UNREADABLE = (msgspec.DecodeError, ValueError)
GRADES = {"watch": WATCH, "flag": FLAG}


def time_ns(moment: str) -> int:
    """Of RFC 3339 with microseconds, as reports have it."""
    whole = datetime.fromisoformat(moment)
    return int(whole.replace(microsecond=0).timestamp()) * 1_000_000_000 + whole.microsecond * 1000


def stored(line: bytes, allowed: AllowList) -> StoredFinding:
    """The finding that a line of a watched or flagged call or party is; `allowed` when an operator vouches for it."""
    found = report.decode(line)
    if not isinstance(found, CallLine | SourceLine) or found.flagged_at is None:
        raise ValueError("a line that is no finding")
    call = found if isinstance(found, CallLine) else None
    at_ns = time_ns(found.flagged_at)
    address = found.source if call is None else call.source.rpartition(":")[0].strip("[]")
    numbers = [found.caller, call.caller_e164 if call else None]
    return StoredFinding(
        time_ns=at_ns,
        kind="call" if call else "source",
        verdict=found.verdict if allowed.covers(at_ns, source=address, numbers=numbers) is None else "allowed",
        score=found.score,
        fraud_types=found.fraud_types,
        source=found.source,
        caller=found.caller,
        callee=found.callee,
        call_id=call.call_id if call else None,
        line=line,
    )


class Recorder(threading.Thread):
    """Stores what its `outlet` is given, until `stop`, and hands what is reported to `listener`, on its thread.

    `dropped` counts blocks of lines that found no room, `unreadable` lines that are lost alone. Findings about whom
    `allowed` covers are stored as such, and neither spooled nor handed on. `summaries` gets the calls that are over.
    """

    def __init__(
        self,
        store: Store,
        spool: Spool,
        listener: Callable[[StoredFinding], object] | None = None,
        queue_bytes: int = QUEUE_BYTES,
        summaries: CallSummaries | None = None,
    ) -> None:
        super().__init__(name="recorder", daemon=True)
        self.store = store
        self.spool = spool
        self.queue_bytes = queue_bytes
        self.dropped = 0
        self.unreadable = 0
        self.allowed = AllowList()
        self._listener = listener
        self._summaries = summaries
        self._counts: deque[tuple[int, Mapping[str, int]]] = deque(maxlen=MAX_COUNTS)
        self.outlet = Outlet(calls=self._finish, findings=self._update, alert=self._report)
        self._queue: deque[tuple[bytes, bool, bool]] = deque()  # lines; are they for the spool; are they calls' last
        self._waiting_bytes = 0
        self._news = threading.Condition()
        self._stopping = False

    @property
    def depth(self) -> int:
        """How many blocks of lines wait."""
        return len(self._queue)

    def count(self, time_ns: int, counts: Mapping[str, int]) -> None:
        """Adds to the counters of the minute of `time_ns`, wall clock."""
        self._counts.append((time_ns, counts))

    def stop(self) -> None:
        """Ends the thread when all that waits is stored."""
        with self._news:
            self._stopping = True
            self._news.notify()

    def run(self) -> None:
        while True:
            with self._news:
                if not self._queue and not self._stopping:
                    self._news.wait(IDLE_S)
                blocks = list(self._queue)
                self._queue.clear()
                self._waiting_bytes = 0
                last = self._stopping
            self._record(blocks)
            self.spool.try_again()
            if last:
                return

    def _finish(self, block: bytes) -> None:
        self._put(block, reported=True, over=True)

    def _report(self, block: bytes) -> None:
        self._put(block, reported=True)

    def _update(self, block: bytes) -> None:
        self._put(block, reported=False)

    def _put(self, block: bytes, *, reported: bool, over: bool = False) -> None:
        with self._news:
            if self._waiting_bytes + len(block) > self.queue_bytes:
                self.dropped += 1
                return
            self._queue.append((block, reported, over))
            self._waiting_bytes += len(block)
            self._news.notify()

    def _record(self, blocks: list[tuple[bytes, bool, bool]]) -> None:
        try:
            findings, over = self._read(blocks)
            while self._counts:
                self.store.count(*self._counts.popleft())
            self.store.put([finding for finding, _ in findings])
            for finding, reported in findings:
                if reported and finding.verdict in GRADES:
                    self.spool.put(GRADES[finding.verdict], finding.line)
                    if self._summaries is not None:
                        self._summaries.suspect(finding)
                    if self._listener is not None:
                        self._listener(finding)
            if self._summaries is not None:
                self._summarise(self._summaries, over)
        except Exception:
            # a fault in here must not keep the findings after these from being stored
            log.exception("findings could not be recorded", blocks=len(blocks))

    def _read(self, blocks: list[tuple[bytes, bool, bool]]) -> tuple[list[tuple[StoredFinding, bool]], list[bytes]]:
        """The findings, each with whether it is for the spool, and the lines of calls that are over."""
        findings, finished = [], []
        for block, reported, over in blocks:
            for line in block.splitlines():
                try:
                    if PASSED not in line:
                        findings.append((stored(line, self.allowed), reported))
                except UNREADABLE as error:
                    self._give_up(line, error)
                else:
                    finished += [line] if over else []
        return findings, finished

    def _summarise(self, summaries: CallSummaries, lines: list[bytes]) -> None:
        now_ns = time.time_ns()
        for line in lines:
            try:
                summaries.take(line, self.allowed, now_ns)
            except UNREADABLE as error:
                self._give_up(line, error)

    def _give_up(self, line: bytes, error: Exception) -> None:
        # of the line itself nothing is shown: the parties in it may be names, which no mask finds in a text
        self.unreadable += 1
        log.warning("a line could not be read and is lost", bytes=len(line), problem=str(error))
