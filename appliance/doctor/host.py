"""The machine: its clock, disk, memory, and what this process is allowed."""

import ctypes
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from appliance.config import Config
from appliance.doctor.check import Check, fail, ok, warn

MIB = 1 << 20
TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised
TIMEX_BYTES = 512  # struct timex has 208, and room to grow
CAP_NET_RAW = 13  # linux/capability.h

LEAST_FREE_SHARE = 0.05
LEAST_MEMORY_MIB = 128  # the program itself
MEMORY = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")
RECEIVE_BUFFER = Path("/proc/sys/net/core/rmem_max")
LEAST_RECEIVE_BUFFER = 4 * MIB


def host_checks(config: Config) -> Iterator[Check]:
    yield clock()
    yield disk(Path(config.service.state_dir), (config.store.max_mib + config.spool.max_mib) * MIB)
    yield memory(config.capture.ring_mib * len(config.capture.interfaces))
    if config.hep.listen:
        yield receive_buffer()
    if config.capture.interfaces:
        yield capability()


def clock() -> Check:
    """Findings are held against the records of others by their time."""
    state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(TIMEX_BYTES))
    if state == TIME_ERROR:
        return warn("clock", "is not synchronised", "timedatectl set-ntp true (or start chrony), and see timedatectl")
    if state < 0:
        return warn("clock", "the kernel does not say whether it is synchronised", "see timedatectl")
    return ok("clock", "is synchronised")


def disk(folder: Path, wanted_bytes: int) -> Check:
    """`wanted_bytes`: what the store and the spool may grow to."""
    if not folder.is_dir():
        return fail("disk", f"{folder} does not exist", "create it for the service's user, or set [service] state_dir")
    try:
        usage = shutil.disk_usage(folder)
    except OSError as error:
        return fail("disk", f"{folder}: {error.strerror}", "let the service's user read it")
    held = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    seen = f"{usage.free // MIB:,} MiB are free at {folder}"
    if usage.free < 16 * MIB:
        return fail("disk", seen, "make room: findings are lost when there is none")
    if usage.free < LEAST_FREE_SHARE * usage.total:
        return warn("disk", f"{seen}, {usage.free / usage.total:.0%} of it", "make room, or lower [store] max_mib")
    if usage.free + held < wanted_bytes:
        return warn(
            "disk",
            f"{seen}; store and spool may grow to {wanted_bytes // MIB:,} MiB",
            "lower [store] or [spool] max_mib",
        )
    return ok("disk", seen)


def memory(rings_mib: int) -> Check:
    """`rings_mib`: locked memory that packets are received in."""
    available = _available_mib()
    if available is None:
        return warn("memory", "the kernel does not say how much there is", "is /proc mounted?")
    seen = f"{available:,} MiB are available"
    if available < LEAST_MEMORY_MIB:
        return fail("memory", seen, "lower [limits] and [capture] ring_mib, or give the machine more")
    if available < LEAST_MEMORY_MIB + rings_mib:
        return warn("memory", f"{seen}; the rings alone want {rings_mib:,} MiB", "lower [capture] ring_mib")
    return ok("memory", seen)


def receive_buffer() -> Check:
    """HEP over UDP is lost when the socket's buffer is full, and nobody sends it again."""
    try:
        most = int(RECEIVE_BUFFER.read_text())
    except (OSError, ValueError):
        return warn("receive buffer", "the kernel does not say how long it may be", f"see {RECEIVE_BUFFER}")
    seen = f"sockets may have {most // 1024:,} KiB"
    if most < LEAST_RECEIVE_BUFFER:
        return warn("receive buffer", seen, f"sysctl -w net.core.rmem_max={LEAST_RECEIVE_BUFFER}, for bursts of HEP")
    return ok("receive buffer", seen)


def capability() -> Check:
    """Of this process: the service when it examines itself."""
    try:
        status = Path("/proc/self/status").read_text()
        effective = int(status.partition("CapEff:")[2].split()[0], 16)
    except (OSError, ValueError, IndexError):
        effective = 0
    if effective >> CAP_NET_RAW & 1:
        return ok("permission to capture", "CAP_NET_RAW is held")
    return fail(
        "permission to capture",
        f"user {os.geteuid()} has no CAP_NET_RAW",
        "AmbientCapabilities=CAP_NET_RAW in the unit; by hand, run it as root",
    )


def _available_mib() -> int | None:
    """What is left of the machine's memory, or of this control group's where that is less."""
    try:
        words = MEMORY.read_text().partition("MemAvailable:")[2].split()
        available = int(words[0]) // 1024
    except (OSError, ValueError, IndexError):
        return None
    try:
        group = Path("/proc/self/cgroup").read_text().strip().rpartition("::/")[2]
        most = int((CGROUP / group / "memory.max").read_text())
        used = int((CGROUP / group / "memory.current").read_text())
    except (OSError, ValueError):
        return available  # no limit
    return min(available, (most - used) // MIB)
