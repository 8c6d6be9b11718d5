"""The commands of the running service. Nothing heavy is imported here: see appliance/cli.py."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from appliance.client.output import Form
from appliance.exit import Exit
from models.fraud_types import FRAUD_TYPES

if TYPE_CHECKING:
    from appliance.client.operate import Service

decisions_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="What is to be denied, and until when.")
allow_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Whose calls are never reported as fraud.")
evidence_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="What the box has on a party.")


STATES = ("trying", "ringing", "answered", "completed", "cancelled", "rejected", "failed", "expired")
VERDICTS = ("flag", "watch", "allowed")


class Judgement(StrEnum):
    """What a finding can turn out to be."""

    FRAUD = "fraud"
    HONEST = "honest"


As = Annotated[Form, typer.Option("--output", "-o", help="For people, for programs, or for cut and awk.")]
Socket = Annotated[Path | None, typer.Option(metavar="PATH", help="The service's admin socket.")]
Config = Annotated[
    Path | None, typer.Option(metavar="F", readable=False, help="The configuration that names the socket.")
]
Unmasked = Annotated[bool, typer.Option("--unmasked", help="Show telephone numbers: administrators only, and logged.")]
Limit = Annotated[int, typer.Option(min=1, max=1000, metavar="N", help="At most so many.")]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes.")]
Number = Annotated[str | None, typer.Option(metavar="N", help="Of the caller or callee, as sent or in E.164.")]
Source = Annotated[str | None, typer.Option(metavar="IP", help="The address that the calls come from.")]
Since = Annotated[str | None, typer.Option(metavar="T", help="A time ago (2h, 7d), or a moment (2026-11-24T08:00Z).")]
Value = Annotated[
    str, typer.Argument(metavar="NUMBER|RANGE|IP|NETWORK", help="+442079460123, +4420*, 192.0.2.7, 192.0.2.0/24")
]
Why = Annotated[str, typer.Option(metavar="TEXT", help="The reason, for whoever reads the list later.")]


def _one_of(names: Sequence[str]) -> dict[str, Any]:
    """Of an option that takes one of `names`: what is completed, and what is refused."""

    def check(value: str | None) -> str | None:
        if value is not None and value not in names:
            raise typer.BadParameter(f"{value!r} is not one of {', '.join(names)}")
        return value

    def begin(incomplete: str) -> list[str]:
        return [name for name in names if name.startswith(incomplete)]

    return {"callback": check, "autocompletion": begin}


def _service(socket: Path | None, config: Path | None) -> "Service":
    from appliance.client.operate import Service  # noqa: PLC0415

    return Service(socket, config)


def status(output: As = Form.HUMAN, socket: Socket = None, config: Config = None) -> None:
    """How the service is doing."""
    from appliance.client import operate  # noqa: PLC0415
    from appliance.client.status_text import status_text  # noqa: PLC0415

    service = _service(socket, config)
    raise typer.Exit(operate.guarded(lambda: operate.telling(service, output, status_text, "status")))


def top(
    interval: Annotated[
        float, typer.Option("--interval", "-d", min=0.2, max=60, metavar="S", help="Between looks.")
    ] = 1,
    unmasked: Unmasked = False,
    socket: Socket = None,
    config: Config = None,
) -> None:
    """Calls, findings, rates and losses, live. q quits, ? explains the keys."""
    from appliance.client import operate  # noqa: PLC0415
    from appliance.client.top import run  # noqa: PLC0415

    raise typer.Exit(operate.guarded(lambda: run(_service(socket, config), interval, unmasked)))


def calls(
    state: Annotated[str | None, typer.Option(metavar="S", help=f"{', '.join(STATES)}.", **_one_of(STATES))] = None,
    number: Number = None,
    source: Source = None,
    limit: Limit = 50,
    follow: Follow = False,
    unmasked: Unmasked = False,
    output: As = Form.HUMAN,
    socket: Socket = None,
    config: Config = None,
) -> None:
    """The calls that are going on, those that began last first."""
    from appliance.client import listings, operate  # noqa: PLC0415

    wanted = {"state": state, "number": number, "source": source, "limit": limit, "unmasked": unmasked}
    service = _service(socket, config)

    def run() -> None:
        if follow:
            operate.following(service, output, listings.FOLLOWED_CALLS, "calls.follow", **wanted)
        else:
            operate.listing(service, output, listings.CALLS, "calls", **wanted)

    raise typer.Exit(operate.guarded(run))


def findings(
    verdict: Annotated[
        str | None, typer.Option(metavar="V", help=f"{', '.join(VERDICTS)}.", **_one_of(VERDICTS))
    ] = None,
    fraud_type: Annotated[
        str | None,
        typer.Option("--type", metavar="T", help="Such as wangiri or irsf.", **_one_of(FRAUD_TYPES)),
    ] = None,
    since: Since = None,
    number: Number = None,
    source: Source = None,
    limit: Limit = 50,
    follow: Follow = False,
    unmasked: Unmasked = False,
    output: As = Form.HUMAN,
    socket: Socket = None,
    config: Config = None,
) -> None:
    """What was found, the newest first."""
    from appliance.client import listings, operate  # noqa: PLC0415

    def run() -> None:
        wanted = {
            "verdict": verdict,
            "fraud_type": fraud_type,
            "since_ns": operate.since_ns(since),
            "number": number,
            "source": source,
            "limit": limit,
            "unmasked": unmasked,
        }
        show, command = (operate.following, "follow") if follow else (operate.listing, "findings")
        show(_service(socket, config), output, listings.FINDINGS, command, **wanted)

    raise typer.Exit(operate.guarded(run))


def explain(
    call_id: Annotated[str, typer.Argument(metavar="ID", help="The Call-ID; of the service also a finding's id.")],
    file: Annotated[
        Path | None,
        typer.Option(metavar="CAPTURE", help="The capture that has the call; otherwise the service is asked."),
    ] = None,
    bundle: Annotated[Path | None, typer.Option(metavar="DIR", help="With --file: as of `screen`.")] = None,
    region: Annotated[str | None, typer.Option(metavar="CC", help="With --file: as of `screen`.")] = None,
    output: As = Form.HUMAN,
    unmasked: Unmasked = False,
    socket: Socket = None,
    config: Config = None,
) -> None:
    """Show one call or finding: its verdict, and the reasons; of a capture its ladder too."""
    from appliance.client import explain_live, operate  # noqa: PLC0415

    if file is not None:
        from appliance.explain import run  # noqa: PLC0415

        def explained() -> Exit:
            return run(call_id, file, output, config_path=config, bundle=bundle, region=region)

        raise typer.Exit(operate.guarded(explained))
    service = _service(socket, config)
    raise typer.Exit(operate.guarded(lambda: explain_live.run(service, output, call_id, unmasked)))


def label(
    finding: Annotated[str, typer.Argument(metavar="ID", help="Of the finding, or its Call-ID.")],
    judgement: Annotated[Judgement, typer.Argument(metavar="fraud|honest", help="What it turned out to be.")],
    output: As = Form.HUMAN,
    socket: Socket = None,
    config: Config = None,
) -> None:
    """Say what a finding turned out to be: it measures the box, and teaches later bundles."""
    from appliance.client import operate  # noqa: PLC0415

    wanted = {"id": finding, "label": judgement.value}
    service = _service(socket, config)
    raise typer.Exit(operate.guarded(lambda: operate.telling(service, output, operate.labelled, "label", **wanted)))


def metrics(socket: Socket = None, config: Config = None) -> None:
    """The metrics, in Prometheus' text format."""
    from appliance.client import operate  # noqa: PLC0415

    raise typer.Exit(operate.guarded(lambda: operate.metrics(_service(socket, config))))


