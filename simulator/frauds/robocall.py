"""Robocalls."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Literal

from simulator.frauds.campaign import Campaign
from simulator.intent import Intent, Line
from simulator.keys import Count, Positive, Ratio
from simulator.numbers import neighbour_of, successor
from simulator.rhythm import Cadence
from simulator.sounds import Sounds
from simulator.town import Town, call


class Robocall(Campaign, tag="robocall"):
    """A message or a first sentence for as many people as possible: each callee once, few answers, short calls, a
    machine's beat. Variants: slow or fast, few or rotating callers, neighbours' numbers, imitated answer rates."""

    calls_per_hour: Positive = 600.0
    cadence: Cadence = "steady"
    callers: Count = 1  # numbers shown, in turn
    calls_per_caller: int = 0  # after that many calls a new number is taken; 0: never
    blocks: int = 0  # of 10 000 numbers, rented, from which numbers are taken; 0: any numbers
    targets: Literal["random", "sequential", "list"] = "random"
    neighbour: bool = False  # shows a number that looks like the callee's own, but for
    neighbour_digits: Count = 4  # its last digits, so many
    not_found_ratio: Ratio = 0.12
    list_size: Count = 400  # for `targets = "list"`
    answer_ratio: Ratio = 0.3
    talk_median_s: Positive = 8.0
    talk_sigma: Positive = 0.7
    sounds: Sounds = Sounds(caller=1)

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        devices = self.entrances(town, rng, "dialler")
        rented = [self.own_number(town, rng, 0.5)[:-4] for _ in range(self.blocks)]
        lines = [self._caller(town, rng, devices, rented, k) for k in range(self.callers)]
        how = self.answering(not_found_ratio=self.not_found_ratio, talk_limit_s=90.0)
        callee_of = self._targets(town, rng)
        for count, at_ns in enumerate(self.moments(town, rng, self.calls_per_hour, self.cadence)):
            turn = count % len(lines)
            if self.calls_per_caller and count and (count // len(lines)) % self.calls_per_caller == 0:
                lines[turn] = self._caller(town, rng, devices, rented, count)
            line, callee = lines[turn], next(callee_of)
            if self.neighbour:
                line = self.beside(town, line, neighbour_of(callee, self.neighbour_digits, rng))
            yield call(rng, town, at_ns, line, callee, how, self.name, label="robocall", variant=self.variant)

    def _caller(self, town: Town, rng: Random, devices: list[Line], rented: list[str], turn: int) -> Line:
        number = town.number_of(rng, rng.choice(rented)) if rented else self.own_number(town, rng, 0.5)
        return self.beside(town, devices[turn % len(devices)], number)

    def _targets(self, town: Town, rng: Random) -> Iterator[str]:
        people = [town.some_number(rng) for _ in range(self.list_size)] if self.targets == "list" else []
        number, k = town.some_number(rng, known_share=0.0), 0
        while True:
            if self.targets == "list":
                yield people[k % len(people)]
            elif self.targets == "random":
                yield town.some_number(rng, known_share=0.15)
            else:
                yield number
                number = successor(number, rng.choice((1, 1, 1, 2)))
            k += 1
