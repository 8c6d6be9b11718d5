"""`sipwarden doctor`: each trouble is seen, and its cure named."""

import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from appliance import report
from appliance.config import Capture, Config
from appliance.doctor import host, interface
from appliance.doctor.check import Check
from appliance.doctor.interface import interface_checks
from appliance.doctor.packet_filter import filter_checks
from appliance.doctor.traffic import traffic_checks
from appliance.live.status import SourceStatus, Status
from appliance.report import CallLine
from tests.admin_box import Box, call_finding


@pytest.fixture
def status(tmp_path: Path) -> Status:
    """Of a box that does its work."""
    status = Box(tmp_path).status()
    capture = replace(status.capture, packets=100_000, dropped=0, sources=[up()])
    return replace(status, capture=capture, traffic=replace(status.traffic, sip_messages=9000, rtp_packets=90_000))


def up(**fields: object) -> SourceStatus:
    counts = {"packets": 100_000, "dropped": 0, "bytes": 10**7, "duplicates": 0, "errors": 0}
    return SourceStatus(**{"name": "eth1", "state": "up", "problem": None, **counts, **fields})


def checks(status: Status, calls: list[CallLine] | None = None, config: Config | None = None) -> dict[str, Check]:
    return {check.name: check for check in traffic_checks(config or Config(), status, calls or [])}


def one_way_calls(share: float) -> list[CallLine]:
    call = report.decode(call_finding().line)
    return [replace(call, quality=replace(call.quality, one_way=i < share * 100)) for i in range(100)]


def test_a_box_that_does_its_work_has_nothing_to_cure(status: Status) -> None:
    found = checks(status, one_way_calls(0.02))
    assert {name: check for name, check in found.items() if check.state != "ok"} == {}
    assert not any(check.cure for check in found.values())


def test_packets_without_sip_blame_the_filter(status: Status) -> None:
    status = replace(status, traffic=replace(status.traffic, sip_messages=0))
    filtered = Config(capture=replace(Config().capture, filter="udp port 5060"))
    check = checks(status, config=filtered)["SIP"]
    assert check.state == "fail"
    assert "none in 100,000 packets, but 90,000 of RTP" in check.seen
    assert "'udp port 5060'" in check.cure
    assert "mirror the port of the signalling" in checks(status)["SIP"].cure


@pytest.mark.parametrize(
    ("expression", "state", "said"),
    [
        ("udp port 5060 or udp portrange 10000-20000", "warn", "does not see SIP in GRE"),
        ("udp port 6000", "warn", "keeps port 5060 away"),
        ("udp prot 5060", "fail", "syntax error"),
        ("ip or ip6 or mpls", "ok", "lets SIP through"),
    ],
)
def test_what_a_filter_keeps_away_is_named(expression: str, state: str, said: str) -> None:
    (check,) = filter_checks(replace(Config().capture, interfaces=("lo",), filter=expression), sip_is_seen=False)
    assert (check.state, said in check.seen) == (state, True), check


def test_a_filter_through_which_sip_comes_is_as_it_is_meant() -> None:
    capture = replace(Config().capture, interfaces=("lo",), filter="udp port 5060")
    assert [check.state for check in filter_checks(capture, sip_is_seen=True)] == ["ok"]


def test_a_mirror_of_one_direction_is_told_by_its_calls(status: Status) -> None:
    check = checks(status, one_way_calls(0.9))["both directions"]
    assert (check.state, check.seen) == ("fail", "of 100 calls 90% have only one")
    assert "mirror rx and tx" in check.cure


@pytest.mark.parametrize(("dropped", "state"), [(0, "ok"), (50, "warn"), (5000, "fail")])
def test_drops_are_held_against_what_was_taken(status: Status, dropped: int, state: str) -> None:
    check = checks(replace(status, capture=replace(status.capture, dropped=dropped)))["drops"]
    assert check.state == state
    assert ("ring_mib = 128" in check.cure) == (state != "ok")


def test_a_source_that_is_down_or_silent_is_named(status: Status) -> None:
    sources = [
        up(state="down", problem="No such device"),
        up(name="eth2", packets=0),
        up(name="hep", packets=0),
        up(name="/var/spool/hep", packets=0),
        up(name="eth3", packets=53, errors=53),
    ]
    silent = replace(status, capture=replace(status.capture, sources=sources))
    found = checks(silent, config=Config(capture=Capture(directory="/var/spool/hep/")))
    assert (found["source eth1"].state, found["source eth1"].seen) == ("fail", "is down: No such device")
    assert "mirrored to this interface" in found["source eth2"].cure
    assert "firewall" in found["source hep"].cure
    assert found["source eth3"].state == "warn"
    assert "[hep] key_file" in found["source eth3"].cure
    assert "its writer has closed it" in found["source /var/spool/hep"].cure


