"""`sipwarden run` as a process: what it survives, and what it says."""

import asyncio
import contextlib
import shutil
import signal
import ssl
import struct
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from appliance import config as configuration
from appliance import report
from appliance.config import Config
from appliance.live import service as service_module
from appliance.live.notification import Notification, Watchdog
from appliance.live.tracker import Tracker
from appliance.pipeline import Pipeline
from capture.file import CaptureFile
from models.bundle import SHIPPED
from tests.certificates import self_signed
from tests.collectors import free_port
from tests.disks import ROOT_ONLY, tmpfs
from tests.feed import Feed, Lines
from tests.running import Service, Systemd
from tests.waiting import PATIENCE_S, until

SAMPLE = Path(__file__).parent.parent / "simulator" / "samples" / "sample.pcap.gz"


@pytest.fixture
def service(tmp_path):
    one = Service(tmp_path)
    yield one
    one.kill()


@pytest.fixture(scope="module")
def screened():
    """(summary, findings) of the sample as `screen` has them."""
    lines = []
    pipeline = Pipeline(Config())
    pipeline.screen_file(SAMPLE, lines.append)
    pipeline.finish(lines.append)
    found = [report.decode(line) for line in b"".join(lines).splitlines()]
    return pipeline.summary(), [line for line in found if line.verdict != "pass"]


def names(findings):
    return {(one.source, one.caller, getattr(one, "call_id", None), one.verdict) for one in findings}


def test_everything_that_screen_finds_in_a_capture_is_in_the_store_after_sigterm(service, screened):
    summary, expected = screened
    service.start().give(SAMPLE)
    service.has_taken(summary["sip_messages"])
    assert service.stop() == 0
    stored = service.findings()
    assert names(stored) == names(expected)
    assert all(report.decode(one.line).reasons for one in stored)


@ROOT_ONLY
def test_a_full_disk_is_said_in_status_and_log_and_so_is_that_there_is_room_again(tmp_path, screened):
    with tmpfs(tmp_path / "state", "4m") as disk, contextlib.ExitStack() as stack:
        service = Service(tmp_path)
        stack.callback(service.kill)
        service.start()
        filler = disk / "filler"
        with contextlib.suppress(OSError):  # as much as there is room for
            filler.write_bytes(bytes(4 << 20))
        service.give(SAMPLE)
        until(lambda: service.errors.read_text().count("a disk is in trouble") == 2, PATIENCE_S)
        filler.unlink()
        for part in ("findings", "spool"):
            assert f"a disk is in trouble keeps={part} state=full" in service.errors.read_text()
            again = f"a disk is written to again keeps={part}"
            until(lambda again=again: again in service.errors.read_text(), PATIENCE_S)
        until(lambda: service.status()["problems"] == [], PATIENCE_S)
        assert service.stop() == 0
        assert names(service.findings()) == names(screened[1])


# --- a campaign that a crash falls into


