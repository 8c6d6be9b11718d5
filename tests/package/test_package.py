"""The package in a booted Debian: installed, screening, frozen, killed, upgraded, purged.

`make test-package` builds the packages, names this one in SIPWARDEN_PACKAGE and runs this. The tests go on from each
other: one box is installed, and lives through what follows in the order of this file.
"""

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from container import Container, named_package, newer, until

SAMPLE = Path(__file__).resolve().parents[2] / "simulator" / "samples" / "sample.pcap.gz"
MAX_EXPOSURE = 2.0  # of systemd's scale from 0 to 10
CAP_NET_RAW = 1 << 13
SITE = """\
[service]
snapshot_interval_s = 2

[capture]
interfaces = ["lo"]
filter = "udp port 5060"
"""
# The sample scenario is of 15 minutes, with a robocaller from its start to its end.
TRAFFIC = ("sipwarden", "simulate", "sample", "--live", "127.0.0.1:5060")


@pytest.fixture(scope="module")
def package() -> Path:
    return named_package("SIPWARDEN_PACKAGE")


@pytest.fixture(scope="module")
def box(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    """A Debian with the package installed: without a network, as there is none."""
    container = Container(tmp_path_factory.mktemp("box") / "root")
    try:
        with container:
            container.put(package, "/root/sipwarden.deb")
            container.run("dpkg", "--install", "/root/sipwarden.deb")
            yield container
    finally:
        shutil.rmtree(container.root, ignore_errors=True)


def active(box: Container) -> bool:
    return box.property("sipwarden", "ActiveState") == "active"


def main_pid(box: Container) -> int:
    return int(box.property("sipwarden", "MainPID"))


def status(box: Container) -> dict:
    return json.loads(box.run("sipwarden", "status", "-o", "json"))


def findings(box: Container) -> list[dict]:
    """All that are stored, the newest first."""
    return json.loads(box.run("sipwarden", "findings", "-o", "json", "--unmasked", "--limit", "1000"))


def journal(box: Container, *options: str) -> str:
    return box.run("journalctl", "--unit=sipwarden", "--output=cat", "--no-pager", *options)


# --- installed


def test_it_is_installed_whole_and_running(box: Container) -> None:
    assert box.run("dpkg-query", "--show", "--showformat=${Status}", "sipwarden") == "install ok installed"
    assert box.run("dpkg", "--verify", "sipwarden") == ""
    assert box.run("readlink", "--canonicalize", "/usr/bin/sipwarden").strip() == "/opt/sipwarden/bin/sipwarden"
    assert active(box), journal(box)
    assert main_pid(box) > 1


def test_it_starts_at_boot(box: Container) -> None:
    box.off()
    box.boot()
    until(lambda: active(box))
    assert status(box)["version"]


def test_it_is_locked_down_as_systemd_sees_it(box: Container) -> None:
    assert box.exposure("sipwarden.service") <= MAX_EXPOSURE


def test_the_process_has_its_own_user_one_capability_and_a_filter_of_calls(box: Container) -> None:
    fields = dict(
        line.split(":\t", 1) for line in box.run("cat", f"/proc/{main_pid(box)}/status").splitlines() if ":\t" in line
    )
    account = box.run("id", "--user", "sipwarden").strip()
    assert fields["Uid"].split() == [account] * 4
    for kind in ("CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(fields[kind], 16) == CAP_NET_RAW, kind
    assert (fields["NoNewPrivs"], fields["Seccomp"]) == ("1", "2")


def test_what_names_subscribers_is_closed_to_others(box: Container) -> None:
    modes = box.run(
        "stat", "--format=%a %U:%G", "/var/lib/sipwarden", "/run/sipwarden", "/run/sipwarden/admin.sock",
        "/etc/sipwarden/credentials",
    )  # fmt: skip
    assert modes.splitlines() == [
        "750 sipwarden:sipwarden",
        "750 sipwarden:sipwarden",
        "660 sipwarden:sipwarden",
        "700 root:root",
    ]
    readable = box.run("find", "/var/lib/sipwarden", "-type", "f", "-perm", "/o=rwx")
    assert readable == ""


def test_the_command_completes_itself_and_has_a_manual(box: Container) -> None:
    script = "source /usr/share/bash-completion/completions/sipwarden && COMP_WORDS=(sipwarden sta) && COMP_CWORD=1"
    completed = box.run("bash", "-c", f"{script} && _sipwarden_completion sipwarden && echo ${{COMPREPLY[*]}}")
    assert "status" in completed.split()
    assert (box.root / "usr/share/man/man1/sipwarden.1.gz").is_file()


def test_the_other_unit_screens_one_capture(box: Container) -> None:
    box.put(SAMPLE, "/var/lib/sipwarden/captures/monday.pcap.gz")
    box.run("systemctl", "start", "sipwarden-screen@monday.pcap.gz.service")
    lines = box.read("/var/lib/sipwarden/findings/monday.pcap.gz.jsonl").splitlines()
    assert json.loads(lines[-1])["flagged"] > 0


# --- at work


@pytest.fixture(scope="module")
def watching(box: Container) -> Container:
    """The box, told to watch its loopback interface."""
    box.write("/etc/sipwarden/conf.d/site.toml", SITE)
    box.run("systemctl", "restart", "sipwarden")
    until(lambda: [one["state"] for one in status(box)["capture"]["sources"]] == ["up"], what="lo is not up")
    return box


def test_simulated_traffic_is_captured_and_something_is_found(watching: Container) -> None:
    watching.run(*TRAFFIC, "--speed", "20", timeout_s=180)
    until(lambda: findings(watching), 10)
    now = status(watching)
    assert now["capture"]["packets"] > 1000
    assert now["capture"]["dropped"] == 0
    assert now["calls"] > 100
    assert now["flagged"] > 0
    assert {"robocall"} <= {name for one in findings(watching) for name in one["fraud_types"]}


def test_the_metrics_agree_with_the_status(watching: Container) -> None:
    ask = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9160/metrics', timeout=5).read().decode())"
    text = watching.run("python3", "-c", ask)
    calls = next(line for line in text.splitlines() if line.startswith("sipwarden_calls_total"))
    assert float(calls.split()[1]) == status(watching)["calls"]
    assert 'sipwarden_capture_dropped_packets_total{source="lo"} 0.0' in text


def test_the_journal_has_fields_and_no_number(watching: Container) -> None:
    lines = [json.loads(line) for line in journal(watching, "--output=json", "SIPWARDEN_SOURCE=lo").splitlines()]
    assert any(line["MESSAGE"].startswith("source is up") for line in lines)
    said = journal(watching)
    for one in findings(watching):
        for number in (one["caller"], one["callee"]):
            assert not number or len(number) < 7 or number not in said


def test_a_broken_configuration_is_refused_and_the_service_goes_on(watching: Container) -> None:
    before = main_pid(watching)
    watching.write("/etc/sipwarden/conf.d/zz.toml", "[capture]\nring_mb = 64\n")
    refused = watching.try_run("systemctl", "reload", "sipwarden")
    assert refused.returncode != 0
    (watching.root / "etc/sipwarden/conf.d/zz.toml").unlink()
    watching.run("systemctl", "reload", "sipwarden")
    assert (active(watching), main_pid(watching)) == (True, before)
    assert "ring_mb" in journal(watching)


def test_a_key_is_handed_to_the_service_and_to_nobody_else(watching: Container) -> None:
    watching.write("/etc/sipwarden/credentials/hep-key", "tr1v1al")
    (watching.root / "etc/sipwarden/credentials/hep-key").chmod(0o600)
    path = "/run/credentials/sipwarden.service/secret_hep-key"
    watching.write("/etc/sipwarden/conf.d/hep.toml", f'[hep]\nlisten = "127.0.0.1:9060"\nkey_file = "{path}"\n')
    watching.run("systemctl", "restart", "sipwarden")
    until(lambda: all(one["state"] == "up" for one in status(watching)["capture"]["sources"]))
    assert {one["name"] for one in status(watching)["capture"]["sources"]} == {"lo", "hep"}
    pid = main_pid(watching)
    assert watching.run("nsenter", "--target", str(pid), "--mount", "cat", path) == "tr1v1al"
    assert watching.try_run("setpriv", "--reuid=nobody", "--clear-groups", "cat", path).returncode != 0
    assert "tr1v1al" not in journal(watching) + watching.run("cat", f"/proc/{pid}/environ", f"/proc/{pid}/cmdline")


# --- in trouble


def test_a_frozen_process_is_ended_and_started_again(watching: Container) -> None:
    frozen = main_pid(watching)
    starts = int(watching.property("sipwarden", "NRestarts"))
    watching.run("kill", "-STOP", str(frozen))
    until(lambda: main_pid(watching) not in (0, frozen) and active(watching), 90, "the watchdog did not bite")
    assert int(watching.property("sipwarden", "NRestarts")) == starts + 1
    assert "Watchdog timeout" in journal(watching)


def test_a_kill_in_the_middle_of_a_campaign_loses_no_finding_and_the_campaign_is_still_flagged(
    watching: Container,
) -> None:
    known = {one["id"] for one in findings(watching)}
    with watching.start(*TRAFFIC, "--speed", "8", "--seed", "11") as traffic:
        try:
            until(lambda: campaign(watching, known), 90, "no campaign was found")
            time.sleep(5)  # two snapshots, and the recorder's turn
            before, killed = {one["id"] for one in findings(watching)}, main_pid(watching)
            watching.run("kill", "-KILL", str(killed))
            until(lambda: main_pid(watching) not in (0, killed) and active(watching), 30, "it was not started again")
            assert before <= {one["id"] for one in findings(watching)}
            assert status(watching)["snapshot"]["restored"] is True
            until(lambda: campaign(watching, before), 60, "after the restart the campaign is not flagged")
        finally:
            traffic.terminate()


def campaign(box: Container, known: set[int]) -> list[dict]:
    """Flagged calls of a robocaller that are not yet `known`."""
    found = [one for one in findings(box) if one["id"] not in known and one["verdict"] == "flag"]
    return [one for one in found if one["kind"] == "call" and "robocall" in one["fraud_types"]]


# --- replaced and removed


def test_an_upgrade_keeps_findings_and_configuration(watching: Container, package: Path, tmp_path: Path) -> None:
    before, old = {one["id"] for one in findings(watching)}, main_pid(watching)
    sources = {one["name"] for one in status(watching)["capture"]["sources"]}
    main_file = watching.root / "etc/sipwarden/sipwarden.toml"
    main_file.write_text(main_file.read_text() + "\n# changed by hand\n")
    watching.put(newer(package, tmp_path), "/root/newer.deb")
    watching.run("dpkg", "--force-confold", "--install", "/root/newer.deb")
    until(lambda: active(watching))
    assert main_pid(watching) != old
    assert before <= {one["id"] for one in findings(watching)}
    assert status(watching)["snapshot"]["restored"] is True
    assert "changed by hand" in main_file.read_text()
    assert {one["name"] for one in status(watching)["capture"]["sources"]} == sources


def test_removal_keeps_state_and_configuration(watching: Container) -> None:
    watching.run("dpkg", "--remove", "sipwarden")
    assert not (watching.root / "opt/sipwarden").exists()
    assert (watching.root / "var/lib/sipwarden/findings.sqlite").exists()
    assert (watching.root / "etc/sipwarden/conf.d/site.toml").exists()
    assert watching.property("sipwarden", "ActiveState") != "active"


def test_a_purge_leaves_the_locked_account_and_nothing_else(watching: Container) -> None:
    watching.run("dpkg", "--purge", "sipwarden")
    left = watching.run(
        "find", "/", "-xdev", "-iname", "*sipwarden*", "-not", "-path", "/root/*", "-not", "-path", "/proc/*"
    )
    assert left.split() == []
    account = watching.run("getent", "shadow", "sipwarden").split(":")
    assert account[1].startswith("!")