def test_a_box_without_a_source_says_which_key_names_one(status: Status) -> None:
    check = checks(replace(status, capture=replace(status.capture, sources=[])))["sources"]
    assert check.state == "fail"
    assert "[capture] interfaces" in check.cure


@pytest.mark.parametrize("state", ["full", "read_only", "corrupt"])
def test_a_store_in_trouble_is_said_with_what_helps(status: Status, state: str) -> None:
    store = replace(status.store, state=state, problem="no room", lost=7)
    check = checks(replace(status, store=store))["findings store"]
    assert (check.state, check.seen) == ("fail", f"{state}: no room; 7 lost")
    assert check.cure


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("time to a verdict", {"latency": {"p99_ms": 400.0}}),
        ("tables", {"evicted": 5}),
        ("queue to the disk", {"queue": {"dropped": 3}}),
        ("queue to the disk", {"queue": {"unreadable": 3}}),
        ("snapshot", {"snapshot": {"problem": "permission denied"}}),
        ("malformed SIP", {"traffic": {"malformed": 3000}}),
        ("time of packets", {"traffic": {"time": "2020-01-01T00:00:00.000000Z"}}),
    ],
)
def test_what_makes_verdicts_worse_is_a_warning_with_a_cure(status: Status, name: str, changes: dict) -> None:
    fields = {
        field: replace(getattr(status, field), **value) if isinstance(value, dict) else value
        for field, value in changes.items()
    }
    check = checks(replace(status, **fields))[name]
    assert (check.state, bool(check.cure)) == ("warn", True)


# --- the machine


def test_an_interface_that_is_missing_or_down_is_named_with_those_that_are_there() -> None:
    absent = {check.name: check for check in interface_checks(["absent0"], promiscuous=True, running=False)}
    assert absent["interface absent0"].state == "fail"
    assert "lo" in absent["interface absent0"].cure


IN_A_NAMESPACE = """
from appliance.doctor.interface import interface_checks
for check in interface_checks(["tap0", "tap1"], promiscuous=True, running=True):
    print(check.state, check.name, check.seen, check.cure, sep="|")
"""


def test_links_of_the_kernel_are_read_as_they_are(tmp_path: Path) -> None:
    script = (
        "ip link add tap0 type veth peer name tap1 && ip link set tap0 up && ip link set tap1 up promisc on && "
        f"ip link set tap0 promisc off && {sys.executable} -c '{IN_A_NAMESPACE}'"
    )
    command = ["unshare", "--net", "--mount", "sh", "-c", f"mount -t sysfs none /sys && {script}"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=Path(__file__).parent.parent)
    if "Operation not permitted" in done.stderr:
        pytest.skip("making a network namespace needs root")
    assert done.stderr == ""
    found = {line.split("|")[1]: line.split("|") for line in done.stdout.splitlines()}
    assert found["interface tap0"][:3] == ["ok", "interface tap0", "is up"]
    assert found["promiscuous mode of tap0"][0] == "warn"
    assert found["promiscuous mode of tap1"][0] == "ok"
    assert found["offloads of tap0"][0] in ("ok", "warn")


def test_offloads_that_merge_packets_are_to_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interface, "_ethtool", lambda name, command: 0xFFFFFFFF)
    found = {check.name: check for check in interface_checks(["lo"], promiscuous=False, running=True)}
    assert found["offloads of lo"].cure == "ethtool -K lo gro off lro off"


def test_a_disk_that_is_too_small_or_missing_is_said(tmp_path: Path) -> None:
    assert host.disk(tmp_path, 1 << 20).state == "ok"
    assert "may grow to" in host.disk(tmp_path, 1 << 60).seen
    missing = host.disk(tmp_path / "absent", 1)
    assert (missing.state, missing.seen) == ("fail", f"{tmp_path}/absent does not exist")


def test_clock_memory_and_permissions_are_asked_of_the_kernel() -> None:
    assert host.clock().state in ("ok", "warn")
    assert "MiB are available" in host.memory(64).seen
    assert host.capability().name == "permission to capture"
    assert host.receive_buffer().seen.startswith("sockets may have")


def test_rows_unlike_those_of_the_bundle_are_told_with_what_moved(status: Status) -> None:
    drifted = replace(
        status.drift[0], state="drifted", ratio={"score": 0.02, "route": 0.41}, feature="route_calls_hour"
    )
    check = checks(replace(status, drift=[drifted]))["drift of call rows"]
    assert check.state == "warn"
    assert "drifted: route 0.41, score 0.02, in 5,000 rows" in check.seen
    assert "route_calls_hour moved most" in check.cure
    unknown = replace(status.drift[0], state="unknown", counted=0, ratio={})
    assert "drift of call rows" not in checks(replace(status, drift=[unknown]))
