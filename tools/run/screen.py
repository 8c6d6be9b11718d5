"""What who types `make run` sees: where things are, findings as they come, what it came to.

Colours and the line at the bottom that counts are for a terminal alone; a pipe gets whole lines.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from appliance.mask import mask_text
from appliance.printable import printable

STYLES = {"flag": "bold red", "watch": "yellow", "allowed": "green"}
WIDE = 140  # columns from which on a finding and its reason are one line
WHY = 90  # the column of the reason then

Row = dict[str, Any]


class Screen:
    """Writes to stdout."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, emoji=False, markup=False)
        self._bottom: Live | None = None

    def title(self) -> None:
        self._write()
        self._write(Text("  sipwarden", "bold") + Text(" · a box, its collector and the desk's console", "dim"))
        self._write()

    def facts(self, title: str, facts: dict[str, str], strong: tuple[str, ...] = ()) -> None:
        """Names and what they are, one a line."""
        if title:
            self._write()
            self.heading(title)
        width = max(map(len, facts)) + 3
        for name, text in facts.items():
            self._write(Text.assemble((f"  {name:<{width}}", "dim"), (text, "bold" if name in strong else "")))
        self._write()

    def note(self, text: str) -> None:
        self._write(Text(f"  {text}", "yellow"))

    def wrong(self, text: str) -> None:
        """What went wrong, several lines of it maybe."""
        for line in text.splitlines():
            self._write(Text(f"  {printable(line)}", "bold red"))

    def heading(self, text: str) -> None:
        self._write(Text(f"  {text}", "bold"))
        self._write()

    def finding(self, row: Row) -> None:
        """`02:26:41  source  flag   1.00  wangiri  0022******13 at 127.128.0.5`, and why, where there is room."""
        line = Text.assemble(
            (f"  {row['time'][11:19]}  ", "dim"),
            (f"{row['kind']:<6}  ", "dim"),
            (f"{row['verdict']:<5}", STYLES.get(row["verdict"], "")),
            f"  {row['score']:.2f}  ",
            (f"{', '.join(row['fraud_types']):<17}  ", "bold"),
            printable(_who(row)),
        )
        why = Text(printable(mask_text(row["reasons"][0])) if row["reasons"] else "", "dim")
        if self._console.is_terminal and self._console.width < WIDE:
            self._write(line)
            self._write(Text(" " * len("  02:26:41  ")) + why)
        else:
            self._write(Text.assemble(line, " " * max(2, WHY - line.cell_len), why))

    def _write(self, line: Text | str = "") -> None:
        if self._console.is_terminal:
            self._console.print(line, no_wrap=True, overflow="ellipsis")
        else:
            self._console.print(line, soft_wrap=True)

    # -- the line at the bottom

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Shows `count` below everything else meanwhile."""
        with Live(console=self._console, transient=True, auto_refresh=False) as self._bottom:
            yield
        self._bottom = None

    def count(self, text: str) -> None:
        if self._bottom is not None and self._console.is_terminal:
            self._bottom.update(Text(f"\n  {text}", "dim"), refresh=True)


def _who(row: Row) -> str:
    """Who it is about, in the order in which a call goes."""
    caller, callee = row["caller"], row["callee"]
    numbers = f"{caller} to {callee}" if caller and callee else caller or (f"to {callee}" if callee else "")
    return " at ".join(part for part in (numbers, row["source"]) if part)
