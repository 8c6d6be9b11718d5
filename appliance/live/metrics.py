"""Metrics for Prometheus: http://127.0.0.1:9160/metrics, and `sipwarden metrics`.

Everything is taken from the status and the tally at the moment of the scrape; nothing is counted twice. Names are
`sipwarden_<noun>_<unit>`, counters end in `_total`, and no label holds a number or an address of the traffic. What
happened at a moment is given as the moment: its age is `time() - x`, which no step of this box's clock can spoil.
docs/METRICS.md lists them all.
"""

import platform
import resource
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Protocol

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from appliance.histogram import Histogram
from appliance.live.status import SpoolStatus, Status, StoreStatus
from appliance.tally import Tally

DISK_STATES = ("ok", "full", "read_only", "corrupt", "unavailable")


class Observed(Protocol):
    """What metrics are taken from; `status` and `evictions` are asked for in the thread of the scrape."""

    @property
    def tally(self) -> Tally: ...

    def status(self) -> Status: ...

    def evictions(self) -> Mapping[str, int]: ...


class Metrics(Collector):
    """All metrics of one service."""

    def __init__(self, box: Observed) -> None:
        self._box = box
        self.registry = CollectorRegistry()
        self.registry.register(self)

    def text(self) -> str:
        """What a scrape gets."""
        return generate_latest(self.registry).decode()

    def describe(self) -> Iterable[Metric]:
        """Nothing is asked of the box before the first scrape."""
        return ()

    def collect(self) -> Iterator[Metric]:
        status, tally = self._box.status(), self._box.tally
        yield _info(
            "sipwarden_build", "The version that runs.", version=status.version, python=platform.python_version()
        )
        yield _gauge("sipwarden_start_timestamp_seconds", "When the service started.", _seconds(status.started))
        yield _gauge(
            "sipwarden_problems",
            "What keeps the service from its work, as `sipwarden status` lists it.",
            len(status.problems),
        )
        yield from _capture(status)
        yield from _traffic(status)
        yield from _evictions(self._box.evictions())
        yield from _judgement(status, tally)
        yield from _disk(status)
        yield from _process()


def _capture(status: Status) -> Iterator[Metric]:
    sources = status.capture.sources
    counters = (
        ("packets", "sipwarden_capture_packets", "Packets taken."),
        ("bytes", "sipwarden_capture_bytes", "Bytes of packets taken, as they were on the wire."),
        ("dropped", "sipwarden_capture_dropped_packets", "Packets lost before they were read, for want of room."),
        ("duplicates", "sipwarden_capture_duplicate_packets", "Copies of packets, which were left out."),
        ("errors", "sipwarden_capture_errors", "What came and could not be used."),
    )
    for field, name, documentation in counters:
        values = {(source.name,): getattr(source, field) for source in sources}
        yield _counters(name, documentation, ("source",), values)
    up = {(source.name,): float(source.state == "up") for source in sources}
    yield _gauges("sipwarden_source_up", "1 while the source delivers, 0 while it is down.", ("source",), up)


def _traffic(status: Status) -> Iterator[Metric]:
    traffic = status.traffic
    messages = {("request",): traffic.sip_requests, ("response",): traffic.sip_responses}
    yield _counters("sipwarden_sip_messages", "SIP messages read.", ("kind",), messages)
    yield _counter("sipwarden_malformed_messages", "What began as SIP and was not.", traffic.malformed)
    yield _counter(
        "sipwarden_corrected_packets", "Packets whose time could not be, and was taken as of now.", traffic.corrected
    )
    yield _counter("sipwarden_rtp_packets", "RTP packets of known streams.", traffic.rtp_packets)
    yield _counter("sipwarden_rtp_streams", "RTP streams seen.", traffic.rtp_streams)
    yield _counter("sipwarden_calls", "Calls seen: Call-IDs that had an INVITE.", status.calls)
    yield _gauge("sipwarden_open_calls", "Calls that are being followed now.", status.open_calls)
    if traffic.time is not None:
        yield _gauge(
            "sipwarden_engine_timestamp_seconds", "How far the engine is, in capture time.", _seconds(traffic.time)
        )


def _evictions(evicted: Mapping[str, int]) -> Iterator[Metric]:
    values = {(table,): count for table, count in evicted.items()}
    yield _counters("sipwarden_evicted_entries", "Entries that made room for others, by table.", ("table",), values)


def _judgement(status: Status, tally: Tally) -> Iterator[Metric]:
    verdicts = dict(tally.verdicts)
    yield _counters(
        "sipwarden_findings", "Calls and parties whose verdict rose to this one.", ("subject", "verdict"), verdicts
    )
    types = {(name,): count for name, count in tally.fraud_types.items()}
    yield _counters(
        "sipwarden_findings_by_fraud_type",
        "The same by fraud type; a finding may have several.",
        ("fraud_type",),
        types,
    )
    yield _gauge("sipwarden_suspected_parties", "Parties that are suspected now.", status.findings)
    yield _histograms(
        "sipwarden_verdict_latency_seconds",
        "From the timestamp of a packet to the verdict on it.",
        (),
        {(): tally.latency_s},
    )
    scores = {(rows,): histogram for rows, histogram in tally.scores.items()}
    yield _histograms(
        "sipwarden_model_score_ratio", "Calibrated scores, by the kind of rows scored.", ("rows",), scores
    )
    bundles = {tuple(item): 1.0 for item in status.bundles.items()}
    yield _gauges("sipwarden_bundle_info", "Which model bundle scores which rows.", ("rows", "bundle"), bundles)
    drift = {(one.rows, part): ratio for one in status.drift for part, ratio in one.ratio.items()}
    yield _gauges(
        "sipwarden_model_drift_ratio",
        "Population stability index of the score, and of each party's features, against the bundle's reference.",
        ("rows", "part"),
        drift,
    )