def doctor(output: As = Form.HUMAN, socket: Socket = None, config: Config = None) -> None:
    """What keeps the box from seeing and judging calls, and the cure. Exit status 1 when something does."""
    from appliance.client import operate  # noqa: PLC0415

    raise typer.Exit(operate.guarded(lambda: operate.doctor(_service(socket, config), output)))


def reload(output: As = Form.HUMAN, socket: Socket = None, config: Config = None) -> None:
    """Put the configuration in force that is in its files now, bundles and access included."""
    from appliance.client import operate  # noqa: PLC0415

    raise typer.Exit(operate.guarded(lambda: operate.reload(_service(socket, config), output)))


def support_dump(
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.tar.gz", help="Otherwise sipwarden-support-TIME.tar.gz here.")
    ] = None,
    socket: Socket = None,
    config: Config = None,
) -> None:
    """Status, configuration, metrics, checks, log and versions in one file: without numbers and secrets."""
    import time  # noqa: PLC0415

    from appliance.admin.export import support_dump as run  # noqa: PLC0415
    from appliance.client import operate  # noqa: PLC0415

    path = out or Path(time.strftime("sipwarden-support-%Y%m%dT%H%M%SZ.tar.gz", time.gmtime()))
    raise typer.Exit(operate.guarded(lambda: run(_service(socket, config), path)))


