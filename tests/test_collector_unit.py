"""The collector's unit: one that systemd takes, and locked down."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
UNIT = ROOT / "systemd" / "sipwarden-collector.service"


@pytest.fixture
def systemd_analyze() -> str:
    found = shutil.which("systemd-analyze")
    if not found:
        pytest.skip("no systemd-analyze on this machine")
    return found


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The unit, with a command that is on this machine in place of the one under /opt."""
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/sipwarden-collector/bin/sipwarden-collector", "/bin/true"))
    return unit


def test_the_collectors_unit_is_one_that_systemd_takes(systemd_analyze: str, installed: Path) -> None:
    command = [systemd_analyze, "verify", "--man=no", installed]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_collectors_unit_is_locked_down(systemd_analyze: str, installed: Path) -> None:
    # systemd's own scale is from 0 (locked down) to 10 (root on everything), here in tenths.
    command = [systemd_analyze, "security", "--offline=true", "--threshold=20", installed]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-300:] + done.stderr
