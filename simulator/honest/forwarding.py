"""Numbers whose calls are answered elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from simulator.intent import Intent
from simulator.keys import Count, Positive, Ratio
from simulator.population import PopulationBase
from simulator.rhythm import Curve
from simulator.town import Town, call

REGULARS = 8  # callers of one number who call again


class Forwarding(PopulationBase, tag="forwarding"):
    """Numbers whose calls a network sends on: a firm's to whoever is on duty, a rented number's to its tenant. It
    asserts the number that forwards, whoever calls; where its `identity` has `diverted_by = "none"`, nothing else says
    so. All sorts of numbers are shown under each, as under a spoofer's account, but they call one telephone or two; and
    a call centre's number is shown under many."""

    numbers: Count = 30
    targets: Count = 2  # telephones that a number forwards to, at most
    calls_per_number_hour: Positive = 2.0
    regular_ratio: Ratio = 0.3  # calls of people who call the number more than once
    diallers: Count = 2  # call centres and the like, who call one number after the other,
    dialler_ratio: Ratio = 0.0  # and their part of the calls
    curve: Curve = "flat"
    through: str = ""  # the honest population on whose trunk the calls come; empty: an address of its own

    @property
    def has_trunk(self) -> bool:
        return not self.through

    def settle(self, town: Town, rng: Random) -> None:
        if not self.through:
            town.trunks[self.name] = self.device(town, rng, "carrier", town.trunk_endpoint())

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        device, how = self.device_on(town, self.through or self.name), self.answering()
        numbers = [town.new_number(rng, 0.3) for _ in range(self.numbers)]
        targets = [[town.some_number(rng) for _ in range(rng.randint(1, self.targets))] for _ in numbers]
        regulars = [[town.home.draw(rng) for _ in range(REGULARS)] for _ in numbers]
        diallers = [town.home.draw(rng, 0.0) for _ in range(self.diallers)]
        for at_ns in town.arrivals(rng, self.numbers * self.calls_per_number_hour, self.curve):
            which = int(self.numbers * rng.random() ** 1.5)
            known = rng.random() < self.regular_ratio
            number = rng.choice(regulars[which]) if known else town.home.draw(rng)
            if self.dialler_ratio and rng.random() < self.dialler_ratio:
                number = rng.choice(diallers)
            line = self.beside(town, device, number)
            made = call(rng, town, at_ns, line, rng.choice(targets[which]), how, self.name, variant="forwarded")
            made.diverted_by = numbers[which]
            yield made
