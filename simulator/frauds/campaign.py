"""What the fraud populations share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from random import Random
from typing import Any

from simulator.intent import HONEST, Call, Line
from simulator.keys import Count, Fate
from simulator.population import Choice, PopulationBase
from simulator.rhythm import NS_PER_S, Cadence, machine_arrivals
from simulator.town import Answering, Town
from simulator.vendors import Role


class Campaign(PopulationBase):
    """What the fraud populations share: a window of activity, an entrance, and a word for the variant."""

    variant: str = ""
    after_s: float = 0.0  # when it begins, from the start of the scenario
    for_s: float = 0.0  # how long it lasts; 0: to the end
    through: str = ""  # the honest population whose trunk carries it; empty: addresses of its own
    gateways: Count = 1  # own addresses, used in turn
    most_calls: int = 0  # of a machine; 0: any number
    fate: Fate = "mixed"  # how all its calls end
    even: bool = False  # all rings and talks are of one length
    masked: bool = False  # its User-Agent is that of an honest telephone; the rest of its style stays

    def window(self, town: Town) -> tuple[int, int]:
        start_ns = town.start_ns + int(self.after_s * NS_PER_S)
        return start_ns, min(town.end_ns, start_ns + int(self.for_s * NS_PER_S)) if self.for_s else town.end_ns

    def entrances(self, town: Town, rng: Random, role: Role) -> list[Line]:
        """The devices its requests come from."""
        if self.through:
            return [self.device_on(town, self.through)]
        devices = [self.device(town, rng, role, town.trunk_endpoint()) for _ in range(self.gateways)]
        for device in devices:
            if self.masked:
                device.agent = rng.choice(town.style("phone", rng).agents)
        return devices

    def moments(self, town: Town, rng: Random, per_hour: float, cadence: Cadence) -> Iterator[int]:
        """When its machine acts, in its window."""
        return islice(machine_arrivals(rng, *self.window(town), per_hour, cadence), self.most_calls or None)

    def played(self, made: Call) -> tuple[Choice, Choice]:
        return super().played(made) if made.label != HONEST else (0, 0)

    def answering(self, **changes: Any) -> Answering:
        return replace(super().answering(**changes), fate=self.fate, even=self.even)
