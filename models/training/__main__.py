"""`python -m models.training`: makes the shipped bundles again, from nothing but this source tree.

Simulates the regimes, teaches a network for each kind of row, converts it to int8, calibrates the converted model,
judges it on the held-out regime and writes the bundle. Rows of calls and sources come from simulated captures, those
of subscribers straight from simulated call records. The same tree gives the same bundles on the same TensorFlow
build and kind of processor.

`python -m models.training ablations` says what the shipped bundles lose when something is missing,
`python -m models.training tables` gives the tables of docs/DETECTION.md, and `python -m models.training blind --seed N`
judges the bundles, or those of the folder `--out`, by the scenarios written by hand, drawn from a seed that nobody has
looked at.
"""

import argparse
from pathlib import Path

from models.bundle import SHIPPED, Bundle
from models.scorer import Scorer
from models.training import ablations
from models.training.blueprint import BLUEPRINTS
from models.training.build import build
from models.training.collect import collect
from models.training.evaluation import evaluate
from models.training.regimes import REGIMES, shipped_judgement
from models.training.rows import Rows, concerned
from models.training.subscriber_simulated import train_simulated
from models.training.tables import blind_tables, shipped_tables
from simulator.scenario import Scenario

SUBSCRIBER = "subscriber"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m models.training", description="Train the shipped bundles.")
    parser.add_argument(
        "--out", type=Path, default=SHIPPED, help="folder to write the bundles to (default: %(default)s)"
    )
    parser.add_argument("--only", choices=[*sorted(BLUEPRINTS), SUBSCRIBER], help="one bundle instead of all")
    parser.add_argument(
        "--rows", type=Path, help="folder to keep the rows in, and to take them from when they are there"
    )
    parser.add_argument(
        "what",
        nargs="?",
        choices=["bundles", "tables", "ablations", "blind"],
        default="bundles",
        help="what to make (default: bundles)",
    )
    parser.add_argument(
        "--towns", type=int, default=ablations.TOWNS, help="towns of an ablation (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of a blind judgement")
    arguments = parser.parse_args()
    if arguments.what == "blind":
        for name in [arguments.only] if arguments.only else sorted(BLUEPRINTS):
            print(f"\n{name}, seed {arguments.seed}\n\n{blind(arguments.out / name, arguments.seed)}", flush=True)
        return
    if arguments.what == "tables":
        print(shipped_tables())
        return
    if arguments.what == "ablations":
        for kind, found in ablations.ablations(arguments.towns).items():
            print(f"\n{kind}\n\n{ablations.table(found)}", flush=True)
        return
    wanted = [arguments.only] if arguments.only else [*sorted(BLUEPRINTS), SUBSCRIBER]
    if SUBSCRIBER in wanted:
        print(f"training {SUBSCRIBER}", flush=True)
        print_metrics(train_simulated(arguments.out / SUBSCRIBER).numbers.metrics)
        wanted.remove(SUBSCRIBER)
    for name in wanted:
        print(f"training {name}", flush=True)
        bundle = build(BLUEPRINTS[name], all_rows(name, arguments.rows), arguments.out / name)
        print_metrics(bundle.numbers.metrics)


def blind(path: Path, seed: int) -> str:
    """What the bundle of this folder says of the scenarios for judging, drawn from this seed."""
    bundle = Bundle.load(path)
    rows = concerned(
        collect(shipped_judgement(seed))[bundle.card.rows], [one.fraud_type for one in bundle.card.classes]
    )
    return blind_tables(bundle, evaluate(Scorer(bundle), rows))


def all_rows(kind: str, folder: Path | None) -> dict[str, Rows]:
    """The labelled rows that teach, tune and judge one bundle."""
    drawn = {parts[0].name: [scenario for part in parts for scenario in part.draw()] for parts in REGIMES[kind]}
    drawn["judgement"] = shipped_judgement()
    return {name: rows_of(kind, name, scenarios, folder) for name, scenarios in drawn.items()}


def rows_of(kind: str, name: str, scenarios: list[Scenario], folder: Path | None) -> Rows:
    """The labelled rows of some scenarios, simulated unless the folder has them."""
    file = folder / f"{name}-{kind}.npz" if folder else None
    if file and file.exists():
        return Rows.load(file)
    print(f"simulating {name}: {len(scenarios)} scenarios", flush=True)
    rows = collect(scenarios)[kind]
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        rows.save(file)
    return rows


def print_metrics(metrics: dict, indent: str = "  ") -> None:
    for key, value in metrics.items():
        if isinstance(value, dict):
            print(f"{indent}{key}:")
            print_metrics(value, indent + "  ")
        else:
            print(f"{indent}{key}: {'-' if value is None else format(value, '.6g')}")


if __name__ == "__main__":  # processes that collect rows import this module, too
    main()
