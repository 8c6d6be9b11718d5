"""Metrics: valid, complete, documented, without anyone's number, and served to whom they are for."""

import http.client
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import get_args, get_type_hints

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from appliance.errors import MetricsError
from appliance.histogram import Histogram
from appliance.live import metrics_server
from appliance.live.metrics import DISK_STATES, Metrics
from appliance.live.metrics_server import Server
from appliance.live.status import (
    CaptureStatus,
    DriftStatus,
    LatencyStatus,
    QueueStatus,
    RateStatus,
    ReportingStatus,
    SnapshotStatus,
    SourceStatus,
    SpoolStatus,
    Status,
    StoreStatus,
    TrafficStatus,
)
from appliance.tally import Tally
from tests.dashboards import check, check_panels, expressions
from tests.waiting import PATIENCE_S, until

ROOT = Path(__file__).resolve().parent.parent
LABELS = {
    "part",
    "source",
    "kind",
    "table",
    "subject",
    "verdict",
    "fraud_type",
    "rows",
    "bundle",
    "state",
    "version",
    "python",
}
UNITS = "seconds|bytes|packets|messages|calls|streams|findings|parties|entries|batches|reports|ratio|files|threads"


def source(name: str, **counts) -> SourceStatus:
    values = {"state": "up", "problem": None, "packets": 10, "dropped": 1, "bytes": 1000, "duplicates": 2, "errors": 3}
    return SourceStatus(name=name, **{**values, **counts})


STATUS = Status(
    version="0.1.0",
    started="2026-01-02T03:04:05.000000Z",
    uptime_s=60.0,
    mode="observe",
    problems=["the store is full"],
    capture=CaptureStatus(
        packets=30,
        dropped=2,
        bytes=2000,
        duplicates=4,
        sources=[source("eth1"), source("hep", state="down", problem="port in use", packets=20)],
    ),
    traffic=TrafficStatus(
        sip_messages=9,
        sip_requests=5,
        sip_responses=4,
        malformed=1,
        rtp_packets=100,
        rtp_streams=2,
        corrected=1,
        time="2026-01-02T03:05:05.500000Z",
    ),
    calls=3,
    open_calls=1,
    flagged=1,
    watched=0,
    findings=2,
    evicted=7,
    rates=RateStatus(packets=1.0, calls=0.1, verdicts=0.1),
    latency=LatencyStatus(verdicts=0, p50_ms=None, p99_ms=None, p999_ms=None),
    queue=QueueStatus(depth=1, dropped=6, unreadable=9),
    store=StoreStatus(state="full", problem="no space left", bytes=4096, findings=2, waiting=3, lost=5, retired=4),
    spool=SpoolStatus(
        state="ok", problem=None, bytes=512, depth=11, dropped=12, lost=13, oldest="2026-01-02T02:00:00.000000Z"
    ),
    reporting=ReportingStatus(state="waiting", acknowledged=3, given_up=0, last=None, clock_offset_ms=None),
    bundles={"call": "call@1.2", "source": "source@1.1"},
    drift=[
        DriftStatus(
            rows="call",
            state="shifted",
            counted=5000,
            ratio={"score": 0.02, "route": 0.2},
            feature="route_calls_hour",
            feature_ratio=0.3,
        )
    ],
    snapshot=SnapshotStatus(taken="2026-01-02T03:05:00.000000Z", bytes=8192, restored=True, problem=None),
)


class Box:
    """What the service shows of itself, held still."""

    def __init__(self) -> None:
        self.tally = Tally()

    def status(self) -> Status:
        return STATUS

    def evictions(self) -> dict[str, int]:
        return {"calls": 7, "callers": 0}


@pytest.fixture
def box() -> Box:
    return Box()


@pytest.fixture
def metrics(box: Box) -> Metrics:
    return Metrics(box)


def families(metrics: Metrics) -> dict[str, Metric]:
    return {family.name: family for family in text_string_to_metric_families(metrics.text())}


def value(metrics: Metrics, sample: str, **labels: str) -> float:
    (found,) = (
        one.value
        for family in families(metrics).values()
        for one in family.samples
        if one.name == sample and labels.items() <= one.labels.items()
    )
    return found


# --- what is given


def test_prometheus_can_read_them_in_both_of_its_formats(metrics: Metrics) -> None:
    names = [family.name for family in text_string_to_metric_families(metrics.text())]
    assert len(names) == len(set(names)) > 30
    # the parser of OpenMetrics is strict: about the order of buckets, units, suffixes, repeated series
    strict = list(parse_openmetrics(openmetrics.generate_latest(metrics.registry).decode()))
    assert {family.name for family in strict} == set(names) - {"sipwarden_build_info"} | {"sipwarden_build"}


