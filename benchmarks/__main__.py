"""`python -m benchmarks`: the pipeline beside its peers, in interleaved rounds, by CPU and elapsed time a packet."""

import json
import os
import platform
import sys
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks import captures
from benchmarks.contenders import GZ, SIPWARDEN, WORKLOADS, Workload, commands, sipwarden_screen
from benchmarks.measure import Cost, RunError, run
from benchmarks.walk import walk

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "benchmarks" / "data"
SAMPLE = ROOT / "simulator" / "samples" / "sample.pcap.gz"
FIRST_VERDICT_TARGET_S = 1.0
FIRST_VERDICT_RUNS = 5

console = Console()


def rounds_of(workload: Workload, capture: Path, rounds: int, timeout_s: float) -> dict[str, list[Cost]]:
    """Every contender once a round, one after the other: a slow minute of the machine slows all of them."""
    contenders = commands(workload, capture)
    costs: dict[str, list[Cost]] = {name: [] for name in contenders}
    columns = (TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(workload.name)
        for turn in range(rounds):
            for name, command in contenders.items():
                progress.update(task, description=f"{workload.name}: round {turn + 1} of {rounds}, {name}")
                try:
                    costs[name].append(run(command, timeout_s))
                except RunError as error:
                    console.print(f"[red]failed:[/red] {error}", highlight=False)
    return costs


def capture_of(workload: Workload) -> Path:
    """The capture of a workload, made when it is not there."""
    plain, capture = DATA / f"{workload.plain}.pcap", DATA / f"{workload.plain}.pcap{GZ if workload.is_gzip else ''}"
    if not plain.exists():
        console.print(f"making {plain.relative_to(ROOT)}")
        captures.make(workload.plain, plain)
    if not capture.exists():
        console.print(f"making {capture.relative_to(ROOT)}")
        captures.compress(plain, capture)
    return capture


def summarised(workload: Workload, capture: Path, costs: dict[str, list[Cost]]) -> dict:
    """Medians by contender and the ratios against the targets; what failed is null."""
    counts = walk(str(DATA / f"{workload.plain}.pcap"))
    packets = counts["packets"]
    own = {
        name: {
            "cpu_us_per_packet": median(cost.cpu_s for cost in runs) * 1e6 / packets,
            "elapsed_us_per_packet": median(cost.wall_s for cost in runs) * 1e6 / packets,
            "peak_mib": median(cost.peak_bytes for cost in runs) / 2**20,
            "runs": [asdict(cost) for cost in runs],
        }
        if runs
        else None
        for name, runs in costs.items()
    }
    ours = own[SIPWARDEN]
    targets = []
    for target in workload.targets:
        theirs = own[target.than]
        ratio, elapsed_ratio = (
            target.ratio(ours[key], theirs[key]) if ours and theirs else None
            for key in ("cpu_us_per_packet", "elapsed_us_per_packet")
        )
        met = ratio is not None and target.met(ratio)
        targets.append(
            {"than": target.than, "target": str(target), "ratio": ratio, "elapsed_ratio": elapsed_ratio, "met": met}
        )
    moonshot = None
    if workload.moonshot_us is not None:
        met = ours is not None and ours["cpu_us_per_packet"] <= workload.moonshot_us
        moonshot = {"cpu_us_per_packet": workload.moonshot_us, "met": met}
    return {
        "counts": counts,
        "bytes": capture.stat().st_size,
        "contenders": own,
        "targets": targets,
        "moonshot": moonshot,
    }


def show(workload: Workload, summary: dict) -> None:
    counts = summary["counts"]
    title = f"{workload.name}: {counts['packets']:,} packets, {summary['bytes'] / 2**20:,.0f} MiB"
    table = Table(title=title, title_justify="left")
    for heading in ("", "CPU µs/packet", "beside sipwarden", "elapsed µs/packet", "beside sipwarden", "peak MiB"):
        table.add_column(heading, justify="right" if heading else "left")
    ours = summary["contenders"][SIPWARDEN]
    for name, one in summary["contenders"].items():
        if one is None:
            table.add_row(name, "failed", "", "", "", "")
            continue
        row = [name]
        for key in ("cpu_us_per_packet", "elapsed_us_per_packet"):
            row += [f"{one[key]:.3f}", f"{one[key] / ours[key]:.2f}x" if ours else ""]
        table.add_row(*row, f"{one['peak_mib']:.0f}")
    console.print(table)
    for one in summary["targets"]:
        ratios = "no figure"
        if one["ratio"] is not None:
            ratios = f"{one['ratio']:.2f}x by CPU, {one['elapsed_ratio']:.2f}x by elapsed time"
        console.print(f"  {said(one['met'])} {one['target']} of {one['than']}: {ratios}", highlight=False)
    moonshot = summary["moonshot"]
    if moonshot is not None:
        console.print(f"  {said(moonshot['met'])} moonshot: {moonshot['cpu_us_per_packet']:g} µs", highlight=False)
    console.print()


def said(met: bool) -> str:
    return "[green]reached[/green]" if met else "[yellow]not yet[/yellow]"


def first_verdict(timeout_s: float) -> dict:
    """From the start of the process to the last verdict of the shipped sample: what an import costs."""
    runs = [run(sipwarden_screen(SAMPLE), timeout_s) for _ in range(FIRST_VERDICT_RUNS)]
    wall_s = median(cost.wall_s for cost in runs)
    met = wall_s < FIRST_VERDICT_TARGET_S
    console.print(
        f"{SAMPLE.name}: start to verdicts {wall_s:.2f} s of wall, {median(c.cpu_s for c in runs):.2f} s of CPU; "
        f"{said(met)} < {FIRST_VERDICT_TARGET_S:g} s",
        highlight=False,
    )
    return {"wall_s": wall_s, "met": met, "runs": [asdict(cost) for cost in runs]}


def machine() -> dict:
    return {"machine": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()}


def main(
    only: Annotated[
        list[str] | None, typer.Option(help="a workload: signalling, media or signalling.gz; all by default")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="rounds; the figures are medians over them")] = 3,
    timeout_s: Annotated[float, typer.Option(help="ends a single run after this time")] = 300,
    output: Annotated[Path, typer.Option(help="where the figures go as JSON")] = DATA / "results.json",
) -> None:
    """Measures `sipwarden screen` beside sngrep, tshark and a bare walk on generated captures."""
    DATA.mkdir(parents=True, exist_ok=True)
    results: dict = {"machine": machine(), "rounds": rounds, "first_verdict": first_verdict(timeout_s)}
    for name in only or WORKLOADS:
        if name not in WORKLOADS:
            raise typer.BadParameter(f"{name} is none of {', '.join(WORKLOADS)}")
        capture = capture_of(WORKLOADS[name])
        summary = summarised(WORKLOADS[name], capture, rounds_of(WORKLOADS[name], capture, rounds, timeout_s))
        show(WORKLOADS[name], summary)
        results[name] = summary
    output.write_text(json.dumps(results, indent=1) + "\n")
    console.print(f"figures: {output}", highlight=False)
    failed = [name for name in only or WORKLOADS if results[name]["contenders"][SIPWARDEN] is None]
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    typer.run(main)
