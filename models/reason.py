"""A reason of a verdict, as the scorer gives it and as reports carry it."""

import msgspec


class Reason(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """The score falls by `effect` when `feature` is put back from `value` to what is `typical` of honest rows. None
    where a value is not known."""

    feature: str
    value: float | None
    typical: float | None
    effect: float
    text: str