def parts(folder, after_s):
    """The sample in two captures, the second from `after_s` on."""
    paths = [folder / "first.pcap", folder / "second.pcap"]
    with CaptureFile(SAMPLE) as sample, paths[0].open("wb") as first, paths[1].open("wb") as second:
        for file in (first, second):
            file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 1))  # nanoseconds
        border_ns = None
        for time_ns, _, data, wire_bytes in sample:
            border_ns = border_ns or time_ns + after_s * 10**9
            file = first if time_ns < border_ns else second
            file.write(struct.pack("<IIII", time_ns // 10**9, time_ns % 10**9, len(data), wire_bytes) + data)
    return paths


def judged(*captures):
    """(summary, Call-ID -> verdict) of captures that are screened one after the other."""
    lines = []
    pipeline = Pipeline(Config())
    for path in captures:
        pipeline.screen_file(path, lines.append)
    pipeline.finish(lines.append)
    found = [report.decode(line) for line in b"".join(lines).splitlines()]
    return pipeline.summary(), {line.call_id: line.verdict for line in found if isinstance(line, report.CallLine)}


def test_kill_9_in_the_middle_of_a_campaign_loses_no_finding_and_the_campaign_is_still_flagged(service, tmp_path):
    first, second = parts(tmp_path, 330)
    (summary, _), (whole_summary, whole), (_, anew) = judged(first), judged(first, second), judged(second)
    campaign = {call_id for call_id, verdict in anew.items() if whole[call_id] == "flag" and verdict != "flag"}
    assert campaign, "calls that nobody could flag who does not know what was before"
    service.start().give(first)
    service.has_taken(summary["sip_messages"])
    until(service.findings)
    service.has_remembered()
    before = names(service.findings())
    service.kill()
    assert names(service.findings()) >= before
    service.start()
    assert service.status()["snapshot"]["restored"]
    service.give(second)
    service.has_taken(whole_summary["sip_messages"])
    assert service.stop() == 0
    after = {one.call_id: one.verdict for one in service.findings() if one.kind == "call"}
    assert {call_id for call_id in campaign if after.get(call_id) != "flag"} == set()
    assert {name[:3] for name in before} <= {name[:3] for name in names(service.findings())}


# --- a new configuration


def refusals(service):
    return [problem for problem in service.status()["problems"] if "the old one goes on" in problem]


def test_a_configuration_that_is_broken_under_sighup_changes_nothing_and_is_said_everywhere(service, screened):
    service.start()
    service.configure("[limits]\ncals = 5")
    service.hang_up()
    until(lambda: refusals(service))
    (problem,) = refusals(service)
    assert f"{service.config}:9: limits.cals: unknown key (did you mean calls?)" in problem
    assert "limits.cals: unknown key" in service.errors.read_text()
    service.give(SAMPLE)
    service.has_taken(screened[0]["sip_messages"])
    service.configure("service.verdict_delay_ms = 5")
    service.hang_up()
    until(lambda: not refusals(service))
    assert "verdict_delay_ms: 1 -> 5" in service.errors.read_text()
    assert service.status()["calls"] == screened[0]["calls"], "nothing that was known is forgotten"
    assert service.stop() == 0


def test_a_certificate_that_was_renewed_in_its_file_is_shown_after_sighup_and_a_broken_one_never(service, tmp_path):
    port, chain, key = free_port(), tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_text(self_signed(key))
    service.configure(f'[hep]\nlisten = "127.0.0.1:{port}"\ntls_certificate = "{chain}"\ntls_key = "{key}"')
    service.start()

    def shown() -> str | None:
        with contextlib.suppress(ConnectionRefusedError):  # it listens a little later than it answers
            return ssl.get_server_certificate(("127.0.0.1", port), timeout=PATIENCE_S)
        return None

    first = chain.read_text()
    until(lambda: shown() == first)
    chain.write_text("no certificate")
    service.hang_up()
    until(lambda: refusals(service))
    assert "hep.tls_certificate" in refusals(service)[0]
    assert shown() == first
    second = self_signed(key)
    chain.write_text(second)
    service.hang_up()
    until(lambda: not refusals(service))
    assert shown() == second != first
    assert service.stop() == 0


def test_a_bundle_that_is_cut_short_during_a_reload_is_refused_and_the_old_one_goes_on(service, tmp_path, screened):
    bundles = tmp_path / "bundles"
    for kind in ("call", "source"):
        shutil.copytree(SHIPPED / kind, bundles / kind)
    service.configure(f'[screen]\nbundles = "{bundles}"')
    service.start()
    before = service.status()["bundles"]
    model = bundles / "call" / "model.tflite"
    model.write_bytes(model.read_bytes()[:1000])
    service.hang_up()
    until(lambda: refusals(service))
    assert str(bundles / "call") in refusals(service)[0]
    assert service.status()["bundles"] == before
    service.give(SAMPLE)
    service.has_taken(screened[0]["sip_messages"])
    assert service.stop() == 0
    assert names(service.findings()) == names(screened[1])


# --- the start


def refused(*arguments):
    done = subprocess.run(
        [sys.executable, "-m", "appliance", "run", *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    return done.returncode, done.stderr.splitlines()[-1]


def test_a_second_service_on_one_state_directory_is_refused(service):
    service.start()
    status, error = refused("--config", service.config, "--socket", f"{service.socket}-2")
    assert status == 2
    assert error == f"sipwarden: {service.state}: another service uses it already"


def test_a_second_service_on_one_socket_is_refused(service, tmp_path):
    service.start()
    status, error = refused("--config", service.config, "--state-dir", tmp_path / "other")
    assert status == 2
    assert "another process is serving this socket" in error
    assert service.status()["version"]


@pytest.mark.parametrize(
    ("flag", "value", "said"),
    [
        ("--config", "absent.toml", "absent.toml: cannot be read: No such file or directory"),
        ("--metrics", "9160", '--metrics: expected ADDRESS:PORT or ""'),
        ("--interface", "no/interface", "--interface: expected the name of a network interface"),
        ("--state-dir", "/proc/nothing", "/proc/nothing: cannot be used"),
    ],
)
def test_what_cannot_be_used_ends_the_start_with_2_and_one_line(service, flag, value, said):
    arguments = {"--config": service.config, flag: value}
    status, error = refused(*(part for pair in arguments.items() for part in pair))
    assert status == 2
    assert error.startswith(f"sipwarden: {said}")


def test_an_interface_that_is_missing_at_the_start_is_said_and_waited_for(service):
    service.start("--interface", "absent0")
    until(lambda: service.status()["problems"] == ["absent0: is not there"])
    status = service.status()
    assert {source["name"]: source["state"] for source in status["capture"]["sources"]}["absent0"] == "down"
    assert service.stop() == 0


# --- systemd


@pytest.fixture
def systemd(tmp_path):
    one = Systemd(tmp_path / "notify.sock")
    yield one
    one.close()


def test_systemd_hears_of_the_start_the_reload_and_the_end_in_order(service, systemd):
    service.environment = {"NOTIFY_SOCKET": str(systemd.path), "WATCHDOG_USEC": "400000"}
    service.start()
    assert systemd.hears("READY=1")[-1] == "READY=1"
    systemd.hears("STATUS=")
    service.hang_up()
    reloading = systemd.hears("READY=1")
    assert reloading.index("RELOADING=1") < len(reloading) - 1
    assert any(line.startswith("MONOTONIC_USEC=") for line in reloading)
    systemd.hears("WATCHDOG=1")
    service.process.send_signal(signal.SIGINT)
    systemd.hears("STOPPING=1")
    assert service.process.wait(PATIENCE_S) == 0


class Freezing(Feed):
    """A source that waits inside `receive`, which none may, for as long as a test holds the lock."""

    def __init__(self, lock):
        super().__init__()
        self._lock = lock
        self._waits = False

    def is_frozen(self):
        return self._waits

    def _receive(self):
        self._waits = True
        with self._lock:
            self._waits = False
        super()._receive()


def test_a_frozen_tracker_does_not_ping_the_watchdog(systemd, monkeypatch):
    monkeypatch.setenv("NOTIFY_SOCKET", str(systemd.path))
    monkeypatch.setenv("WATCHDOG_USEC", "400000")
    thaw = threading.Lock()
    feed = Freezing(thaw)
    tracker = Tracker(Pipeline(Config()), [feed], Lines().outlet, 0.002)
    watchdog = Watchdog(tracker, Notification())
    assert watchdog.pause_s == pytest.approx(0.1)
    tracker.start()
    until(lambda: tracker.turns > 2)
    watchdog.look()
    assert systemd.heard(0.1) == ["WATCHDOG=1"]
    with thaw:
        until(feed.is_frozen)
        watchdog.look()
        systemd.heard(0.1)
        for _ in range(5):
            watchdog.look()
        assert systemd.heard(0.2) == []
    turns = tracker.turns
    until(lambda: tracker.turns > turns)
    watchdog.look()
    assert systemd.heard(0.1) == ["WATCHDOG=1"]
    tracker.stop()
    tracker.join()


def test_a_tracker_that_fails_ends_the_service_so_that_it_is_started_again(tmp_path, caplog):
    class Broken(Feed):
        def _receive(self):
            raise ZeroDivisionError

    config = Config(
        service=configuration.Service(state_dir=str(tmp_path / "state")),
        admin=configuration.Admin(socket=str(tmp_path / "admin.sock")),
        metrics=configuration.Metrics(listen=""),
    )
    with service_module.Service(config, None, []) as service:
        service._tracker.sources = [Broken()]
        assert asyncio.run(service.serve())
    assert "the tracker failed" in caplog.text