@allow_app.command("list")
def allow_list(
    unmasked: Unmasked = False, output: As = Form.HUMAN, socket: Socket = None, config: Config = None
) -> None:
    """What is allowed, and until when."""
    from appliance.client import listings, operate  # noqa: PLC0415

    service = _service(socket, config)
    raise typer.Exit(
        operate.guarded(lambda: operate.listing(service, output, listings.ALLOWED, "allow.list", unmasked=unmasked))
    )


@allow_app.command("add")
def allow_add(
    value: Value,
    why: Why,
    span: Annotated[
        str | None, typer.Option("--for", metavar="T", help="Such as 30d; otherwise until it is deleted.")
    ] = None,
    unmasked: Unmasked = False,
    output: As = Form.HUMAN,
    socket: Socket = None,
    config: Config = None,
) -> None:
    """Never report the calls of a number, a range, a source or a network as fraud."""
    _add("allow.add", value, why, span, unmasked, output, socket, config)


@allow_app.command("delete")
def allow_delete(value: Value, socket: Socket = None, config: Config = None) -> None:
    """Take an entry off the list."""
    _delete("allow.delete", value, socket, config)


@decisions_app.command("list")
def decisions_list(
    unmasked: Unmasked = False, output: As = Form.HUMAN, socket: Socket = None, config: Config = None
) -> None:
    """What is to be denied, until when, and what that does now."""
    from appliance.client import listings, operate  # noqa: PLC0415

    service = _service(socket, config)
    raise typer.Exit(
        operate.guarded(
            lambda: operate.listing(service, output, listings.DECISIONS, "decisions.list", unmasked=unmasked)
        )
    )


@decisions_app.command("add")
def decisions_add(
    value: Value,
    why: Why,
    span: Annotated[str, typer.Option("--for", metavar="T", help="At most 30d: every denial expires.")] = "24h",
    unmasked: Unmasked = False,
    output: As = Form.HUMAN,
    socket: Socket = None,
    config: Config = None,
) -> None:
    """Decide that a number, a range, a source or a network is to be denied. Never an emergency number."""
    _add("decisions.add", value, why, span, unmasked, output, socket, config)


@decisions_app.command("delete")
def decisions_delete(value: Value, socket: Socket = None, config: Config = None) -> None:
    """Take a decision back."""
    _delete("decisions.delete", value, socket, config)


@evidence_app.command("list")
def evidence_list(
    limit: Limit = 50,
    unmasked: Unmasked = False,
    output: As = Form.HUMAN,
    socket: Socket = None,
    config: Config = None,
) -> None:
    """The numbers and sources that there is evidence about, the gravest first."""
    from appliance.client import listings, operate  # noqa: PLC0415

    service = _service(socket, config)
    wanted = {"limit": limit, "unmasked": unmasked}
    raise typer.Exit(
        operate.guarded(lambda: operate.listing(service, output, listings.EVIDENCE, "evidence.list", **wanted))
    )


@evidence_app.command("export")
def evidence_export(
    about: Annotated[str, typer.Argument(metavar="NUMBER|IP|ID", help="A number, an address, a finding or a Call-ID.")],
    out: Annotated[Path, typer.Option(metavar="FILE.json", help="The file to write; its hash goes beside it.")],
    since: Since = None,
    unmasked: Unmasked = False,
    socket: Socket = None,
    config: Config = None,
) -> None:
    """Write all findings about a party, with reasons and versions, as a file that a desk can hand on."""
    from appliance.admin.export import evidence  # noqa: PLC0415
    from appliance.client import operate  # noqa: PLC0415

    service = _service(socket, config)
    raise typer.Exit(operate.guarded(lambda: evidence(service, about, out, operate.since_ns(since), unmasked)))


def _add(
    command: str,
    value: str,
    why: str,
    span: str | None,
    unmasked: bool,
    output: Form,
    socket: Path | None,
    config: Path | None,
) -> None:
    from appliance.client import operate  # noqa: PLC0415

    def run() -> None:
        for_s = operate.span_s(span) if span else None
        wanted = {"value": value, "why": why, "for_s": for_s, "unmasked": unmasked}
        operate.telling(_service(socket, config), output, operate.entered, command, **wanted)

    raise typer.Exit(operate.guarded(run))


def _delete(command: str, value: str, socket: Path | None, config: Path | None) -> None:
    from appliance.client import operate  # noqa: PLC0415

    raise typer.Exit(operate.guarded(lambda: operate.delete(_service(socket, config), command, value)))


def add_to(app: typer.Typer) -> None:
    """Puts the commands where the user finds them."""
    for command in (status, top, calls, findings, explain, label, metrics, doctor, reload):
        app.command()(command)
    app.command("support-dump")(support_dump)
    app.add_typer(evidence_app, name="evidence")
    app.add_typer(allow_app, name="allow")
    app.add_typer(decisions_app, name="decisions")
