"""Metrics of the collector for Prometheus: http://127.0.0.1:9161/metrics.

Names are `sipwarden_collector_<noun>_<unit>`, counters end in `_total` and are since the start of the process, but for
those of webhooks, which the store keeps. No label holds a number or an address. docs/METRICS.md lists them all.
"""

import logging
import platform
import resource
import time
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

from litestar import Litestar, Response, get
from prometheus_client import CollectorRegistry, disable_created_metrics, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from collector.refusals import Refusals
from collector.store.database import first_line, size_bytes
from collector.store.store import Store
from collector.store.webhooks import Queue
from collector.webhooks.dispatcher import Totals as WebhookTotals
from collector.writer import Writer
from models.verdict import VERDICTS

CONTENT_TYPE = "text/plain; version=0.0.4"
PREFIX = "sipwarden_collector_"
WEBHOOK = ("webhook",)

log = logging.getLogger("collector.metrics")
disable_created_metrics()  # when a process started is one metric, not one of each counter


class Metrics(Collector):
    """All metrics of one collector, taken at the moment of the scrape."""

    def __init__(self, store: Store, writer: Writer, refusals: Refusals, webhooks: WebhookTotals) -> None:
        self._store = store
        self._writer = writer
        self._refusals = refusals
        self._webhooks = webhooks
        self._started_s = time.time()
        self.registry = CollectorRegistry()
        self.registry.register(self)

    def text(self) -> bytes:
        """What a scrape gets."""
        return generate_latest(self.registry)

    def describe(self) -> Iterable[Metric]:
        """Nothing is asked before the first scrape."""
        return ()

    def collect(self) -> Iterator[Metric]:
        build = {"version": version("sipwarden"), "python": platform.python_version()}
        yield InfoMetricFamily(f"{PREFIX}build", "The version that runs.", value=build)
        yield _gauge("start_timestamp_seconds", "When the collector started.", self._started_s)
        yield from self._ingest()
        try:
            stored = [*self._stored()]
        except SQLAlchemyError as error:
            log.error("metrics_without_store error=%r", first_line(error))
            stored = []
        yield _gauge("store_up", "1 while the store answers.", float(bool(stored)))
        yield from stored
        yield _counter(
            "webhook_failed_attempts", "Attempts to deliver that failed.", self._webhooks.failed + self._webhooks.died
        )
        yield from _process()

    def _ingest(self) -> Iterator[Metric]:
        totals = self._writer.totals
        yield _counter("batches", "Batches acknowledged.", totals.batches)
        yield _counter(
            "failed_batches", "Batches that the store did not take; their boxes send again.", totals.failures
        )
        yield _counter(
            "transactions", "Transactions of the writer; one holds all batches that wait.", totals.transactions
        )
        outcomes = {"stored": totals.reports, "duplicate": totals.duplicates, "rejected": totals.rejected}
        yield _counters("reports", "Reports in acknowledged batches.", ("outcome",), outcomes)
        verdicts = {str(name): totals.findings[position] for position, name in enumerate(VERDICTS) if position}
        yield _counters("findings", "New findings stored.", ("verdict",), verdicts)
        yield _counters("refusals", "Requests refused, by reason.", ("reason",), dict(self._refusals.by_reason))
        yield from self._writer.latency.collect()
        yield _gauge("waiting_bytes", "Batches that wait for the writer.", self._writer.waiting_bytes)

    def _stored(self) -> Iterator[Metric]:
        boxes = self._store.fleet.counts()
        yield _gauges("boxes", "Boxes; those that should have been heard of are silent.", ("state",), boxes)
        yield _gauge("store_size_bytes", "Size of the store on disk, its log with it.", size_bytes(self._store.engine))
        hooks, queues = self._store.webhooks.webhooks(), self._store.webhooks.queues()
        waiting = {hook.name: queues.get(hook.id, Queue()).waiting for hook in hooks}
        dead = {hook.name: queues.get(hook.id, Queue()).dead for hook in hooks}
        yield _gauges("webhook_waiting_deliveries", "Deliveries that wait, by webhook.", WEBHOOK, waiting)
        yield _gauges("webhook_dead_deliveries", "Deliveries that were given up, by webhook.", WEBHOOK, dead)
        delivered = {hook.name: hook.delivered for hook in hooks}
        dropped = {hook.name: hook.dropped for hook in hooks}
        yield _counters("webhook_deliveries", "Deliveries made, by webhook.", WEBHOOK, delivered)
        yield _counters("webhook_dropped_deliveries", "What the queue of a webhook had no room for.", WEBHOOK, dropped)


def _process() -> Iterator[Metric]:
    resident_pages = int(Path("/proc/self/statm").read_text().split()[1])
    resident_bytes = resident_pages * resource.getpagesize()
    yield _counter("process_cpu_seconds", "Processor time of all threads.", time.process_time())
    yield _gauge("process_resident_memory_bytes", "Memory of the process that is in RAM.", resident_bytes)


def _counter(name: str, documentation: str, value: float) -> Metric:
    return CounterMetricFamily(PREFIX + name, documentation, value=value)


def _gauge(name: str, documentation: str, value: float) -> Metric:
    return GaugeMetricFamily(PREFIX + name, documentation, value=value)


def _counters(name: str, documentation: str, labels: tuple[str], values: Mapping[str, float]) -> Metric:
    family = CounterMetricFamily(PREFIX + name, documentation, labels=labels)
    for label, value in values.items():
        family.add_metric((label,), value)
    return family


def _gauges(name: str, documentation: str, labels: tuple[str], values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(PREFIX + name, documentation, labels=labels)
    for label, value in values.items():
        family.add_metric((label,), value)
    return family


def metrics_app(metrics: Metrics) -> Litestar:
    """The application behind the metrics' listener."""

    @get("/metrics", sync_to_thread=True)
    def scrape() -> Response[bytes]:
        """All metrics, in Prometheus' text format."""
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    return Litestar([scrape], openapi_config=None, logging_config=None)
