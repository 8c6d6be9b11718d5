"""The recorder: the thread between the tracker and the disk.

What is found is put into a queue of bounded size, and never waited for: when the disk is too slow, the newest is
dropped and counted. The recorder takes all that waits at once, so that a burst is a few large transactions. Calls that
passed are not kept: they are in the counters. The spool gets a call or party when its verdict rises and a call when it
is over; what else becomes known of a party meanwhile goes to the store alone.
"""

import threading
from collections import deque
from datetime import datetime

from appliance import log, report
from appliance.outlet import Outlet
from appliance.report import CallLine, SourceLine, StoredFinding
from appliance.spool import Spool
from appliance.store import Store

# What waits for the disk at most: several seconds of a flood of findings.
QUEUE_BYTES = 32 << 20
# The store gets a turn so often even when nothing was found: it may have been waiting for its disk.
IDLE_S = 2.0
# In a string of JSON the quotation marks would be escaped.
PASSED = b'"verdict":"pass"'
# Grades of the spool: those of a lower one make room first.
GRADES = {"watch": 1, "flag": 2}


def time_ns(moment: str) -> int:
    """Of RFC 3339 with microseconds, as reports have it."""
    whole = datetime.fromisoformat(moment)
    return int(whole.replace(microsecond=0).timestamp()) * 1_000_000_000 + whole.microsecond * 1000


def stored(line: bytes) -> StoredFinding:
    """The finding that a line of a watched or flagged call or party is."""
    found = report.decode(line)
    if not isinstance(found, CallLine | SourceLine) or found.flagged_at is None:
        raise ValueError("a line that is no finding")
    is_call = isinstance(found, CallLine)
    return StoredFinding(
        time_ns=time_ns(found.flagged_at),
        kind="call" if is_call else "source",
        verdict=found.verdict,
        score=found.score,
        fraud_types=found.fraud_types,
        source=found.source,
        caller=found.caller,
        callee=found.callee,
        call_id=found.call_id if is_call else None,
        line=line,
    )


class Recorder(threading.Thread):
    """Stores what its `outlet` is given, until `stop`. `dropped` counts blocks of lines that found no room."""

    def __init__(self, store: Store, spool: Spool, queue_bytes: int = QUEUE_BYTES) -> None:
        super().__init__(name="recorder", daemon=True)
        self.store = store
        self.spool = spool
        self.queue_bytes = queue_bytes
        self.dropped = 0
        self.outlet = Outlet(calls=self._report, findings=self._update, alert=self._report)
        self._queue: deque[tuple[bytes, bool]] = deque()  # lines, and whether they are for the spool too
        self._waiting_bytes = 0
        self._news = threading.Condition()
        self._stopping = False

    @property
    def depth(self) -> int:
        """How many blocks of lines wait."""
        return len(self._queue)

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
            if last:
                return

    def _report(self, block: bytes) -> None:
        self._put(block, spooled=True)

    def _update(self, block: bytes) -> None:
        self._put(block, spooled=False)

    def _put(self, block: bytes, *, spooled: bool) -> None:
        with self._news:
            if self._waiting_bytes + len(block) > self.queue_bytes:
                self.dropped += 1
                return
            self._queue.append((block, spooled))
            self._waiting_bytes += len(block)
            self._news.notify()

    def _record(self, blocks: list[tuple[bytes, bool]]) -> None:
        try:
            findings = [
                (stored(line), spooled)
                for block, spooled in blocks
                for line in block.splitlines()
                if PASSED not in line
            ]
            self.store.put([finding for finding, _ in findings])
            for finding, spooled in findings:
                if spooled:
                    self.spool.put(GRADES[finding.verdict], finding.line)
        except Exception:
            # a fault in here must not keep the findings after these from being stored
            log.exception("findings could not be recorded", blocks=len(blocks))
