"""Telephony denial of service."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from random import Random
from typing import Literal

from simulator.frauds.campaign import Campaign
from simulator.intent import Call, Intent, Outcome
from simulator.keys import Count, Positive, Ratio
from simulator.numbers import draw_abroad
from simulator.rhythm import NS_PER_S, Cadence, log_normal
from simulator.sounds import Sounds
from simulator.town import Town, call


class Tdos(Campaign, tag="tdos"):
    """So many calls to one number that nobody else gets through: its lines are held by recordings, or rung without end,
    from many numbers. `honest_per_hour` are the people who try to reach it meanwhile."""

    calls_per_hour: Positive = 700.0
    cadence: Cadence = "poisson"
    callers: int = 0  # numbers shown; 0: another one at each call
    attack: Literal["hold", "ring"] = "hold"
    lines: Count = 4  # of the victim; when they are taken it is busy
    honest_per_hour: Positive = 20.0
    answer_ratio: Ratio = 1.0  # of calls that find a line
    talk_median_s: Positive = 75.0
    talk_sigma: Positive = 0.5
    sounds: Sounds = Sounds(caller=1)

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        devices, how = self.entrances(town, rng, "dialler"), self.answering()
        victim = town.new_number(rng, 0.0)
        numbers = [self.own_number(town, rng, 0.6) for _ in range(self.callers)]
        found: list[Call] = []
        for count, at_ns in enumerate(self.moments(town, rng, self.calls_per_hour, self.cadence)):
            number = rng.choice(numbers) if numbers else self._any_number(town, rng)
            line = self.beside(town, devices[count % len(devices)], number)
            made = call(rng, town, at_ns, line, victim, how, self.name, label="tdos", variant=self.variant)
            if self.attack == "ring":
                made.outcome, made.status_code, made.talk_s = Outcome.CANCELLED, 487, 0.0
                made.ring_s = log_normal(rng, 20.0, 0.4, 3.0, 60.0)
            found.append(made)
        if town.subscribers:
            people = self.answering(answer_ratio=0.9, talk_median_s=90.0, talk_sigma=0.9)
            for at_ns in town.arrivals(rng, self.honest_per_hour, "flat"):
                line = rng.choice(town.subscribers)
                found.append(call(rng, town, at_ns, line, victim, people, self.name, variant="tdos_bystander"))
        yield from self._occupied(sorted(found, key=lambda made: made.start_ns))

    def _any_number(self, town: Town, rng: Random) -> str:
        return draw_abroad(town.home, (), 0.0, rng) if self.abroad else town.home.draw(rng)

    def _occupied(self, calls: list[Call]) -> Iterator[Call]:
        """The calls, those refused that find all lines taken."""
        held: list[int] = []
        for made in calls:
            while held and held[0] <= made.start_ns:
                heapq.heappop(held)
            if len(held) >= self.lines:
                made.outcome, made.status_code, made.ring_s, made.talk_s = Outcome.REJECTED, 486, 0.0, 0.0
            else:
                heapq.heappush(held, made.start_ns + int((made.ring_s + made.talk_s) * NS_PER_S))
            yield made
