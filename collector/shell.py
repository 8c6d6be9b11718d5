"""What the commands of `sipwarden-collector` share: the configuration that was chosen, who is at the shell, tables."""

import getpass
import logging
import os
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import msgspec
import typer

if TYPE_CHECKING:
    from collector.config import Config
    from collector.store.paging import Page
    from collector.store.store import Store

USAGE_ERROR = 2
FAILED = 1

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


class Chosen:
    """What the options before the command say."""

    config: Path | None = None


def read_config() -> "Config":
    """The configuration, and logging as it says."""
    from collector.config import load  # noqa: PLC0415

    config = load(Chosen.config)
    logging.basicConfig(
        level=config.service.log_level.upper(), format="%(levelname)s %(name)s %(message)s", stream=sys.stderr
    )
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    return config


def open_store() -> "Store":
    """The store of the configuration."""
    from collector.store.store import Store  # noqa: PLC0415

    return Store.open(read_config().store_url)


def actor() -> str:
    """Who is at the shell, for the audit trail."""
    try:
        return f"shell:{os.environ.get('SUDO_USER') or getpass.getuser()}"[:63]
    except (KeyError, OSError):
        return f"shell:{os.getuid()}"


def when(time_ns: int | None) -> str:
    """A moment for people."""
    return "-" if time_ns is None else f"{datetime.fromtimestamp(time_ns / 1e9, UTC):%Y-%m-%d %H:%M:%SZ}"


def visible(text: str) -> str:
    """What a box says about itself may hold anything: nothing of it moves a cursor."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def print_rows(rows: Iterable[Any], as_json: bool, columns: dict[str, Any], nothing: str) -> None:
    """Rows as JSON lines, or as a table of `columns`: heading -> text of a row; without any, `nothing` for people."""
    if as_json:
        for row in rows:
            print(msgspec.json.encode(row).decode())
        return
    from rich import box  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(*columns, box=box.SIMPLE)
    for row in rows:
        table.add_row(*(Text(visible(str(text(row)))) for text in columns.values()))
    if table.row_count:
        Console().print(table)
    else:
        print(nothing)


def print_pages(page: Callable[[int | None], "Page"], as_json: bool, columns: dict[str, Any], nothing: str) -> None:
    """The same for all rows of a list that the store gives in pages."""
    from collector.store.paging import every  # noqa: PLC0415

    print_rows(every(page), as_json, columns, nothing)


def fail(message: str, status: int = FAILED) -> NoReturn:
    """Ends the command with one line on stderr."""
    print(f"error: {message}", file=sys.stderr)
    raise SystemExit(status)
