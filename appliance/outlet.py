"""Where the pipeline puts what it found."""

from collections.abc import Callable

import msgspec

Write = Callable[[bytes], object]  # takes whole JSON lines of appliance/report.py


def _drop(_: bytes) -> None:
    """Nobody asked."""


class Outlet(msgspec.Struct, frozen=True):
    """Who takes the lines of a pipeline. None of them may wait: packets would meanwhile."""

    calls: Write = _drop  # those that are over, a block of them at a time
    findings: Write = _drop  # a finding about a party as it stands: there is news, or no more will come
    alert: Write | None = None  # a call or a party at the moment at which its verdict rises
