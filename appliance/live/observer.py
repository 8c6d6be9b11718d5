"""The status of the service: put together from what its parts say of themselves. Nothing in here waits."""

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version

from appliance.findings import moment
from appliance.live.recorder import Recorder
from appliance.live.status import (
    CaptureStatus,
    DriftStatus,
    LatencyStatus,
    QueueStatus,
    RateStatus,
    ReportingStatus,
    SnapshotStatus,
    SpoolStatus,
    Status,
    StoreStatus,
    TrafficStatus,
)
from appliance.live.totals import Totals
from appliance.reporting.reporter import ReporterStatus
from appliance.tally import Tally
from models.drift import DriftReport

# Rates are those of the last so many samples, which are a second apart.
SAMPLES = 10
COUNTED = ("packets", "calls", "flagged", "watched")


@dataclass(frozen=True, slots=True)
class _Sample:
    at_s: float
    packets: int
    calls: int
    verdicts: int


class Observer:
    """Of one run of the service."""

    def __init__(self) -> None:
        self.version = version("sipwarden")
        self.started_ns = time.time_ns()
        self._started_s = time.monotonic()
        self._samples: deque[_Sample] = deque([_Sample(self._started_s, 0, 0, 0)], maxlen=SAMPLES + 1)
        self._counted = dict.fromkeys(COUNTED, 0)

    @property
    def uptime_s(self) -> float:
        return time.monotonic() - self._started_s

    def sample(self, totals: Totals, tally: Tally) -> dict[str, int]:
        """Once a second. What came since the last time, for the counters of the minute."""
        summary = totals.summary
        verdicts = sum(histogram.count for histogram in tally.scores.values())
        self._samples.append(_Sample(time.monotonic(), int(summary["packets"]), int(summary["calls"]), verdicts))
        counted = {name: int(summary[name]) for name in COUNTED}
        news = {name: value - self._counted[name] for name, value in counted.items()}
        self._counted = counted
        return {name: value for name, value in news.items() if value > 0}

    def rates(self) -> RateStatus:
        first, last = self._samples[0], self._samples[-1]
        elapsed_s = last.at_s - first.at_s
        if elapsed_s <= 0:
            return RateStatus(packets=0.0, calls=0.0, verdicts=0.0)
        return RateStatus(
            packets=round((last.packets - first.packets) / elapsed_s, 1),
            calls=round((last.calls - first.calls) / elapsed_s, 1),
            verdicts=round((last.verdicts - first.verdicts) / elapsed_s, 1),
        )

    def status(
        self,
        totals: Totals,
        tally: Tally,
        recorder: Recorder,
        reporter: ReporterStatus,
        bundles: dict[str, str],
        snapshot: SnapshotStatus,
        problems: Iterable[str],
    ) -> Status:
        summary = totals.summary
        return Status(
            version=self.version,
            started=moment(self.started_ns),
            uptime_s=round(self.uptime_s, 3),
            mode="observe",
            problems=list(problems),
            capture=_capture(totals),
            traffic=_traffic(totals),
            calls=int(summary["calls"]),
            open_calls=totals.open_calls,
            flagged=int(summary["flagged"]),
            watched=int(summary["watched"]),
            findings=totals.findings,
            evicted=int(summary["evicted"]),
            rates=self.rates(),
            latency=_latency(tally),
            queue=QueueStatus(depth=recorder.depth, dropped=recorder.dropped, unreadable=recorder.unreadable),
            store=_store(recorder),
            spool=_spool(recorder),
            reporting=_reporting(reporter),
            bundles=bundles,
            drift=[_drift(report) for report in totals.drift],
            snapshot=snapshot,
        )


def _capture(totals: Totals) -> CaptureStatus:
    captured = totals.captured
    return CaptureStatus(
        packets=captured.packets,
        dropped=captured.dropped,
        bytes=captured.bytes,
        duplicates=captured.duplicates,
        sources=list(totals.sources),
    )


def _traffic(totals: Totals) -> TrafficStatus:
    summary = totals.summary
    return TrafficStatus(
        sip_messages=int(summary["sip_messages"]),
        sip_requests=int(summary["sip_requests"]),
        sip_responses=int(summary["sip_responses"]),
        malformed=int(summary["malformed"]),
        rtp_packets=int(summary["rtp_packets"]),
        rtp_streams=int(summary["rtp_streams"]),
        corrected=totals.corrected,
        time=moment(totals.time_ns) if totals.time_ns else None,
    )


def _drift(report: DriftReport) -> DriftStatus:
    return DriftStatus(
        rows=report.rows,
        state=report.state,
        counted=report.counted,
        ratio=report.ratio,
        feature=report.feature,
        feature_ratio=report.feature_ratio,
    )


def _latency(tally: Tally) -> LatencyStatus:
    latency_s = tally.latency_s

    def quantile_ms(share: float) -> float | None:
        found = latency_s.quantile(share)
        return None if found is None or found == float("inf") else found * 1e3

    return LatencyStatus(
        verdicts=latency_s.count, p50_ms=quantile_ms(0.5), p99_ms=quantile_ms(0.99), p999_ms=quantile_ms(0.999)
    )


def _store(recorder: Recorder) -> StoreStatus:
    health = recorder.store.health()
    return StoreStatus(
        state=health.state,
        problem=health.problem,
        bytes=health.bytes,
        findings=health.findings,
        waiting=health.waiting,
        lost=health.lost,
        retired=health.retired,
    )


def _spool(recorder: Recorder) -> SpoolStatus:
    health = recorder.spool.health()
    return SpoolStatus(
        state=health.state,
        problem=health.problem,
        bytes=health.bytes,
        depth=health.depth,
        dropped=health.dropped,
        lost=health.lost,
        oldest=None if health.oldest_ns is None else moment(health.oldest_ns),
    )


def _reporting(reporter: ReporterStatus) -> ReportingStatus:
    return ReportingStatus(
        state=reporter.state,
        acknowledged=reporter.acknowledged,
        given_up=reporter.given_up,
        last=moment(reporter.last_ns) if reporter.last_ns else None,
        clock_offset_ms=reporter.clock_offset_ms,
    )
