"""What the box reports of itself, once a minute: what it counted, and how it is."""

import asyncio
import time
from collections.abc import Callable, Mapping

import msgspec

from appliance import log
from appliance.findings import moment
from appliance.live.status import Status
from appliance.report import MAX_TEXT, Health, Minute, payload
from appliance.reporting.grades import SELF
from appliance.reporting.reporter import ReporterStatus
from appliance.storage.spool import Spool
from models.fraud_types import FraudType

MINUTE_NS = 60 * 10**9
MAX_PROBLEMS = 32
MAX_BUNDLES = 16


class Counted(msgspec.Struct, frozen=True):
    """Counters of the service since its start, as they were at one moment."""

    calls: int
    watched: int
    flagged: int
    sip_messages: int
    packets: int
    dropped: int
    fraud_types: dict[FraudType, int]

    @classmethod
    def of(cls, status: Status, fraud_types: Mapping[FraudType, int]) -> "Counted":
        return cls(
            calls=status.calls,
            watched=status.watched,
            flagged=status.flagged,
            sip_messages=status.traffic.sip_messages,
            packets=status.capture.packets,
            dropped=status.capture.dropped,
            fraud_types=dict(fraud_types),
        )


class SelfReport:
    """Puts a minute and a health report into `spool` at the end of each minute of the wall clock, once the box is
    enrolled.

    `status` and `fraud_types` (verdicts by fraud type) count since the start of the service; `config` gives the
    fingerprint of the configuration in force.
    """

    def __init__(
        self,
        spool: Spool,
        status: Callable[[], Status],
        fraud_types: Callable[[], Mapping[FraudType, int]],
        reporter: Callable[[], ReporterStatus],
        config: Callable[[], str],
    ) -> None:
        self._spool = spool
        self._status = status
        self._fraud_types = fraud_types
        self._reporter = reporter
        self._config = config
        self._before = Counted(0, 0, 0, 0, 0, 0, {})

    async def run(self) -> None:
        """Reports until it is cancelled."""
        while True:
            now_ns = time.time_ns()
            await asyncio.sleep((MINUTE_NS - now_ns % MINUTE_NS) / 1e9)
            try:
                await asyncio.to_thread(self.report, now_ns)
            except Exception:
                # a fault in here must not end the reports of all minutes to come
                log.exception("the box could not report on itself")

    def report(self, time_ns: int) -> None:
        """Reports the minute of `time_ns`, and the health as of now."""
        if self._reporter().state == "off":
            return
        status = self._status()
        counted = Counted.of(status, self._fraud_types())
        minute = self._minute(time_ns - time_ns % MINUTE_NS, counted)
        health = self._health(status, minute)
        self._before = counted
        self._spool.put(SELF, payload(minute))
        self._spool.put(SELF, payload(health))

    def _minute(self, start_ns: int, now: Counted) -> Minute:
        before = self._before
        names = ("calls", "watched", "flagged", "sip_messages", "packets", "dropped")
        grown = {name: max(0, getattr(now, name) - getattr(before, name)) for name in names}
        frauds = {name: count - before.fraud_types.get(name, 0) for name, count in now.fraud_types.items()}
        return Minute(
            start=moment(start_ns),
            **grown,
            fraud_types={str(name): count for name, count in frauds.items() if count > 0},
        )

    def _health(self, status: Status, minute: Minute) -> Health:
        seen = minute.packets + minute.dropped
        spool = self._spool.health()
        return Health(
            time=moment(time.time_ns()),
            version=status.version[:MAX_TEXT],
            started=status.started,
            capture_loss=minute.dropped / seen if seen else 0.0,
            spool_depth=spool.depth,
            spool_dropped=spool.dropped,
            clock_offset_ms=self._reporter().clock_offset_ms,
            bundles=sorted(status.bundles.values())[:MAX_BUNDLES],
            config=self._config(),
            problems=[problem[:MAX_TEXT] for problem in status.problems[:MAX_PROBLEMS]],
        )
