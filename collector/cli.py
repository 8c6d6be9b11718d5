"""The command `sipwarden-collector`. A command imports what it needs when it is called."""

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, get_args

import typer

from collector.commands_api import api_tokens
from collector.commands_boxes import boxes
from collector.commands_webhooks import webhooks
from collector.errors import CollectorError
from collector.shell import USAGE_ERROR, AsJson, Chosen, actor, fail, open_store, print_pages, read_config, when

app = typer.Typer(
    name="sipwarden-collector",
    help="The central collector of sipwarden: what many boxes report, in one store.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
token = typer.Typer(no_args_is_help=True, help="Tokens that enrol a box.")
users = typer.Typer(no_args_is_help=True, help="The accounts of the console.")
app.add_typer(boxes, name="boxes")
app.add_typer(token, name="token")
app.add_typer(users, name="users")
app.add_typer(api_tokens, name="api-tokens")
app.add_typer(webhooks, name="webhooks")


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415

        typer.echo(f"sipwarden-collector {version('sipwarden')}")
        raise typer.Exit


@app.callback()
def common(
    config: Annotated[Path | None, typer.Option(metavar="F", help="Configuration file (TOML).")] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """The central collector of sipwarden: what many boxes report, in one store."""
    Chosen.config = config


@app.command()
def serve() -> None:
    """Run the collector until it is told to stop."""
    from collector.server import Core, serve  # noqa: PLC0415

    asyncio.run(serve(Core.open(read_config())))


@app.command()
def migrate() -> None:
    """Make the store, or bring it to this version's schema. Does nothing where there is nothing to do."""
    from collector.store.database import newest_revision  # noqa: PLC0415
    from collector.store.store import Store  # noqa: PLC0415

    config = read_config()
    config.state_dir.mkdir(parents=True, exist_ok=True, mode=0o750)
    Store.open(config.store_url, create=True).close()
    print(f"the store has schema revision {newest_revision()}")


# --- tokens


@token.command("create")
def create_token(
    box: Annotated[str, typer.Option(help="The only box that it is good for; needed to enrol one anew.")] = "",
    hours: Annotated[int | None, typer.Option(min=1, help="For how long it is good.")] = None,
) -> None:
    """Make a token that enrols one box, once. It is shown now and never again."""
    from collector.authority import Authority  # noqa: PLC0415
    from collector.config import url_of  # noqa: PLC0415
    from collector.enrolment import make_token  # noqa: PLC0415

    config = read_config()
    store = open_store()
    text, secret = make_token(Authority.open(config.authority_dir, config.tls.names))
    lifetime_s = (hours or config.enrolment.token_hours) * 3600
    made = store.fleet.create_token(secret, actor(), lifetime_s, box or None)
    print(text)
    if config.enrolment.listen:
        url = url_of(config.tls.names[0], config.enrolment.listen)
        print(f"good until {when(made.expires_ns)}; on the box: sipwarden enroll {url} --token -", file=sys.stderr)


@token.command("list")
def list_tokens(as_json: AsJson = False) -> None:
    """List enrolment tokens, used or not. Their secrets are not kept."""
    columns = {
        "id": lambda token: token.id,
        "for": lambda token: token.box or "any",
        "by": lambda token: token.created_by,
        "expires": lambda token: when(token.expires_ns),
        "used": lambda token: when(token.used_ns),
    }
    print_pages(open_store().fleet.tokens, as_json, columns, "No tokens.")


# --- users


@users.command("add")
def add_user(
    name: Annotated[str, typer.Argument(help="To log in with; the audit trail has it, too.")],
    role: Annotated[str, typer.Option(help="reader, analyst or administrator")] = "reader",
) -> None:
    """Add an account of the console. The password is asked for, or read from standard input."""
    from collector.store.accounts import (  # noqa: PLC0415
        MAX_PASSWORD,
        MIN_PASSWORD,
        USER_NAME,
        Role,
        is_user_name,
    )

    if not is_user_name(name):
        fail(USER_NAME, USAGE_ERROR)
    if role not in get_args(Role):
        fail(f"no such role: {role} (there are {', '.join(get_args(Role))})", USAGE_ERROR)
    interactive = sys.stdin.isatty()
    password = (
        typer.prompt("Password", hide_input=True, confirmation_prompt=True) if interactive else sys.stdin.readline()
    )
    password = password.rstrip("\n")
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        fail(f"a password has {MIN_PASSWORD} to {MAX_PASSWORD} characters", USAGE_ERROR)
    open_store().accounts.add_user(name, role, password, actor())  # type: ignore[arg-type]
    print(f"{name} may log in as {role}")


@users.command("list")
def list_users(as_json: AsJson = False) -> None:
    """List the accounts of the console."""
    columns = {
        "user": lambda user: user.name,
        "role": lambda user: user.role,
        "since": lambda user: when(user.created_ns),
        "disabled": lambda user: when(user.disabled_ns),
    }
    print_pages(open_store().accounts.users, as_json, columns, "No accounts.")


# --- data


@app.command()
def export(
    out: Annotated[Path, typer.Argument(metavar="DIR", help="A folder, made when it is not there.")],
    since: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Of arrival, UTC.")] = None,
    until: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Of arrival, UTC; not included.")] = None,
) -> None:
    """Write findings, calls, labels and hourly counters as Parquet files. Numbers are as they are stored."""
    from collector.export import export as write  # noqa: PLC0415

    store = open_store()
    for file, rows in write(store, out, _ns(since), _ns(until)).items():
        print(f"{file}: {rows} rows")
    store.journal.audit(actor(), "export", str(out)[:256])


@app.command()
def backup(file: Annotated[Path, typer.Argument(metavar="FILE", help="The backup to write (.tar).")]) -> None:
    """Write the store, the authority and the keys into one file. The collector goes on meanwhile."""
    from collector.backup import backup as write  # noqa: PLC0415

    config = read_config()
    store = open_store()
    write(config, store, file)
    store.journal.audit(actor(), "backup", str(file)[:256])
    print(f"{file}: {file.stat().st_size} bytes; it holds the keys: keep it as safe as them")


@app.command()
def restore(file: Annotated[Path, typer.Argument(metavar="FILE", help="A backup.")]) -> None:
    """Put a backup back, into an empty place. The collector must not run."""
    from collector.backup import restore as read  # noqa: PLC0415

    for what in read(read_config(), file):
        print(f"restored {what}")


@app.command()
def reveal(tokens: Annotated[list[str], typer.Argument(metavar="PSEUDONYM...")]) -> None:
    """Show the numbers behind pseudonyms. Goes into the audit trail."""
    from collector.server import open_numbers  # noqa: PLC0415

    numbers = open_numbers(read_config())
    store = open_store()
    for each in tokens:
        number = numbers.reveal(each)
        store.journal.audit(actor(), "number.reveal", each[:256])
        print(number)


def _ns(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.replace(tzinfo=UTC).timestamp()) * 10**9


def main() -> None:
    """The entry point of the command."""
    try:
        from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415
    except ModuleNotFoundError:
        fail("the collector needs more than a box: in a checkout, pip install '.[collector]'", USAGE_ERROR)
    try:
        app(prog_name="sipwarden-collector")
    except CollectorError as error:
        fail(str(error))
    except SQLAlchemyError as error:
        fail(f"the store failed: {str(error).partition(chr(10))[0]}")
    except OSError as error:  # a path that was named cannot be written, or not be read
        fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))


if __name__ == "__main__":
    main()
