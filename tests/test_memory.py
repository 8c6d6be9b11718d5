"""How much memory a configuration may take, and the unit's limits by that."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from appliance.config import Capture, Config, Limits, Service
from appliance.live.memory import MIB, bound_bytes, unit_limits
from kernels.calls import CALL_BYTES
from kernels.profiles import PROFILE_BYTES

ROOT = Path(__file__).resolve().parent.parent


def limits_of(config: Config) -> tuple[int, int]:
    """MemoryHigh and MemoryMax of the drop-in, in bytes."""
    high, most = re.findall(r"^Memory(?:High|Max)=(\d+)M$", unit_limits(config), re.MULTILINE)
    return int(high) * MIB, int(most) * MIB


@pytest.mark.parametrize(
    "table", [name for name in Limits.__struct_fields__ if name not in ("block_packets", "tcp_bytes")]
)
def test_every_table_counts(table: str) -> None:
    config = Config()
    more = msgspec.structs.replace(config.limits, **{table: getattr(config.limits, table) + 1_000_000})
    grown = bound_bytes(Config(limits=more)) - bound_bytes(config)
    assert 300 * 1_000_000 < grown < 2560 * 1_000_000


def test_every_ring_and_the_bytes_held_back_count() -> None:
    two = Config(capture=Capture(interfaces=("eth0", "eth1"), ring_mib=100), limits=Limits(tcp_bytes=65 * MIB))
    assert bound_bytes(two) - bound_bytes(Config()) == (200 + 1) * MIB


@pytest.mark.parametrize("callers", [16, 131_072, 4_000_000])
def test_the_kernel_slows_before_it_ends_and_neither_within_the_bound(callers: int) -> None:
    config = Config(limits=Limits(callers=callers))
    high, most = limits_of(config)
    assert bound_bytes(config) < high < most < 2 * bound_bytes(config) + 128 * MIB


def test_the_unit_as_it_comes_suits_the_defaults_with_a_ring() -> None:
    unit = (ROOT / "systemd" / "sipwarden.service").read_text()
    high, most = limits_of(Config(capture=Capture(interfaces=("eth0",))))
    assert high <= 1024 * MIB
    assert most <= 1536 * MIB
    assert {"MemoryHigh=1G", "MemoryMax=1536M"} <= set(unit.splitlines())


def test_the_processors_of_the_drop_in_are_those_of_the_configuration() -> None:
    assert "CPUQuota=200%\n" in unit_limits(Config())
    assert "CPUQuota=700%\n" in unit_limits(Config(service=Service(cpus=7)))


def test_systemd_takes_the_drop_in(tmp_path: Path) -> None:
    systemd_analyze = shutil.which("systemd-analyze")
    if not systemd_analyze:
        pytest.skip("no systemd-analyze on this machine")
    unit = tmp_path / "sipwarden.service"
    unit.write_text("[Service]\nExecStart=/bin/true\n" + unit_limits(Config()).partition("[Service]\n")[2])
    done = subprocess.run([systemd_analyze, "verify", unit], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


MADE = """
import sys
from appliance.config import Config
from appliance.pipeline import Pipeline, load_scorers
from benchmarks.soak import resident_bytes
from capture.memory import keep_resident
keep_resident(sys.argv[1] == "resident")
scorers = load_scorers(None)
before = resident_bytes()
pipeline = Pipeline(Config(), scorers=scorers)
print(resident_bytes() - before)
"""


def test_tables_take_at_the_start_what_they_may_ever_take_when_they_are_kept_resident() -> None:
    grown = {
        how: int(subprocess.run([sys.executable, "-c", MADE, how], check=True, capture_output=True, cwd=ROOT).stdout)
        for how in ("resident", "lazy")
    }
    limits = Config().limits
    tables = limits.calls * CALL_BYTES + sum(
        count * PROFILE_BYTES[name]
        for name, count in (("caller", limits.callers), ("callee", limits.callees), ("source", limits.sources))
    )
    assert tables < grown["resident"] < bound_bytes(Config()) - limits.tcp_bytes
    assert grown["lazy"] < tables / 4
