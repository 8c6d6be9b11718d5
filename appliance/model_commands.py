"""The commands `sipwarden model ...`. Nothing heavy is imported here: see appliance/cli.py."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Model bundles: judge, train, list, check.")


class Kind(StrEnum):
    """What there are labelled tables of."""

    SUBSCRIBER = "subscriber"


Json = Annotated[bool, typer.Option("--json", help="JSON on stdout, an object a line.")]
Csv = Annotated[Path, typer.Argument(metavar="FILE.csv", readable=False, help="A row of call statistics a subscriber.")]
Bundles = Annotated[
    list[Path] | None, typer.Argument(metavar="[DIR]...", readable=False, help="Bundles, or folders of them.")
]


@app.command()
def evaluate(
    kind: Kind,
    file: Csv,
    bundle: Annotated[
        Path | None, typer.Option(metavar="DIR", readable=False, help="Another bundle than the shipped one.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Score a table of subscribers: figures when it has the column `label`, else a score for each row."""
    from appliance import bundles  # noqa: PLC0415

    raise typer.Exit(bundles.guarded(lambda: bundles.run_evaluate(file, bundle, as_json)))


@app.command()
def train(
    kind: Kind,
    file: Csv,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the bundle to write.")],
    as_json: Json = False,
) -> None:
    """Teach a bundle from a labelled table (in the environment that `make train-env` makes)."""
    from appliance import bundles  # noqa: PLC0415

    raise typer.Exit(bundles.guarded(lambda: bundles.run_train(file, out, as_json)))


@app.command("list")
def list_bundles(folders: Bundles = None, as_json: Json = False) -> None:
    """The bundles of some folders; without any, the shipped ones."""
    from appliance import bundles  # noqa: PLC0415

    raise typer.Exit(bundles.guarded(lambda: bundles.run_list(folders or [], as_json)))


@app.command()
def show(
    bundle: Annotated[str, typer.Argument(metavar="NAME|DIR", help="A shipped bundle's name, or a folder.")],
    as_json: Json = False,
) -> None:
    """The card of a bundle: what it was taught on, its thresholds and figures."""
    from appliance import bundles  # noqa: PLC0415

    raise typer.Exit(bundles.guarded(lambda: bundles.run_show(bundle, as_json)))


@app.command()
def verify(folders: Bundles = None, as_json: Json = False) -> None:
    """Check that bundles are whole and fit this program; exit status 2 when one does not."""
    from appliance import bundles  # noqa: PLC0415

    raise typer.Exit(bundles.guarded(lambda: bundles.run_verify(folders or [], as_json)))