def test_a_name_says_noun_and_unit_and_labels_are_few(metrics: Metrics) -> None:
    for family in families(metrics).values():
        assert re.fullmatch(r"sipwarden(_[a-z]+)+", family.name)
        assert family.documentation.endswith(".")
        for sample in family.samples:
            assert sample.labels.keys() - {"le"} <= LABELS, sample.name
        if family.type in ("counter", "histogram"):
            assert re.search(rf"_({UNITS}|errors|type)(_by_fraud_type)?$", family.name), family.name


def test_each_source_has_its_own_counts(metrics: Metrics) -> None:
    assert value(metrics, "sipwarden_capture_packets_total", source="eth1") == 10
    assert value(metrics, "sipwarden_capture_packets_total", source="hep") == 20
    assert value(metrics, "sipwarden_capture_dropped_packets_total", source="hep") == 1
    assert value(metrics, "sipwarden_source_up", source="eth1") == 1
    assert value(metrics, "sipwarden_source_up", source="hep") == 0


def test_moments_are_seconds_since_the_epoch(metrics: Metrics) -> None:
    assert value(metrics, "sipwarden_start_timestamp_seconds") == 1767323045
    assert value(metrics, "sipwarden_engine_timestamp_seconds") == 1767323105.5
    assert value(metrics, "sipwarden_snapshot_timestamp_seconds") == 1767323100


def test_exactly_one_state_of_the_store_holds(metrics: Metrics) -> None:
    states = {one.labels["state"]: one.value for one in families(metrics)["sipwarden_store_state"].samples}
    assert states == {"ok": 0, "full": 1, "read_only": 0, "corrupt": 0, "unavailable": 0}


def test_every_state_of_the_status_has_its_series() -> None:
    for part in (StoreStatus, SpoolStatus):
        assert get_args(get_type_hints(part)["state"]) == DISK_STATES


def test_findings_are_there_before_the_first_and_counted_after(metrics: Metrics, box: Box) -> None:
    assert value(metrics, "sipwarden_findings_total", subject="call", verdict="flag") == 0
    assert value(metrics, "sipwarden_findings_by_fraud_type_total", fraud_type="wangiri") == 0
    box.tally.rose("call", 2, 0b11)
    assert value(metrics, "sipwarden_findings_total", subject="call", verdict="flag") == 1
    assert value(metrics, "sipwarden_findings_by_fraud_type_total", fraud_type="wangiri") == 1


def test_the_latency_histogram_holds_what_was_counted(metrics: Metrics, box: Box) -> None:
    box.tally.latency_s.add(np.array([0.0004, 0.005, 0.0051, 60.0]))
    assert value(metrics, "sipwarden_verdict_latency_seconds_bucket", le="0.005") == 2
    assert value(metrics, "sipwarden_verdict_latency_seconds_bucket", le="5.0") == 3
    assert value(metrics, "sipwarden_verdict_latency_seconds_count") == 4
    assert value(metrics, "sipwarden_verdict_latency_seconds_sum") == pytest.approx(60.0105)


def test_the_process_says_what_it_takes(metrics: Metrics) -> None:
    assert 1e6 < value(metrics, "sipwarden_process_resident_memory_bytes") < 1e12
    assert value(metrics, "sipwarden_process_cpu_seconds_total") > 0
    assert value(metrics, "sipwarden_process_threads") >= 1
    assert value(metrics, "sipwarden_process_open_files") >= 3


# --- histograms


@given(st.lists(st.floats(-1, 20), max_size=50), st.lists(st.floats(-1, 20), max_size=50))
def test_a_histogram_counts_as_one_by_one_would(first: list[float], second: list[float]) -> None:
    bounds = (0.0, 0.5, 1.0, 10.0)
    histogram = Histogram(bounds)
    histogram.add(np.array(first))
    histogram.add(np.array(second))
    values = first + second
    assert histogram.cumulative() == [*(sum(one <= bound for one in values) for bound in bounds), len(values)]
    assert histogram.sum == pytest.approx(sum(values))


def test_a_quantile_is_the_bound_that_so_many_are_not_above() -> None:
    histogram = Histogram((1.0, 2.0, 3.0))
    assert histogram.quantile(0.5) is None
    histogram.add(np.array([0.5] * 98 + [2.5, 9.0]))
    assert histogram.quantile(0.5) == 1.0
    assert histogram.quantile(0.99) == 3.0
    assert histogram.quantile(1.0) == float("inf")


# --- over HTTP


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    server = Server(Metrics(Box()), "127.0.0.1:0")
    yield server
    server.close()


def get(server: Server, path: str = "/metrics", method: str = "GET") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_a_scrape_gets_all_of_them(server: Server) -> None:
    status, text = get(server)
    assert status == 200
    assert "sipwarden_calls_total 3.0" in text


