"""The calls that are going on: read from the engine's table in short looks, so that packets never wait for long."""

import ipaddress
from collections.abc import Awaitable, Callable
from operator import methodcaller

import numpy as np

from appliance.party import SEPARATORS
from appliance.pipeline import Pipeline
from kernels.open_calls import find, slots_of

# A look at so many slots takes some 35 us of the tracker's time (tests/test_live_calls.py bounds it), and as many lines
# not much longer.
SLOTS_PER_LOOK = 4096
LINES_PER_LOOK = 64

Look = Callable[[Pipeline], object]


def packed(address: str) -> bytes:
    """An address as the table holds it: 16 bytes, IPv4 mapped (RFC 4291 2.5.5.2). Raises ValueError."""
    parsed = ipaddress.ip_address(address)
    return parsed.packed if parsed.version == 6 else bytes(10) + b"\xff\xff" + parsed.packed


async def live_calls(
    ask: Callable[[Look], Awaitable],
    *,
    limit: int,
    state: str | None = None,
    number: str | None = None,
    source: str | None = None,
    call_id: str | None = None,
) -> list[bytes]:
    """The JSON lines (report.CallLine) of at most `limit` calls in the table, those that began last first.

    `ask` runs a function of the pipeline on its thread. The table goes on while it is read: a call that comes or goes
    meanwhile may be missing. Calls that are over stay in the table for some seconds, for late messages. Raises
    ValueError when `source` is no address.
    """
    wanted = _wanted(state, number, source, call_id)
    serials, slots = await _find(ask, wanted)
    newest = np.argsort(serials)[::-1][:limit]
    lines: list[bytes] = []
    for start in range(0, len(newest), LINES_PER_LOOK):
        chosen = newest[start : start + LINES_PER_LOOK]
        block = await ask(methodcaller("open_lines", serials[chosen], slots[chosen]))
        lines += block.splitlines()
    return lines


async def _find(ask: Callable[[Look], Awaitable], wanted: dict) -> tuple[np.ndarray, np.ndarray]:
    """(serials, slots) of all that match; at most as many as the table has slots, 12 bytes each."""

    def look_from(first: int) -> Look:
        return lambda pipeline: find(pipeline.engine, first, SLOTS_PER_LOOK, **wanted)

    slots = await ask(lambda pipeline: slots_of(pipeline.engine))
    found = [await ask(look_from(first)) for first in range(0, slots, SLOTS_PER_LOOK)]
    return np.concatenate([serials for serials, _ in found]), np.concatenate([slots for _, slots in found])


def _wanted(state: str | None, number: str | None, source: str | None, call_id: str | None) -> dict:
    wanted: dict = {"state": state}
    if number is not None:
        plain = SEPARATORS.sub("", number)
        wanted["number"] = plain.encode()
        wanted["e164"] = plain.removeprefix("+").encode() if plain.startswith("+") else b""
    if source is not None:
        wanted["source"] = packed(source)
    if call_id is not None:
        wanted["call_id"] = call_id.encode()
    return wanted
