"""The units: systemd takes them and finds them locked down; what they limit is what the documents say."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# systemd's own scale is from 0 (locked down) to 10 (root on everything), here in tenths.
UNITS = {"sipwarden-screen@.service": 10, "sipwarden.service": 20}
CAPABILITIES = ("AmbientCapabilities", "CapabilityBoundingSet")


def settings(unit: str) -> configparser.SectionProxy:
    """The [Service] section; of a key that is there several times, the last."""
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(ROOT / "systemd" / unit)
    return parser["Service"]


def installed_unit(unit: str, folder: Path) -> Path:
    """The unit, with a command that is on this machine in place of the one under /opt."""
    installed = folder / unit
    installed.write_text((ROOT / "systemd" / unit).read_text().replace("/opt/sipwarden/bin/sipwarden", "/bin/true"))
    return installed


@pytest.fixture
def systemd_analyze() -> str:
    found = shutil.which("systemd-analyze")
    if not found:
        pytest.skip("no systemd-analyze on this machine")
    return found


@pytest.mark.parametrize("unit", UNITS)
def test_the_unit_is_one_that_systemd_takes(unit: str, systemd_analyze: str, tmp_path: Path) -> None:
    command = [systemd_analyze, "verify", "--man=no", installed_unit(unit, tmp_path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("unit", UNITS)
def test_the_unit_is_locked_down(unit: str, systemd_analyze: str, tmp_path: Path) -> None:
    command = [
        systemd_analyze,
        "security",
        "--offline=true",
        f"--threshold={UNITS[unit]}",
        installed_unit(unit, tmp_path),
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-300:] + done.stderr


def test_the_service_may_open_packet_sockets_and_nothing_else_that_root_may() -> None:
    assert {settings("sipwarden.service")[name] for name in CAPABILITIES} == {"CAP_NET_RAW"}
    assert {settings("sipwarden-screen@.service")[name] for name in CAPABILITIES} == {""}


def test_the_limits_that_the_guide_names_are_those_of_the_unit() -> None:
    unit = settings("sipwarden.service")
    assert (unit["MemoryHigh"], unit["MemoryMax"], unit["CPUQuota"]) == ("1G", "1536M", "200%")
    guide = re.sub(r"\s+", " ", (ROOT / "docs" / "OPERATING.md").read_text())
    assert "holds the service to 1.5 GiB (`MemoryMax`, from 1 GiB on it is slowed: `MemoryHigh`) and two cores" in guide


def test_the_folders_of_the_unit_are_those_of_the_defaults() -> None:
    from appliance.config import Config  # noqa: PLC0415

    unit, config = settings("sipwarden.service"), Config()
    assert config.service.state_dir == f"/var/lib/{unit['StateDirectory']}"
    assert Path(config.admin.socket).parent == Path("/run") / unit["RuntimeDirectory"]
    assert (unit["StateDirectoryMode"], unit["RuntimeDirectoryMode"], unit["UMask"]) == ("0750", "0750", "0027")
