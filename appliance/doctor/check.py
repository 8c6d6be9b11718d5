"""One thing that was looked at: how it is, what was seen, and what cures it."""

from typing import Literal

import msgspec

State = Literal["ok", "warn", "fail"]


class Check(msgspec.Struct, frozen=True):
    """`fail`: the box does not do its work; `warn`: it does some of it, or soon will not. `cure` is "" when all is
    well."""

    name: str
    state: State
    seen: str
    cure: str = ""


def ok(name: str, seen: str) -> Check:
    return Check(name, "ok", seen)


def warn(name: str, seen: str, cure: str) -> Check:
    return Check(name, "warn", seen, cure)


def fail(name: str, seen: str, cure: str) -> Check:
    return Check(name, "fail", seen, cure)
