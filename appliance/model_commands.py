"""The commands `sipwarden model ...`. Nothing heavy is imported here: see appliance/cli.py."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Model bundles: judge, train, list, check.")


class Kind(StrEnum):
    """What there are labelled tables of."""

    SUBSCRIBER = "subscriber"


class Rows(StrEnum):
    """What the service scores by a bundle."""

    CALL = "call"
    SOURCE = "source"
    SUBSCRIBER = "subscriber"


Json = Annotated[bool, typer.Option("--json", help="JSON on stdout, an object a line.")]
Csv = Annotated[Path, typer.Argument(metavar="FILE.csv", readable=False, help="A row of call statistics a subscriber.")]
Bundles = Annotated[
    list[Path] | None, typer.Argument(metavar="[DIR]...", readable=False, help="Bundles, or folders of them.")
]

Folder = Annotated[Path, typer.Argument(metavar="DIR", readable=False, help="A bundle.")]
PublicKeys = Annotated[
    list[Path] | None,
    typer.Option(metavar="FILE", readable=False, help="A public key (PEM) that is trusted; may be given again."),
]
Config = Annotated[Path | None, typer.Option(metavar="F", readable=False, help="Configuration file (TOML).")]
StateDir = Annotated[Path | None, typer.Option(metavar="DIR", help="Instead of the configuration's state_dir.")]


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
def verify(folders: Bundles = None, key: PublicKeys = None, as_json: Json = False) -> None:
    """Check that bundles are whole and fit this program, and with --key who signed them; exit status 2 when not."""
    from appliance import bundles  # noqa: PLC0415

    raise typer.Exit(bundles.guarded(lambda: bundles.run_verify(folders or [], key or [], as_json)))


@app.command()
def sign(
    folder: Folder,
    key: Annotated[Path, typer.Option(metavar="FILE", readable=False, help="An Ed25519 private key (PEM).")],
) -> None:
    """Sign a bundle: writes bundle.sig into its folder."""
    from appliance import bundles  # noqa: PLC0415

    raise typer.Exit(bundles.guarded(lambda: bundles.run_sign(folder, key)))


@app.command()
def install(
    folder: Folder,
    key: PublicKeys = None,
    config: Config = None,
    state_dir: StateDir = None,
) -> None:
    """Check a bundle and let the service use it from its next start or reload."""
    from appliance import bundles  # noqa: PLC0415

    raise typer.Exit(bundles.guarded(lambda: bundles.run_install(folder, key or [], config, state_dir)))


@app.command()
def rollback(
    rows: Annotated[Rows, typer.Argument(help="Of which rows the bundle is.")],
    config: Config = None,
    state_dir: StateDir = None,
) -> None:
    """Go back to the bundle that was used before; asked once more, to the shipped one."""
    from appliance import bundles  # noqa: PLC0415

    raise typer.Exit(bundles.guarded(lambda: bundles.run_rollback(rows, config, state_dir)))


@app.command()
def report(config: Config = None, state_dir: StateDir = None, as_json: Json = False) -> None:
    """How often the findings that were labelled were right: precision by bundle and fraud type."""
    from appliance import bundles  # noqa: PLC0415

    raise typer.Exit(bundles.guarded(lambda: bundles.run_report(config, state_dir, as_json)))
