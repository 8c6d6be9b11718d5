"""The three verdicts, by number and by the name that reports give them."""

from typing import Literal

PASS, WATCH, FLAG = 0, 1, 2
Verdict = Literal["pass", "watch", "flag"]
VERDICTS: tuple[Verdict, ...] = ("pass", "watch", "flag")
