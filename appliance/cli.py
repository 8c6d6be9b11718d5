"""The command `sipwarden`.

Nothing heavy is imported here: a command imports what it needs when it is called, so that `sipwarden --version`,
a mistyped option and `sipwarden parse` do not wait for NumPy and a TFLite runtime.
"""

import gc
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from appliance import model_commands

# NumPy's linear algebra is not used: starting its thread pool would cost more than a small capture does.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

app = typer.Typer(
    name="sipwarden",
    help="Call screening on SIP and RTP: flags fraud calls and says why.",
    no_args_is_help=True,
    rich_markup_mode=None,  # rich takes longer to import than a small capture takes to screen
    pretty_exceptions_enable=False,
)
app.add_typer(model_commands.app, name="model")


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415

        typer.echo(f"sipwarden {version('sipwarden')}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Call screening on SIP and RTP: flags fraud calls and says why."""


# typer's own check that paths are readable is off: one file that is not must not keep the others from being screened.
@app.command()
def screen(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", readable=False, help="Captures: pcap or pcapng, gzip too.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="JSON Lines on stdout: calls, findings, a summary.")] = False,
    config: Annotated[Path | None, typer.Option(metavar="F", readable=False, help="Configuration file (TOML).")] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", readable=False, help="A model bundle, or the folder of the bundles call and source."
        ),
    ] = None,
    region: Annotated[
        str | None, typer.Option(metavar="CC", help="Home country (ISO 3166) by which national numbers are read.")
    ] = None,
) -> None:
    """Screen capture files: which calls and sources are fraud, and why."""
    gc.disable()  # importing makes many objects and no garbage; `run` turns it on again when all is there
    from appliance.screen import run  # noqa: PLC0415

    raise typer.Exit(run(files, as_json=as_json, config_path=config, bundle=bundle, region=region))


@app.command()
def parse(
    file: Annotated[str, typer.Argument(metavar="[FILE|-]", help="One SIP message; - is standard input.")] = "-",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Read one SIP message and say whether it is valid, and what is in it."""
    from appliance.parse import run  # noqa: PLC0415

    raise typer.Exit(run(file, as_json))


@app.command("run")
def run_service(
    capture_filter: Annotated[
        list[str] | None, typer.Argument(metavar="FILTER...", help="Which packets, in the words of tcpdump.")
    ] = None,
    config: Annotated[Path | None, typer.Option(metavar="F", readable=False, help="Configuration file (TOML).")] = None,
    interface: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A network interface to watch; may be repeated.")
    ] = None,
    state_dir: Annotated[
        str | None, typer.Option(metavar="DIR", help="The folder of what outlives the process.")
    ] = None,
    socket: Annotated[str | None, typer.Option(metavar="PATH", help="The unix socket for the clients.")] = None,
    metrics: Annotated[
        str | None, typer.Option(metavar="ADDRESS:PORT", help='Where Prometheus may ask; "" for nowhere.')
    ] = None,
    show: Annotated[
        bool, typer.Option("--show", help="Show findings on stdout as they come, a summary at the end.")
    ] = False,
) -> None:
    """Screen live traffic, until SIGTERM or SIGINT; SIGHUP reads the configuration again."""
    from appliance.run import run  # noqa: PLC0415

    flags = [
        ("--interface", "capture", "interfaces", interface),
        ("FILTER", "capture", "filter", " ".join(capture_filter) if capture_filter else None),
        ("--state-dir", "service", "state_dir", state_dir),
        ("--socket", "admin", "socket", socket),
        ("--metrics", "metrics", "listen", metrics),
    ]
    raise typer.Exit(run(config, [flag for flag in flags if flag[3] is not None], show=show))


@app.command("check-config")
def check_config(
    config: Annotated[
        Path | None, typer.Option(metavar="F", readable=False, help="Configuration file (TOML), as of `run`.")
    ] = None,
    unit: Annotated[
        bool, typer.Option("--unit", help="Print a drop-in for the systemd unit with the memory that it needs.")
    ] = False,
) -> None:
    """Say whether the service would start with a configuration, and what is wrong with it."""
    from appliance.check_config import run  # noqa: PLC0415

    raise typer.Exit(run(config, unit))


@app.command()
def simulate(
    scenarios: Annotated[list[str], typer.Argument(metavar="SCENARIO...", help="Scenario files, or names of shipped.")],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The capture to write (gzip when it ends in .gz).")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The labels to write: who is honest, who is not.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="N", help="Chance starts from it, not from the scenario's.")
    ] = None,
    live: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Instead of --out: send it live, as UDP to a loopback address.")
    ] = "",
    hep: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="As --live, in HEP messages: for who may not capture.")
    ] = "",
    speed: Annotated[float, typer.Option(min=0.01, metavar="X", help="Of --live and --hep: times real time.")] = 1.0,
) -> None:
    """Make labelled telephone traffic, honest and fraudulent, as a capture or live."""
    from simulator.command import run  # noqa: PLC0415

    raise typer.Exit(run(scenarios, out, labels, seed, live, hep, speed))


@app.command()
def enroll(
    url: Annotated[str, typer.Argument(metavar="URL", help="Of the collector's enrolment, https://NAME:8444.")],
    token: Annotated[str, typer.Option(metavar="T", help="From `sipwarden-collector token create`; - reads it.")],
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Of this box; its host name otherwise.")] = None,
    ca: Annotated[
        Path | None, typer.Option(metavar="FILE", readable=False, help="Trust this root, not the token's fingerprint.")
    ] = None,
    config: Annotated[Path | None, typer.Option(metavar="F", readable=False, help="Configuration file (TOML).")] = None,
) -> None:
    """Get this box a certificate from a collector, to report to it from now on."""
    from appliance.reporting.enroll import run  # noqa: PLC0415

    raise typer.Exit(run(url, token, name, ca, config))


# Setting up the commands of the running service takes as long as a small capture takes to screen.
WITHOUT_SERVICE = ("screen", "parse")


def main() -> None:
    """The entry point of the command."""
    if not sys.argv[1:] or sys.argv[1] not in WITHOUT_SERVICE:
        from appliance.client import commands as admin_commands  # noqa: PLC0415

        admin_commands.add_to(app)
    app(prog_name="sipwarden")


if __name__ == "__main__":
    main()
