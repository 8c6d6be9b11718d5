"""`python -m fuzz`: mutated seeds at every target, for a time; `fuzz/run` does it under sanitizers."""

import os
import sys
import time
from pathlib import Path
from random import Random
from typing import Annotated

import typer

from fuzz import seeds
from fuzz.mutation import mutated, mutated_frames
from fuzz.targets import TARGETS

FINDINGS = Path(os.environ.get("SIPWARDEN_FUZZ_FINDINGS", "fuzz/findings"))


def run_target(name: str, seconds: float, random: Random) -> int:
    """How many inputs were tried. The one being tried lies in FINDINGS, for a sanitizer ends the process at once."""
    target, trial = TARGETS[name], FINDINGS / name
    mutate = mutated_frames if name == "frames" else mutated
    corpus = seeds.of_target(name, FINDINGS.parent.parent)
    tried = 0
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        data = mutate(random.choice(corpus), random.choice(corpus), random)
        trial.write_bytes(data)
        target(data)
        tried += 1
    trial.unlink(missing_ok=True)
    return tried


def main(
    seconds: Annotated[float, typer.Option(help="for each target")] = 30,
    seed: Annotated[int, typer.Option(help="of the mutations: the same seed tries the same inputs")] = 1,
    target: Annotated[list[str] | None, typer.Option(help=f"of {', '.join(TARGETS)}; all by default")] = None,
    replay: Annotated[Path | None, typer.Option(help="tries one file at the named targets instead")] = None,
) -> None:
    """Fails, or is ended by a sanitizer, at the first input that breaks a target; fuzz/findings has it then."""
    FINDINGS.mkdir(parents=True, exist_ok=True)
    for name in target or TARGETS:
        if name not in TARGETS:
            raise typer.BadParameter(f"{name} is none of {', '.join(TARGETS)}")
        if replay is not None:
            TARGETS[name](replay.read_bytes())
            continue
        print(f"{name}: {run_target(name, seconds, Random(seed)):,} inputs, nothing found", file=sys.stderr)


if __name__ == "__main__":
    typer.run(main)
