"""`python -m benchmarks.live`: sipwarden beside tcpdump and sngrep on one link, at rising rates of SIP and RTP."""

import json
import os
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks import captures
from benchmarks.live import traffic
from benchmarks.live.contenders import CONTENDERS, Contender, Watched
from benchmarks.live.link import Link

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "benchmarks" / "data"
MIXED = DATA / "mixed.pcap"

console = Console()


def mixed() -> None:
    """The capture that is sent: made once."""
    if MIXED.exists():
        return
    for name in captures.NAMES:
        if not (DATA / f"{name}.pcap").exists():
            console.print(f"making {name}.pcap")
            captures.make(name, DATA / f"{name}.pcap")
    console.print("making mixed.pcap")
    traffic.make(DATA / "signalling.pcap", DATA / "media.pcap", MIXED)


def measure(contender: Contender, rate: int, seconds: float) -> tuple[traffic.Sent, Watched]:
    with Link(), contender:
        sent = traffic.send(MIXED, rate, seconds)
    return sent, contender.result()


def lost(sent: traffic.Sent, watched: Watched) -> int:
    """Packets that were sent and not seen."""
    return (sent.sip_packets if watched.sip_only else sent.packets) - watched.seen


def row(name: str, sent: traffic.Sent, watched: Watched) -> list[str]:
    return [
        name,
        f"{sent.rate:,.0f}",
        f"{lost(sent, watched):,}" + (" SIP" if watched.sip_only else ""),
        "-" if watched.dropped is None else f"{watched.dropped:,}",
        f"{100 * watched.cpu_s / sent.seconds:.0f}",
        f"{1e6 * watched.cpu_s / sent.packets:.2f}",
        "" if watched.p50_ms is None else f"<= {watched.p50_ms:g}",
        "" if watched.p99_ms is None else f"<= {watched.p99_ms:g}",
        "" if watched.peak_mib is None else f"{watched.peak_mib:.0f}",
    ]


def main(
    rate: Annotated[
        list[int] | None, typer.Option(help="packets/s, 0 for as fast as can be sent; may be repeated")
    ] = None,
    seconds: Annotated[float, typer.Option(help="of each run")] = 10.0,
    only: Annotated[list[str] | None, typer.Option(help="a contender; all by default")] = None,
    output: Annotated[Path, typer.Option(help="where the figures go as JSON")] = DATA / "live.json",
) -> None:
    """Needs root: it makes two network namespaces and takes them away again."""
    if os.geteuid() != 0:
        sys.exit("error: network namespaces need root")
    DATA.mkdir(parents=True, exist_ok=True)
    mixed()
    share = traffic.sip_packets(MIXED) / traffic.PACKETS
    title = f"{share:.1%} of the packets are SIP, the rest RTP; {os.cpu_count()} cores, sender included"
    headings = ("packets/s", "not seen", "dropped", "CPU %", "CPU µs/packet", "p50 ms", "p99 ms", "peak MiB")
    table = Table("", *headings, title=title, title_justify="left")
    results = []
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        for wanted in rate or (50_000, 100_000, 200_000, 0):
            for kind in CONTENDERS:
                if only and kind.name not in only:
                    continue
                sent, watched = measure(kind(Path(folder)), wanted, seconds)
                table.add_row(*row(kind.name, sent, watched))
                results.append({"name": kind.name, "wanted": wanted, "sent": asdict(sent), "watched": asdict(watched)})
    console.print(table)
    output.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    typer.run(main)
