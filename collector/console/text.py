"""Text that came off the wire, shown so that it cannot deceive."""

import unicodedata
from datetime import UTC, datetime

# Controls, marks that turn the direction of writing, surrogates, private use, unassigned, line and paragraph ends.
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
MAX_SHOWN = 512  # characters of one text
NONE = "\N{EN DASH}"


def visible(text: str) -> str:
    """The text with each character that would not be seen, or would move others, as its code point: `<U+202E>`."""
    shown = "".join(
        f"<U+{ord(char):04X}>" if unicodedata.category(char) in _INVISIBLE else char for char in text[:MAX_SHOWN]
    )
    return shown if len(text) <= MAX_SHOWN else f"{shown}…"


def moment(time_ns: int | None) -> str:
    """`2026-01-05 12:30:00Z`, a dash for none."""
    return NONE if time_ns is None else f"{datetime.fromtimestamp(time_ns // 10**9, UTC):%Y-%m-%d %H:%M:%SZ}"


def said(moment: str | None) -> str:
    """A moment of a report (RFC 3339, to the microsecond) as the others are written."""
    return NONE if not moment else f"{visible(moment)[:19].replace('T', ' ')}Z"


def machine_moment(time_ns: int) -> str:
    """As the `datetime` of HTML's <time> has it."""
    return f"{datetime.fromtimestamp(time_ns // 10**9, UTC):%Y-%m-%dT%H:%M:%SZ}"


def seconds(value: float | None) -> str:
    """A duration, a dash for none."""
    return NONE if value is None else f"{value:.1f} s"


def percent(value: float | None) -> str:
    """A share, a dash for none."""
    return NONE if value is None else f"{value:.1%}"
