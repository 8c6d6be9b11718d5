"""A small exchange of one's own, seen from within."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random

from simulator.intent import Intent, Line
from simulator.keys import Count, Positive, Ratio
from simulator.numbers import EXTENSION_DIGITS
from simulator.population import PopulationBase
from simulator.rhythm import Curve
from simulator.town import Town, call


class SmallExchange(PopulationBase, tag="small_exchange"):
    """A handful of telephones that know one another by extensions or names: no number of a caller is one that the
    public network knows, and few callees are, as with scanners; but each telephone calls from its own address, and is
    answered."""

    telephones: Count = 8
    calls_per_telephone_hour: Positive = 4.0
    named_ratio: Ratio = 0.2  # telephones that have a name instead of an extension
    outside_ratio: Ratio = 0.3
    curve: Curve = "business"

    def settle(self, town: Town, rng: Random) -> None:
        first = rng.randrange(10 ** (EXTENSION_DIGITS - 2), 10**EXTENSION_DIGITS - self.telephones)
        for k in range(self.telephones):
            device = self.device(town, rng, "phone", town.subscriber_endpoint(rng))
            user = f"user{k}" if rng.random() < self.named_ratio else str(first + k)
            town.members.setdefault(self.name, []).append(replace(device, number=user, user=user))

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        lines, how = town.members[self.name], self.answering()
        for at_ns in town.arrivals(rng, self.telephones * self.calls_per_telephone_hour, self.curve):
            line = rng.choice(lines)
            if rng.random() < self.outside_ratio or len(lines) == 1:
                yield call(rng, town, at_ns, line, town.some_number(rng), how, self.name, variant="outside")
            else:
                callee = self._another(rng, lines, line).user
                yield call(rng, town, at_ns, line, callee, how, self.name, variant="inside", dialled=callee)

    def _another(self, rng: Random, lines: list[Line], line: Line) -> Line:
        return rng.choice([one for one in lines if one is not line])
