"""The interfaces that packets are taken from, as the kernel describes them in /sys/class/net and by ethtool."""

import array
import fcntl
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from appliance.doctor.check import Check, fail, ok, warn

SYSTEM = Path("/sys/class/net")
SAMPLE_S = 1.0  # between two readings of the counters

# linux/if.h, linux/sockios.h, linux/ethtool.h
IFF_UP = 0x1
IFF_PROMISC = 0x100
SIOCETHTOOL = 0x8946
ETHTOOL_GFLAGS = 0x25
ETHTOOL_GGRO = 0x2B
ETH_FLAG_LRO = 1 << 15
IFREQ = struct.Struct("16sP16x")


def interface_checks(names: Sequence[str], promiscuous: bool, running: bool) -> Iterator[Check]:
    """Of every interface. Takes SAMPLE_S. `promiscuous`: as configured; `running`: the service holds it so now."""
    present = [name for name in names if (SYSTEM / name).is_dir()]
    before = {name: _received(name) for name in present}
    if present:
        time.sleep(SAMPLE_S)
    for name in names:
        if name not in present:
            there = ", ".join(sorted(path.name for path in SYSTEM.iterdir())) if SYSTEM.is_dir() else "none"
            yield fail(f"interface {name}", "does not exist", f"[capture] interfaces: there are {there}")
            continue
        yield _link(name)
        yield _counting(name, (_received(name) - before[name]) / SAMPLE_S)
        if promiscuous and running:
            yield _promiscuous(name)
        yield _losses(name)
        yield _offloads(name)


def _link(name: str) -> Check:
    what = f"interface {name}"
    if not _flags(name) & IFF_UP:
        return fail(what, "is down", f"ip link set {name} up")
    # A mirror port, a veth or a tunnel may say "unknown"; only no carrier is a fault.
    if _number(name, "carrier") == 0:
        return fail(what, "is up, without a carrier", "plug in the cable, or enable the mirror's port on the switch")
    return ok(what, "is up")


def _counting(name: str, packets_per_s: float) -> Check:
    what = f"packets on {name}"
    if packets_per_s == 0:
        return warn(
            what,
            f"none came within {SAMPLE_S:.0f} s",
            "is the mirror (SPAN) session on, and of the right port and both directions?",
        )
    return ok(what, f"{packets_per_s:,.0f} a second arrive")


def _promiscuous(name: str) -> Check:
    what = f"promiscuous mode of {name}"
    if name != "lo" and not _flags(name) & IFF_PROMISC:
        return warn(
            what,
            "is off: only packets for this machine itself are taken",
            f"[capture] promiscuous = true, or: ip link set {name} promisc on",
        )
    return ok(what, "is on, or not needed")


def _losses(name: str) -> Check:
    """What the card itself lost: it never came as far as the capture's own counters."""
    what = f"losses of {name}"
    missed = sum(_number(name, f"statistics/{counter}") or 0 for counter in ("rx_missed_errors", "rx_fifo_errors"))
    if missed:
        return warn(what, f"the card has missed {missed:,} packets since it started", f"ethtool -G {name} rx 4096")
    return ok(what, "the card has missed none")


def _offloads(name: str) -> Check:
    """Merged packets carry the time of the last of them, and a `snaplen` that was set cuts them."""
    what = f"offloads of {name}"
    on = [
        offload
        for offload, command, bit in (("gro", ETHTOOL_GGRO, 1), ("lro", ETHTOOL_GFLAGS, ETH_FLAG_LRO))
        if _ethtool(name, command) & bit
    ]
    if on:
        switches = " ".join(f"{offload} off" for offload in on)
        return warn(what, f"{' and '.join(on)} merge received TCP packets", f"ethtool -K {name} {switches}")
    return ok(what, "received packets are not merged")


def _ethtool(name: str, command: int) -> int:
    """One value of the driver; 0 where it has none."""
    value = array.array("I", [command, 0])
    request = IFREQ.pack(name.encode(), value.buffer_info()[0])
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            fcntl.ioctl(any_socket, SIOCETHTOOL, request)
    except OSError:
        return 0
    return value[1]


def _flags(name: str) -> int:
    try:
        return int((SYSTEM / name / "flags").read_text(), 16)
    except (OSError, ValueError):
        return 0


def _received(name: str) -> int:
    return _number(name, "statistics/rx_packets") or 0


def _number(name: str, file: str) -> int | None:
    """None when the kernel does not say: `carrier` cannot be read while the interface is down."""
    try:
        return int((SYSTEM / name / file).read_text())
    except (OSError, ValueError):
        return None
