"""Who is measured on a capture, and how far from each of them the pipeline is meant to be."""

import sys
from dataclasses import dataclass
from pathlib import Path

SIPWARDEN = "sipwarden"
SNGREP = "sngrep"
TSHARK = "tshark"
WALK = "walk"
ZCAT = "zcat"
GZ = ".gz"  # ends the name of a workload whose capture is compressed


@dataclass(frozen=True)
class Target:
    """`faster`: at least `times` the rate of `than`; otherwise at most `times` its cost."""

    than: str
    times: float
    faster: bool

    def ratio(self, own_us: float, other_us: float) -> float:
        return other_us / own_us if self.faster else own_us / other_us

    def met(self, ratio: float) -> bool:
        return ratio >= self.times if self.faster else ratio <= self.times

    def __str__(self) -> str:
        return f">= {self.times:g}x the rate" if self.faster else f"<= {self.times:g}x the cost"


@dataclass(frozen=True)
class Workload:
    name: str
    tshark_taps: tuple[str, ...]
    moonshot_us: float | None = None  # CPU a packet
    targets: tuple[Target, ...] = ()

    @property
    def plain(self) -> str:
        """The name of the capture, without what it is compressed by."""
        return self.name.removesuffix(GZ)

    @property
    def is_gzip(self) -> bool:
        return self.name.endswith(GZ)


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("signalling", ("sip,stat",), 1.0, (Target(SNGREP, 4, True), Target(WALK, 3, False))),
        Workload("media", ("sip,stat", "rtp,streams"), 0.15, (Target(SNGREP, 50, True), Target(WALK, 3, False))),
        Workload("signalling.gz", ("sip,stat",)),
    )
}


def sipwarden_screen(capture: Path) -> list[str]:
    return [str(Path(sys.executable).parent / "sipwarden"), "screen", str(capture), "--json"]


def commands(workload: Workload, capture: Path) -> dict[str, list[str]]:
    """Name -> command, in the order of a round. Neither the walk nor sngrep reads gzip; zcat does only that."""
    walk = f"from benchmarks.walk import walk; walk({str(capture)!r})"
    tshark = ["tshark", "-n", "-q", "-r", str(capture)]
    for tap in workload.tshark_taps:
        tshark += ["-z", tap]
    if workload.is_gzip:
        return {SIPWARDEN: sipwarden_screen(capture), ZCAT: ["zcat", str(capture)], TSHARK: tshark}
    return {
        SIPWARDEN: sipwarden_screen(capture),
        WALK: [sys.executable, "-S", "-c", walk],
        SNGREP: ["sngrep", "-N", "-q", "-I", str(capture)],
        TSHARK: tshark,
    }
