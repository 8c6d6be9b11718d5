"""Who is measured on a capture, and how far from each of them the pipeline is meant to be."""

import sys
from dataclasses import dataclass
from pathlib import Path

SIPWARDEN = "sipwarden"
SNGREP = "sngrep"
TSHARK = "tshark"
WALK = "walk"


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
    moonshot_us: float  # CPU a packet
    targets: tuple[Target, ...]
    tshark_taps: tuple[str, ...]


WORKLOADS = {
    "signalling": Workload("signalling", 1.0, (Target(SNGREP, 4, True), Target(WALK, 3, False)), ("sip,stat",)),
    "media": Workload("media", 0.15, (Target(SNGREP, 50, True), Target(WALK, 3, False)), ("sip,stat", "rtp,streams")),
}


def sipwarden_screen(capture: Path) -> list[str]:
    return [str(Path(sys.executable).parent / "sipwarden"), "screen", str(capture), "--json"]


def commands(workload: Workload, capture: Path) -> dict[str, list[str]]:
    """Name -> command, in the order of a round."""
    walk = f"from benchmarks.walk import walk; walk({str(capture)!r})"
    tshark = ["tshark", "-n", "-q", "-r", str(capture)]
    for tap in workload.tshark_taps:
        tshark += ["-z", tap]
    return {
        SIPWARDEN: sipwarden_screen(capture),
        WALK: [sys.executable, "-S", "-c", walk],
        SNGREP: ["sngrep", "-N", "-q", "-I", str(capture)],
        TSHARK: tshark,
    }
