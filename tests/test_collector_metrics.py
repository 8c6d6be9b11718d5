"""The collector's metrics: true, documented, and watched by alerts that name what there is."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from litestar.testing import TestClient
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from collector.errors import RefusedError
from collector.metrics import Metrics, metrics_app
from collector.refusals import Refusals
from collector.store.store import Store
from collector.webhooks.dispatcher import Totals
from tests.collectors import ROOT, Desk, call_line, minute
from tests.consoles import dead_delivery
from tests.dashboards import check, check_panels, expressions, names_in

DOCUMENT = ROOT / "docs" / "METRICS.md"
DASHBOARD = ROOT / "contrib" / "grafana" / "sipwarden-collector.json"
RULES = ROOT / "contrib" / "prometheus" / "sipwarden-collector.rules.yml"
ROW = re.compile(r"^\| `(sipwarden_collector_\w+)` \| (\w+) \| (.*?) \| (.*) \|$", re.MULTILINE)


class Observed:
    """A desk with something of everything, and its metrics."""

    def __init__(self, url: str) -> None:
        self.desk = Desk(Store.open(url, create=True))
        self.refusals = Refusals(self.desk.store)
        store = self.desk.store
        serial = self.desk.enrol("edge-1")
        for box in ("edge-2", "edge-3"):
            self.desk.enrol(box)
        store.fleet.revoke("edge-3", "test")
        reports = [(1, call_line(1)), (2, call_line(2, "watch", score=0.5)), (3, minute()), (4, b'{"type": "minute"}')]
        self.desk.put("edge-1", serial, reports)
        self.desk.put("edge-1", serial, reports)
        self.refusals.note(RefusedError(403, "revoked", "it is", "edge-3"), "192.0.2.1")
        store.webhooks.add("siem", "https://siem.example/", "test")
        dead_delivery(store)
        self.metrics = Metrics(store, self.desk.writer, self.refusals, Totals(delivered=3, failed=2, died=1))

    def families(self) -> dict[str, Metric]:
        return {family.name: family for family in text_string_to_metric_families(self.metrics.text().decode())}

    def value(self, name: str, **labels: str) -> float:
        """The value of a sample; its name without the prefix."""
        full = f"sipwarden_collector_{name}"
        (found,) = [
            sample.value
            for family in self.families().values()
            for sample in family.samples
            if sample.name == full and sample.labels == labels
        ]
        return found


@pytest.fixture
def observed(store_url: str) -> Iterator[Observed]:
    made = Observed(store_url)
    yield made
    made.desk.close()


def test_the_metrics_are_what_happened(observed: Observed) -> None:
    assert observed.value("batches_total") == 2
    outcomes = {name: observed.value("reports_total", outcome=name) for name in ("stored", "duplicate", "rejected")}
    assert outcomes == {"stored": 3, "duplicate": 4, "rejected": 1}
    assert [observed.value("findings_total", verdict=each) for each in ("watch", "flag")] == [1, 1]
    assert observed.value("refusals_total", reason="revoked") == 1
    assert [observed.value("boxes", state=each) for each in ("active", "silent", "revoked")] == [1, 1, 1]
    assert observed.value("batch_latency_seconds_count") == 2
    assert 0 < observed.value("batch_latency_seconds_sum") < 60
    assert observed.value("store_up") == 1
    assert observed.value("store_size_bytes") > 100_000
    assert observed.value("webhook_dead_deliveries", webhook="siem") == 1
    assert observed.value("webhook_waiting_deliveries", webhook="siem") == 0
    assert observed.value("webhook_failed_attempts_total") == 3


def test_a_scrape_is_answered_while_the_store_is_away(observed: Observed, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = Store("sqlite:////nowhere/at/all.sqlite")
    monkeypatch.setattr(observed.metrics, "_store", elsewhere)
    answer = TestClient(metrics_app(observed.metrics)).get("/metrics")
    assert answer.status_code == 200
    assert "sipwarden_collector_store_up 0.0" in answer.text
    assert "sipwarden_collector_batches_total 2.0" in answer.text
    assert "_created" not in answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")


def test_the_document_lists_each_metric_of_the_collector_as_it_is(observed: Observed) -> None:
    given = []
    for family in observed.families().values():
        labels = sorted({label for sample in family.samples for label in sample.labels} - {"le"})
        name = family.name + "_total" * (family.type == "counter")
        given.append((name, family.type, ", ".join(f"`{label}`" for label in labels), family.documentation))
    assert ROW.findall(DOCUMENT.read_text()) == given


@pytest.mark.parametrize("path", [DASHBOARD, RULES], ids=["dashboard", "rules"])
def test_a_query_names_only_metrics_and_labels_that_there_are(observed: Observed, path: Path) -> None:
    samples = [sample for family in observed.families().values() for sample in family.samples]
    found = expressions(path)
    assert len(found) >= 6
    for expression in found:
        check(expression, {sample.name for sample in samples}, {label for sample in samples for label in sample.labels})


def test_every_metric_of_the_collector_is_on_its_dashboard(observed: Observed) -> None:
    shown = set().union(*(names_in(expression) for expression in expressions(DASHBOARD)))
    for family in observed.families().values():
        assert shown & {sample.name for sample in family.samples}, family.name


def test_the_panels_of_the_dashboard_do_not_lie_over_each_other() -> None:
    check_panels(DASHBOARD)


def test_every_alert_has_its_place_in_the_document() -> None:
    alerts = re.findall(r"^      - alert: (\w+)$", RULES.read_text(), re.MULTILINE)
    assert len(alerts) == len(expressions(RULES))
    runbook = (ROOT / "docs" / "COLLECTOR.md").read_text()
    assert alerts == re.findall(r"^\| `(Sipwarden\w+)` \|", runbook, re.MULTILINE)


def test_no_metric_holds_a_number_or_an_address(observed: Observed) -> None:
    text = observed.metrics.text().decode()
    assert "+49" not in text
    assert "192.0.2" not in text
