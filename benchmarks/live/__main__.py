"""`python -m benchmarks.live`: sipwarden beside tcpdump and sngrep on one link, at rising rates of SIP and RTP."""

import json
import os
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks import captures
from benchmarks.live import traffic
from benchmarks.live.contenders import CONTENDERS, Contender, Sipwarden, Watched
from benchmarks.live.highest import highest
from benchmarks.live.link import Link

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "benchmarks" / "data"
MIXED = DATA / "mixed.pcap"
RATES = (50_000, 100_000, 200_000)
RUN_S = 10.0
# What the service has to keep: at this rate, for so long.
TARGET_RATE, TARGET_S, MOST_P99_MS, MOST_GROWTH = 200_000, 60.0, 5.0, 0.05
SOAK_CALLS, SOAK_S = 200, 600.0  # calls a second of the long run in real time
HIGHEST_S = 4.0  # of a run that looks for the highest rate
# A rate that the sender fell this far behind of says nothing of who watches.
LEAST_SENT = 0.98

console = Console()


@dataclass(frozen=True)
class Run:
    """One contender, once. `load` is how many processes wanted to run in the minute before."""

    name: str
    sender: str
    wanted: int
    load: float
    sent: traffic.Sent
    watched: Watched

    @property
    def lost(self) -> int:
        """Packets that were sent and not seen."""
        return (self.sent.sip_packets if self.watched.sip_only else self.sent.packets) - self.watched.seen

    def row(self) -> list[str]:
        sent, watched, service = self.sent, self.watched, self.watched.service
        cells = [
            self.name,
            f"{sent.rate:,.0f}",
            f"{self.lost:,}" + (" SIP" if watched.sip_only else ""),
            "-" if watched.dropped is None else f"{watched.dropped:,}",
            f"{100 * watched.cpu_s / sent.seconds:.0f}",
            f"{1e6 * watched.cpu_s / sent.packets:.2f}",
        ]
        if service is None:
            cells += [""] * 3
        else:
            latency = (service.p50_ms, service.p99_ms, service.p999_ms)
            cells += [
                f"{service.verdicts / sent.seconds:,.0f}",
                " / ".join("more" if one is None else f"{one:g}" for one in latency),
                f"{service.end_mib:.0f} ({service.growth:+.1%})",
            ]
        return [*cells, f"{self.load:.1f}"]


def make_captures() -> None:
    """What is sent: made once."""
    for name in captures.NAMES:
        if not (DATA / f"{name}.pcap").exists():
            console.print(f"making {name}.pcap")
            captures.make(name, DATA / f"{name}.pcap")
    if not MIXED.exists():
        console.print("making mixed.pcap")
        traffic.make(DATA / "signalling.pcap", DATA / "media.pcap", MIXED)


def measure(contender: Contender, rate: int, seconds: float, *, tcpreplay: bool = False, capture: Path = MIXED) -> Run:
    load = os.getloadavg()[0]
    with Link(), contender:
        sent = traffic.send(capture, rate, seconds, tcpreplay=tcpreplay, before=contender.sender_prefix)
    return Run(contender.name, "tcpreplay" if tcpreplay else "even", rate, load, sent, contender.result())


def show(runs: Iterable[Run]) -> None:
    title = f"{os.cpu_count()} cores, sender included"
    headings = ("packets/s", "not seen", "dropped", "CPU %", "µs/packet", "verdicts/s", "p50/p99/p99.9 <= ms", "MiB")
    table = Table("", *headings, "load", title=title, title_justify="left")
    for run in runs:
        table.add_row(*run.row())
    Console(width=max(console.width, 120)).print(table)


def keeps_up(kind: type[Contender], folder: Path, rate: int, *, realtime: bool) -> bool:
    run = measure(kind(folder, realtime), rate, HIGHEST_S)
    if run.sent.rate < LEAST_SENT * rate:
        console.print(f"{kind.name}: only {run.sent.rate:,.0f} of {rate:,} packets/s could be sent")
        return False
    console.print(f"{kind.name} at {rate:,} packets/s: {run.lost:,} not seen")
    return run.lost == 0