def _disk(status: Status) -> Iterator[Metric]:
    yield _gauge(
        "sipwarden_recorder_waiting_batches", "Batches of findings that wait for the disk.", status.queue.depth
    )
    yield _counter("sipwarden_recorder_dropped_batches", "What the disk was too slow for.", status.queue.dropped)
    yield _counter("sipwarden_recorder_unreadable_entries", "Findings lost as no report.", status.queue.unreadable)
    if status.store is not None:
        yield from _store(status.store)
    if status.spool is not None:
        yield from _spool(status.spool, awaited=status.reporting.state != "off")
    snapshot = status.snapshot
    if snapshot.taken is not None:
        taken_s = _seconds(snapshot.taken)
        yield _gauge("sipwarden_snapshot_timestamp_seconds", "When the last snapshot was taken.", taken_s)
        yield _gauge("sipwarden_snapshot_size_bytes", "Size of the last snapshot.", snapshot.bytes)
    failed = float(snapshot.problem is not None)
    yield _gauge("sipwarden_snapshot_failed", "1 while the last snapshot failed, or was refused at the start.", failed)


def _store(store: StoreStatus) -> Iterator[Metric]:
    states = {(state,): float(state == store.state) for state in DISK_STATES}
    yield _gauges("sipwarden_store_state", "1 for the state that the store of findings is in.", ("state",), states)
    yield _gauge("sipwarden_store_size_bytes", "Size of the store on disk.", store.bytes)
    yield _gauge("sipwarden_store_findings", "Findings in the store.", store.findings)
    yield _gauge("sipwarden_store_waiting_findings", "Findings in memory, for the disk to take.", store.waiting)
    yield _counter("sipwarden_store_lost_findings", "Findings that could not be stored.", store.lost)
    yield _counter(
        "sipwarden_store_retired_findings", "Findings given up for newer ones before their age.", store.retired
    )


def _spool(spool: SpoolStatus, *, awaited: bool) -> Iterator[Metric]:
    """`awaited`: a collector is to take what waits, so that its age means something."""
    states = {(state,): float(state == spool.state) for state in DISK_STATES}
    yield _gauges("sipwarden_spool_state", "1 for the state that the spool is in.", ("state",), states)
    yield _gauge("sipwarden_spool_size_bytes", "Size of the spool on disk.", spool.bytes)
    yield _gauge("sipwarden_spool_waiting_reports", "Reports that wait for the collector.", spool.depth)
    if awaited and spool.oldest is not None:
        yield _gauge(
            "sipwarden_spool_oldest_timestamp_seconds",
            "When the report was made that the collector has kept waiting the longest.",
            _seconds(spool.oldest),
        )
    yield _counter("sipwarden_spool_dropped_reports", "Reports that made room for others.", spool.dropped)
    yield _counter(
        "sipwarden_spool_lost_reports", "Reports that could not be written, or not be read again.", spool.lost
    )


def _process() -> Iterator[Metric]:
    """prometheus_client's own collector needs /proc/stat, which the service is not shown (ProcSubset=pid)."""
    resident_pages = int(Path("/proc/self/statm").read_text().split()[1])
    open_files = sum(1 for _ in Path("/proc/self/fd").iterdir())
    yield _counter("sipwarden_process_cpu_seconds", "Processor time of all threads.", time.process_time())
    yield _gauge(
        "sipwarden_process_resident_memory_bytes",
        "Memory of the process that is in RAM.",
        resident_pages * resource.getpagesize(),
    )
    yield _gauge("sipwarden_process_open_files", "Open file descriptors.", open_files)
    yield _gauge("sipwarden_process_threads", "Threads, those of native code too.", _threads())


def _threads() -> int:
    return sum(1 for _ in Path("/proc/self/task").iterdir())


def _seconds(moment: str) -> float:
    """RFC 3339 as seconds since the epoch."""
    return datetime.fromisoformat(moment).timestamp()


def _counter(name: str, documentation: str, value: float) -> Metric:
    return CounterMetricFamily(name, documentation, value=value)


def _gauge(name: str, documentation: str, value: float) -> Metric:
    return GaugeMetricFamily(name, documentation, value=value)


def _info(name: str, documentation: str, **labels: str) -> Metric:
    return InfoMetricFamily(name, documentation, value=labels)


def _counters(name: str, documentation: str, labels: tuple[str, ...], values: Mapping[tuple, float]) -> Metric:
    family = CounterMetricFamily(name, documentation, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def _gauges(name: str, documentation: str, labels: tuple[str, ...], values: Mapping[tuple, float]) -> Metric:
    family = GaugeMetricFamily(name, documentation, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def _histograms(name: str, documentation: str, labels: tuple[str, ...], values: Mapping[tuple, Histogram]) -> Metric:
    family = HistogramMetricFamily(name, documentation, labels=labels)
    for key, histogram in values.items():
        bounds = [*(str(bound) for bound in histogram.bounds), "+Inf"]
        buckets = list(zip(bounds, histogram.cumulative(), strict=True))
        family.add_metric(key, buckets, sum_value=histogram.sum)
    return family
