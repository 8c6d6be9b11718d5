"""What a key of a scenario file may hold."""

from typing import Annotated, Literal

import msgspec

Ratio = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
Positive = Annotated[float, msgspec.Meta(gt=0.0)]
Count = Annotated[int, msgspec.Meta(ge=1)]
NoneOrMore = Annotated[int, msgspec.Meta(ge=0)]
Form = Literal["e164", "digits", "national", "international", "extension", "name"]
# How all calls of a campaign end; `mixed`: as a carrier's release causes are usually spread.
Fate = Literal[
    "mixed", "answered", "cancelled", "vacant", "busy", "declined", "unavailable", "congested", "forbidden", "silent"
]