@pytest.mark.parametrize("path", ["/", "/metrics/", "/favicon.ico", "/../metrics", "/x?a=/metrics"])
def test_any_other_path_is_not_found(server: Server, path: str) -> None:
    assert get(server, path)[0] == 404


def test_nothing_can_be_changed_over_it(server: Server) -> None:
    assert get(server, method="POST")[0] == 501


def test_clients_that_stall_are_let_go_of_and_keep_nobody_out_for_long(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stalled() -> list[socket.socket]:
        """They are taken in the order in which they came."""
        address = "127.0.0.1", server.port
        return [socket.create_connection(address, PATIENCE_S) for _ in range(metrics_server.MAX_CLIENTS)]

    monkeypatch.setattr(metrics_server, "CLIENT_TIMEOUT_S", 2 * PATIENCE_S)
    clients = stalled()
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        get(server)
    for client in clients:
        client.close()
    until(lambda: is_served(server))
    monkeypatch.setattr(metrics_server, "CLIENT_TIMEOUT_S", 0.2)
    for client in stalled():
        assert client.recv(1) == b""
        client.close()
    until(lambda: is_served(server))


def is_served(server: Server) -> bool:
    try:
        return get(server)[0] == 200
    except (http.client.RemoteDisconnected, ConnectionResetError):
        return False


def test_a_client_that_trickles_is_let_go_of_too(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_server, "CLIENT_TIMEOUT_S", 0.2)
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE_S) as client, pytest.raises(ConnectionError):
        until(lambda: client.sendall(b"G"))  # again and again
    assert get(server)[0] == 200


@pytest.mark.parametrize(
    "garbage", [b"\x16\x03\x01\x02\x00\x01", b"GET\r\n\r\n", b"GET /" + b"a" * 70000 + b"\r\n\r\n"]
)
def test_garbage_does_no_harm(server: Server, garbage: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), 10) as client:
        client.sendall(garbage)
        client.shutdown(socket.SHUT_WR)
    assert get(server)[0] == 200


def test_a_scrape_that_fails_is_no_answer_rather_than_half_of_one(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: Box) -> Status:
        raise RuntimeError("no status")

    monkeypatch.setattr(Box, "status", fails)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        get(server)
    monkeypatch.undo()
    assert get(server)[0] == 200


def test_an_address_that_is_taken_is_named(server: Server, metrics: Metrics) -> None:
    with pytest.raises(
        MetricsError, match=rf"metrics.listen: cannot listen on 127.0.0.1:{server.port}: Address already"
    ):
        Server(metrics, f"127.0.0.1:{server.port}")


# --- what is written about them

DOCUMENT = ROOT / "docs" / "METRICS.md"
DASHBOARD = ROOT / "contrib" / "grafana" / "sipwarden.json"
RULES = ROOT / "contrib" / "prometheus" / "sipwarden.rules.yml"


def sample_names(metrics: Metrics) -> set[str]:
    return {sample.name for family in families(metrics).values() for sample in family.samples}


def labels_of(metrics: Metrics) -> set[str]:
    return {label for family in families(metrics).values() for sample in family.samples for label in sample.labels}


def test_the_document_lists_each_metric_as_it_is(metrics: Metrics) -> None:
    of_the_box = DOCUMENT.read_text().partition("\n## The collector\n")[0]
    listed = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) \| (.*) \|$", of_the_box, re.MULTILINE)
    given = []
    for family in families(metrics).values():
        labels = sorted({label for sample in family.samples for label in sample.labels} - {"le"})
        name = family.name + "_total" * (family.type == "counter")
        given.append((name, family.type, ", ".join(f"`{label}`" for label in labels), family.documentation))
    assert listed == given


@pytest.mark.parametrize("path", [DASHBOARD, RULES], ids=["dashboard", "rules"])
def test_a_query_names_only_metrics_and_labels_that_there_are(metrics: Metrics, path: Path) -> None:
    found = expressions(path)
    assert len(found) >= 15
    for expression in found:
        check(expression, sample_names(metrics), labels_of(metrics))


def test_every_metric_with_a_loss_in_it_is_watched_by_an_alert(metrics: Metrics) -> None:
    watched = " ".join(expressions(RULES))
    losses = {name for name in sample_names(metrics) if re.search(r"_(lost|dropped)_\w+_total$", name)}
    assert losses
    assert {name for name in losses if name not in watched} == set()


def test_every_alert_has_its_place_in_the_runbook() -> None:
    alerts = re.findall(r"^      - alert: (\w+)$", RULES.read_text(), re.MULTILINE)
    assert len(alerts) == len(expressions(RULES))
    headings = re.findall(r"^### (\w+)$", (ROOT / "docs" / "OPERATING.md").read_text(), re.MULTILINE)
    assert headings == alerts


def test_the_panels_of_the_dashboard_do_not_lie_over_each_other() -> None:
    check_panels(DASHBOARD)
