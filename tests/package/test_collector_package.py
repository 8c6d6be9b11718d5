"""The collector's package in a booted Debian, beside a box that reports to it: installed, at work, upgraded, purged.

`make test-package` builds the packages, names them in SIPWARDEN_PACKAGE and SIPWARDEN_COLLECTOR_PACKAGE and runs this.
The tests go on from each other, in the order of this file.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from container import Container, named_package, newer, until

MAX_EXPOSURE = 2.0  # of systemd's scale from 0 to 10
UNIT = "sipwarden-collector"
STATE = "/var/lib/sipwarden-collector"
SITE = '[capture]\ninterfaces = ["lo"]\nfilter = "udp port 5060"\n'
TRAFFIC = ("sipwarden", "simulate", "sample", "--live", "127.0.0.1:5060", "--speed", "30")
PAGE = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8080/login', timeout=5).read().decode())"


@pytest.fixture(scope="module")
def package() -> Path:
    return named_package("SIPWARDEN_COLLECTOR_PACKAGE")


@pytest.fixture(scope="module")
def desk(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    """A Debian with both packages installed."""
    box = named_package("SIPWARDEN_PACKAGE")
    container = Container(tmp_path_factory.mktemp("desk") / "root")
    try:
        with container:
            for file in (box, package):
                container.put(file, f"/root/{file.name}")
                container.run("dpkg", "--install", f"/root/{file.name}")
            yield container
    finally:
        shutil.rmtree(container.root, ignore_errors=True)


def active(desk: Container) -> bool:
    return desk.property(UNIT, "ActiveState") == "active"


def main_pid(desk: Container) -> int:
    return int(desk.property(UNIT, "MainPID"))


def collector(desk: Container, *arguments: str) -> str:
    """A command of the collector, as its account."""
    return desk.run("runuser", "-u", UNIT, "--", UNIT, *arguments)


def boxes(desk: Container) -> dict[str, dict]:
    listed = collector(desk, "boxes", "list", "--json").splitlines()
    return {box["name"]: box for box in map(json.loads, listed)}


def status(desk: Container) -> dict:
    """That of the box."""
    return json.loads(desk.run("sipwarden", "status", "-o", "json"))


# --- installed


def test_it_is_installed_whole_and_waits_for_its_administrator(desk: Container) -> None:
    assert desk.run("dpkg-query", "--show", "--showformat=${Status}", UNIT) == "install ok installed"
    assert desk.run("dpkg", "--verify", UNIT) == ""
    assert desk.run("readlink", "--canonicalize", f"/usr/bin/{UNIT}").strip() == f"/opt/{UNIT}/bin/{UNIT}"
    assert desk.property(UNIT, "ActiveState") == "inactive", "its authority is made for names that are not yet set"
    assert desk.property(UNIT, "UnitFileState") == "disabled"
    assert (desk.root / f"usr/share/man/man1/{UNIT}.1.gz").is_file()


def test_it_starts_and_is_locked_down_as_systemd_sees_it(desk: Container) -> None:
    desk.write("/etc/sipwarden/collector.toml", '[tls]\nnames = ["127.0.0.1", "desk.example"]\n')
    desk.run("systemctl", "enable", "--now", UNIT)
    until(lambda: active(desk))
    assert desk.exposure(f"{UNIT}.service") <= MAX_EXPOSURE
    fields = dict(
        line.split(":\t", 1) for line in desk.run("cat", f"/proc/{main_pid(desk)}/status").splitlines() if ":\t" in line
    )
    account = desk.run("id", "--user", UNIT).strip()
    assert fields["Uid"].split() == [account] * 4
    assert [int(fields[kind], 16) for kind in ("CapPrm", "CapEff", "CapBnd", "CapAmb")] == [0] * 4
    assert (fields["NoNewPrivs"], fields["Seccomp"]) == ("1", "2")


def test_its_keys_and_reports_are_closed_to_others_the_box_included(desk: Container) -> None:
    assert desk.run("stat", "--format=%a %U:%G", STATE).strip() == f"700 {UNIT}:{UNIT}"
    assert desk.run("find", STATE, "-type", "f", "-perm", "/go=rwx") == ""
    assert desk.try_run("runuser", "-u", "sipwarden", "--", "ls", STATE).returncode != 0
    assert desk.run("cat", f"{STATE}/console-password").strip()
    assert "<form" in desk.run("python3", "-c", PAGE)


# --- at work


@pytest.fixture(scope="module")
def reporting(desk: Container) -> Container:
    """A box on the same machine, enrolled."""
    token = collector(desk, "token", "create").strip()
    desk.run("sipwarden", "enroll", "https://127.0.0.1:8444", "--token", "-", "--name", "edge-1", stdin=token)
    desk.write("/etc/sipwarden/conf.d/site.toml", SITE)
    desk.run("systemctl", "restart", "sipwarden")
    until(lambda: [one["state"] for one in status(desk)["capture"]["sources"]] == ["up"])
    return desk


def test_what_the_box_finds_is_at_the_collector(reporting: Container) -> None:
    reporting.run(*TRAFFIC, timeout_s=180)
    until(lambda: status(reporting)["flagged"] > 0 and status(reporting)["spool"]["depth"] == 0)
    until(lambda: boxes(reporting)["edge-1"]["items"] == status(reporting)["reporting"]["acknowledged"] > 0)
    rows = collector(reporting, "export", f"{STATE}/export")
    assert int(rows.split("findings: ")[1].split()[0]) > 0
    reporting.run("rm", "-r", f"{STATE}/export")


def test_a_collector_that_was_killed_is_started_again_and_the_box_goes_on(reporting: Container) -> None:
    killed, before = main_pid(reporting), boxes(reporting)["edge-1"]["items"]
    reporting.run("kill", "-KILL", str(killed))
    until(lambda: main_pid(reporting) not in (0, killed) and active(reporting))
    reporting.run("systemctl", "reload", "sipwarden")
    until(lambda: boxes(reporting)["edge-1"]["items"] > before, 180, "no minute report came")
    assert boxes(reporting)["edge-1"]["lost"] == 0


def test_a_backup_is_the_same_at_another_place(reporting: Container) -> None:
    archive = f"{STATE}/backup.tar"
    collector(reporting, "backup", archive)
    before = boxes(reporting)["edge-1"]
    elsewhere = f"SIPWARDEN_COLLECTOR_SERVICE_STATE_DIR={STATE}/copy"
    as_account = ("runuser", "-u", UNIT, "--", "env", elsewhere, UNIT)
    reporting.run(*as_account, "restore", archive)
    (copy,) = map(json.loads, reporting.run(*as_account, "boxes", "list", "--json").splitlines())
    assert copy["name"] == "edge-1"
    assert 0 < copy["items"] <= before["items"]
    reporting.run("rm", "-r", f"{STATE}/copy", archive)


# --- replaced and removed


def test_an_upgrade_restarts_it_and_keeps_reports_and_configuration(
    reporting: Container, package: Path, tmp_path: Path
) -> None:
    old, before = main_pid(reporting), boxes(reporting)["edge-1"]["items"]
    reporting.put(newer(package, tmp_path), "/root/newer.deb")
    reporting.run("dpkg", "--force-confold", "--install", "/root/newer.deb")
    until(lambda: active(reporting) and main_pid(reporting) != old)
    assert boxes(reporting)["edge-1"]["items"] >= before
    assert "desk.example" in reporting.read("/etc/sipwarden/collector.toml")


def test_removal_keeps_state_and_configuration(reporting: Container) -> None:
    reporting.run("dpkg", "--remove", UNIT)
    assert not (reporting.root / "opt" / UNIT).exists()
    assert (reporting.root / STATE.lstrip("/") / "store.sqlite").exists()
    assert (reporting.root / "etc/sipwarden/collector.toml").exists()
    assert reporting.property(UNIT, "ActiveState") != "active"


def test_a_purge_leaves_the_locked_account_and_the_box_as_it_is(reporting: Container) -> None:
    reporting.run("dpkg", "--purge", UNIT)
    left = reporting.run(
        "find", "/", "-xdev", "-iname", f"*{UNIT}*", "-not", "-path", "/root/*", "-not", "-path", "/proc/*"
    )
    assert left.split() == []
    assert not (reporting.root / "etc/sipwarden/collector.toml").exists()
    assert reporting.run("getent", "shadow", UNIT).split(":")[1].startswith("!")
    assert (reporting.root / "etc/sipwarden/conf.d/site.toml").exists()
    assert status(reporting)["capture"]["sources"]
