"""The work of `sipwarden simulate`: play scenarios, say on stderr what was made, answer with an exit status."""

import sys
from collections.abc import Sequence
from pathlib import Path

from simulator.errors import ScenarioError
from simulator.simulation import run as play

EXIT_DONE, EXIT_UNUSABLE, EXIT_NOT_WRITTEN = 0, 2, 3


def run(
    scenarios: Sequence[str | Path],
    out: str | Path | None,
    labels: str | Path | None = None,
    seed: int | None = None,
    live: str = "",
    hep: str = "",
    speed: float = 1.0,
) -> int:
    """Play `scenarios` (files, or names of shipped ones) into the capture `out`, or to the loopback address `live` or
    `hep`, and the labels beside it.

    Returns 0, 2 for a scenario that cannot be used, or 3 for a file that could not be written.
    """
    try:
        made = play(
            [Path(name) for name in scenarios], out=out, labels=labels, seed=seed, live=live, hep=hep, speed=speed
        )
    except ScenarioError as error:
        print(f"sipwarden: {error}", file=sys.stderr)
        return EXIT_UNUSABLE
    except OSError as error:
        print(f"sipwarden: {error.filename}: {error.strerror}", file=sys.stderr)
        return EXIT_NOT_WRITTEN
    print(
        f"{out or live or hep}: {made.packets} packets, {made.calls} calls of which {made.fraud_calls} are fraud, "
        f"{made.sources} sources of other requests",
        file=sys.stderr,
    )
    return EXIT_DONE