def target(folder: Path, seconds: float, *, realtime: bool, tcpreplay: bool) -> tuple[Run, bool]:
    """The long run at the rate that the service has to keep, and whether it did."""
    return _kept(measure(Sipwarden(folder, realtime), TARGET_RATE, seconds, tcpreplay=tcpreplay))


def soak(folder: Path, seconds: float, *, realtime: bool) -> tuple[Run, bool]:
    """Signalling alone, in real time: whether memory stays what it is."""
    capture = DATA / "signalling.pcap"
    rate = round(SOAK_CALLS * traffic.packets_a_call(capture))
    return _kept(measure(Sipwarden(folder, realtime), rate, seconds, capture=capture))


def _kept(run: Run) -> tuple[Run, bool]:
    service = run.watched.service
    assert service is not None
    kept = {
        "no packet lost": run.lost == 0 and run.watched.dropped == 0,
        f"p99 within {MOST_P99_MS:g} ms": service.p99_ms is not None and service.p99_ms <= MOST_P99_MS,
        f"memory grows by less than {MOST_GROWTH:.0%}": service.growth < MOST_GROWTH,
    }
    for what, is_kept in kept.items():
        console.print(
            f"{run.sent.rate:,.0f} packets/s for {run.sent.seconds:.0f} s ({run.sender}): {what}: "
            f"{'yes' if is_kept else 'NO'}"
        )
    return run, all(kept.values())


def main(
    rate: Annotated[
        list[int] | None, typer.Option(help="packets/s, 0 for as fast as can be sent; may be repeated")
    ] = None,
    seconds: Annotated[float | None, typer.Option(help="of each run; 10 otherwise")] = None,
    realtime: Annotated[
        bool,
        typer.Option(
            "--realtime",
            help="who watches and who sends go before everything else: leaves out other work of the machine",
        ),
    ] = False,
    only: Annotated[list[str] | None, typer.Option(help="a contender; all by default")] = None,
    tcpreplay: Annotated[bool, typer.Option("--tcpreplay", help="send with it instead of our own sender")] = False,
    full: Annotated[
        bool, typer.Option("--full", help="then a minute at 200,000, and the highest rate of each without loss")
    ] = False,
    soaked: Annotated[
        bool, typer.Option("--soak", help="instead: ten minutes of signalling at 200 calls/s, or --seconds of it")
    ] = False,
    output: Annotated[Path, typer.Option(help="where the figures go as JSON")] = DATA / "live.json",
) -> None:
    """Needs root: it makes two network namespaces and takes them away again."""
    if os.geteuid() != 0:
        sys.exit("error: network namespaces need root")
    DATA.mkdir(parents=True, exist_ok=True)
    make_captures()
    kinds = [kind for kind in CONTENDERS if not only or kind.name in only]
    met, top = True, {}
    with tempfile.TemporaryDirectory(dir="/dev/shm") as shared:
        folder = Path(shared)
        if soaked:
            run, met = soak(folder, seconds or SOAK_S, realtime=realtime)
            runs = [run]
        else:
            runs = [
                measure(kind(folder, realtime), wanted, seconds or RUN_S, tcpreplay=tcpreplay)
                for wanted in rate or RATES
                for kind in kinds
            ]
        if full:
            for sent_by_tcpreplay in (True, False):
                run, kept = target(folder, TARGET_S, realtime=realtime, tcpreplay=sent_by_tcpreplay)
                runs.append(run)
                met &= kept
            for kind in kinds:
                top[kind.name] = highest(partial(keeps_up, kind, folder, realtime=realtime))
    show(runs)
    for name, found in top.items():
        console.print(f"{name}: the highest rate without loss is {found:,} packets/s")
    output.write_text(json.dumps({"runs": [asdict(run) for run in runs], "highest": top}, indent=1) + "\n")
    sys.exit(not met)


if __name__ == "__main__":
    typer.run(main)
