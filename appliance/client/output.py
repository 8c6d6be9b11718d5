"""The three forms of what a client command shows: for people, for programs, for the shell.

`human` is a table, and what is hostile to a terminal is made visible in it; `json` is one array or object (of a stream:
an object a line) with all fields; `raw` has the same rows and columns as the documentation lists, without headings: one
field between two tabs, whatever is in it, `-` for nothing, and `|` between the entries of a list.
"""

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from appliance.printable import printable

if TYPE_CHECKING:
    from rich.console import Console

STYLES = {
    "flag": "bold red",
    "fail": "bold red",
    "down": "bold red",
    "watch": "yellow",
    "warn": "yellow",
    "allowed": "green",
}
NOTHING = "-"
BETWEEN = "|"  # entries of a list: texts have commas and semicolons

Row = dict[str, Any]


class Form(StrEnum):
    """Of `-o`."""

    HUMAN = "human"
    JSON = "json"
    RAW = "raw"


@dataclass(frozen=True, slots=True)
class Column:
    """`text` gives what people see of a row; without it the field of that name is shown."""

    heading: str
    field: str = ""
    text: Callable[[Row], str] | None = None
    right: bool = False
    folds: bool = False  # over several lines where the terminal is narrow; the others are kept whole
    styled: bool = False  # by its own value

    def of(self, row: Row) -> str:
        return self.text(row) if self.text is not None else shown(row[self.field or self.heading])


@dataclass(frozen=True, slots=True)
class Listing:
    """Rows of one kind. For people they are a table of `columns`, or else cards: the lines that `card` gives, of which
    the first is styled by the row's verdict. `raw`: the fields in their order. `empty`: the sentence for no rows."""

    raw: Sequence[str]
    empty: str
    columns: Sequence[Column] = ()
    card: Callable[[Row], list[str]] | None = None

    def show(self, rows: Sequence[Row], form: Form) -> None:
        """All rows at once, on stdout."""
        if form is Form.JSON:
            print(json.dumps(rows))
        elif form is Form.RAW or (rows and self.card is not None):
            for row in rows:
                self.show_one(row, form)
        elif rows:
            console().print(self._table(rows))
        else:
            print(self.empty)

    def show_one(self, row: Row, form: Form) -> None:
        """One row of many, as it comes."""
        if form is Form.JSON:
            print(json.dumps(row), flush=True)
        elif form is Form.RAW:
            print("\t".join(raw_value(row[field]) for field in self.raw), flush=True)
        elif self.card is not None:
            from rich.text import Text  # noqa: PLC0415 - see _table

            head, *more = map(printable, self.card(row))
            text = Text("\n".join([head, *more]))
            text.stylize(STYLES.get(row["verdict"], ""), 0, len(head))
            console().print(text, soft_wrap=True)

    def _table(self, rows: Sequence[Row]) -> object:
        # rich takes as long to import as the whole of `-o raw` takes to run
        from rich import box  # noqa: PLC0415
        from rich.table import Table  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
        for column in self.columns:
            table.add_column(
                column.heading,
                justify="right" if column.right else "left",
                no_wrap=not column.folds,
                overflow="fold",
            )
        for row in rows:
            cells = []
            for column in self.columns:
                lines = [printable(line) for line in column.of(row).split("\n")]
                cells.append(Text("\n".join(lines), STYLES.get(lines[0], "") if column.styled else ""))
            table.add_row(*cells)
        return table


def console() -> "Console":
    from rich.console import Console  # noqa: PLC0415

    return Console(file=sys.stdout, highlight=False, emoji=False, markup=False)


def show_object(value: Row, form: Form, human: Callable[[Row], str]) -> None:
    """One object: JSON; `raw` as `name<tab>value` lines, nested names joined by dots; or as `human` words it."""
    if form is Form.JSON:
        print(json.dumps(value))
    elif form is Form.RAW:
        for name, one in flat(value):
            print(f"{name}\t{raw_value(one)}")
    else:
        print(human(value))


def flat(value: Any, name: str = "") -> Iterable[tuple[str, Any]]:
    """(dotted name, value) of everything inside an object; list entries are numbered from 0."""
    if isinstance(value, dict) and value:
        for key, one in value.items():
            yield from flat(one, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list) and any(isinstance(one, dict) for one in value):
        for i, one in enumerate(value):
            yield from flat(one, f"{name}.{i}")
    else:
        yield name, value


def raw_value(value: Any) -> str:
    """On one line, without tabs; of a list, entries without what stands between them."""
    if value is None or value in ("", [], {}):
        return NOTHING
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return BETWEEN.join(raw_value(one).replace(BETWEEN, "/") for one in value)
    return printable(str(value).replace("\t", " ").replace("\n", " "))


def shown(value: Any) -> str:
    """A value for people."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "\n".join(map(shown, value)) or NOTHING
    if isinstance(value, float):
        return f"{value:.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def moment(text: str | None) -> str:
    """RFC 3339 in UTC, to the second, as people read it."""
    return NOTHING if text is None else text[:19].replace("T", " ")


def stacked(text: str) -> str:
    """The same on two lines, for a narrow column."""
    return moment(text).replace(" ", "\n")
