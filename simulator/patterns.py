"""Shapes of tags, branches, Call-IDs and session ids, written as text: `as{hex:8}` draws `as1f09c2b7`.

A field is `{kind}` or `{kind:argument}`:

- `hex:8`, `HEX:8`: that many hexadecimal digits
- `dec:100-999`: a whole number from the first to the last
- `alnum:10`, `lower:10`, `upper:10`, `digits:10`, `token:10`: that many characters (`lower` and `upper` with digits,
  `token` with `~` and `-`)
- `uuid`: a version 4 UUID
- `host`: the sender's own address; `date`: RFC 1123 date of sending
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from functools import lru_cache
from random import Random
from time import gmtime

from simulator.rhythm import NS_PER_S

_FIELD = re.compile(r"\{(\w+)(?::([^}]+))?\}")
_ALPHABETS = {
    "alnum": string.ascii_letters + string.digits,
    "lower": string.ascii_lowercase + string.digits,
    "upper": string.ascii_uppercase + string.digits,
    "digits": string.digits,
    "token": string.ascii_letters + string.digits + "~-",
}
_DAYS, _MONTHS = (
    ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"],
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"],
)

_Part = Callable[[Random, str, int], str]


class Pattern:
    """A compiled shape; `draw(rng, host, at_ns)` gives one text of it. Raises ValueError for an unknown field."""

    def __init__(self, text: str):
        self.text = text
        self._parts: list[_Part] = []
        end = 0
        for match in _FIELD.finditer(text):
            self._fixed(text[end : match.start()])
            self._parts.append(_part(match[1], match[2] or ""))
            end = match.end()
        self._fixed(text[end:])

    def _fixed(self, text: str) -> None:
        if text:
            self._parts.append(lambda rng, host, at_ns: text)

    def draw(self, rng: Random, host: str = "", at_ns: int = 0) -> str:
        return "".join([part(rng, host, at_ns) for part in self._parts])


def _part(kind: str, argument: str) -> _Part:
    if kind in _FIXED_FIELDS:
        return _FIXED_FIELDS[kind]
    if kind in ("hex", "HEX"):
        digits = int(argument)
        form = f"%0{digits}{'x' if kind == 'hex' else 'X'}"
        return lambda rng, host, at_ns: form % rng.getrandbits(4 * digits)
    if kind == "dec":
        low, high = map(int, argument.split("-"))
        return lambda rng, host, at_ns: str(low + int(rng.random() * (high - low + 1)))
    if kind in _ALPHABETS:
        alphabet, count = _ALPHABETS[kind], int(argument)
        return lambda rng, host, at_ns: "".join(rng.choices(alphabet, k=count))
    raise ValueError(f"unknown field {{{kind}}}")


def _uuid(rng: Random) -> str:
    text = f"{rng.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


@lru_cache(maxsize=4096)
def http_date(second: int) -> str:
    """RFC 1123 date, in English and GMT whatever the locale (RFC 3261 20.17)."""
    at = gmtime(second)
    clock = f"{at.tm_hour:02d}:{at.tm_min:02d}:{at.tm_sec:02d}"
    return f"{_DAYS[at.tm_wday]}, {at.tm_mday:02d} {_MONTHS[at.tm_mon - 1]} {at.tm_year} {clock} GMT"


_FIXED_FIELDS: dict[str, _Part] = {
    "uuid": lambda rng, host, at_ns: _uuid(rng),
    "host": lambda rng, host, at_ns: host,
    "date": lambda rng, host, at_ns: http_date(at_ns // NS_PER_S),
}
