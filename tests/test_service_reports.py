"""The service and a collector together: what the box finds is at the collector."""

import subprocess
import sys
from pathlib import Path

import msgspec

from appliance.live.status import Status
from appliance.report import Health, Minute, decode_report
from appliance.reporting.reporter import ReporterStatus
from appliance.reporting.self_report import SelfReport
from appliance.storage.spool import Spool
from tests.admin_box import Box
from tests.collectors import ROOT, CollectorProcess
from tests.running import Service
from tests.waiting import until

SAMPLE = Path(__file__).parent.parent / "simulator" / "samples" / "sample.pcap.gz"


def test_what_an_enrolled_box_finds_is_at_the_collector_and_calls_that_are_over_too(tmp_path: Path) -> None:
    collector = CollectorProcess(tmp_path / "collector").start()
    service = Service(tmp_path, "[collector]\ncall_sample = 10")
    try:
        service.start()
        store = collector.store()
        command = [
            sys.executable,
            "-m",
            "appliance",
            "enroll",
            collector.enrolment_url,
            "--token",
            "-",
            "--name",
            "box",
        ]
        enrolled = subprocess.run(
            [*command, "--config", service.config], cwd=ROOT, input=collector.token(), text=True, check=False
        )
        assert enrolled.returncode == 0
        until(lambda: service.status()["reporting"]["state"] == "ready")
        service.give(SAMPLE)
        until(lambda: service.status()["spool"]["depth"] == 0 and store.findings.count() > 20)
        assert service.stop() == 0
        service.start()  # what the end of the service found went into the spool
        until(lambda: service.status()["spool"]["depth"] == 0)
        at_the_box = {(one.kind, one.call_id or one.source, one.verdict) for one in service.findings()}
        found, before = set(), None
        while True:
            page = store.findings.find(before=before, limit=1000)
            found |= {(one.kind, one.call_id or one.source, one.verdict) for one in page.items}
            before = page.next
            if before is None:
                break
        assert found == at_the_box
        over = store.findings.calls(limit=1000).items
        assert {"pass", "flag"} <= {call.verdict for call in over}, "those of suspected callers, and a few others"
    finally:
        service.kill()
        collector.stop()


def counted(status: Status, packets: int, dropped: int, **counts: int) -> Status:
    capture = msgspec.structs.replace(status.capture, packets=packets, dropped=dropped)
    return msgspec.structs.replace(status, capture=capture, problems=["eth1: is down"], **counts)


def test_a_minute_report_says_what_was_counted_since_the_one_before(tmp_path: Path) -> None:
    status = msgspec.structs.replace(Box(tmp_path).status(), calls=0, flagged=0, watched=0)
    spool = Spool(tmp_path / "spool", 1 << 24)
    now, frauds = counted(status, 90, 10, calls=10, flagged=2), {"irsf": 2, "tdos": 0}
    state = ReporterStatus("off")
    reports = SelfReport(spool, lambda: now, lambda: frauds, lambda: state, lambda: "c0ffee")
    reports.report(0)
    assert spool.health().depth == 0, "nobody to report to"
    state = ReporterStatus("up", clock_offset_ms=7)
    reports.report(61 * 10**9)
    now, frauds = counted(status, 190, 10, calls=15, flagged=2), {"irsf": 3, "tdos": 0}
    reports.report(125 * 10**9)
    first, health, second, healthier = (decode_report(payload) for _, payload in spool.batch(1 << 20, 10).records)
    assert first == Minute(
        start="1970-01-01T00:01:00.000000Z", calls=10, flagged=2, packets=90, dropped=10, fraud_types={"irsf": 2}
    )
    assert second == Minute(start="1970-01-01T00:02:00.000000Z", calls=5, packets=100, fraud_types={"irsf": 1})
    assert isinstance(health, Health)
    assert isinstance(healthier, Health)
    assert (health.capture_loss, healthier.capture_loss) == (0.1, 0.0)
    assert (health.problems, health.clock_offset_ms) == (["eth1: is down"], 7)
    assert health.bundles == sorted(status.bundles.values())
    assert health.config == "c0ffee"
    spool.close()
