"""Traffic pumping."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from simulator.frauds.campaign import Campaign
from simulator.intent import Intent
from simulator.keys import Count, Positive, Ratio
from simulator.numbers import draw_abroad, successor
from simulator.rhythm import Cadence
from simulator.sounds import Sounds
from simulator.town import Town, call


class CallPumping(Campaign, tag="call_pumping"):
    """Minutes for an access charge: very many callers, all to a small range or a few, in the country or a foreign one
    that is not dear, nearly all answered, all about as long, and spread evenly over the numbers so that none stands
    out."""

    calls_per_hour: Positive = 240.0
    cadence: Cadence = "poisson"
    callers: Count = 300
    ranges: Count = 1
    range_size: Count = 60  # numbers of a range in use
    foreign: bool = False  # whether they are of another country
    even: bool = True  # the numbers in turn; else at random
    answer_ratio: Ratio = 0.97
    ring_median_s: Positive = 1.5
    talk_median_s: Positive = 900.0
    talk_sigma: Positive = 0.2
    sounds: Sounds = Sounds(callee=1)

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        devices, how = self.entrances(town, rng, "carrier"), self.answering()
        lines = [
            self.beside(town, devices[k % len(devices)], self.own_number(town, rng, 0.6)) for k in range(self.callers)
        ]
        firsts = [
            draw_abroad(town.home, (), 0.0, rng) if self.foreign else town.new_number(rng, 0.0)
            for _ in range(self.ranges)
        ]
        for count, at_ns in enumerate(self.moments(town, rng, self.calls_per_hour, self.cadence)):
            step = count // self.ranges % self.range_size if self.even else rng.randrange(self.range_size)
            number = successor(firsts[count % self.ranges], step)
            line = lines[int(len(lines) * rng.random())]
            yield call(rng, town, at_ns, line, number, how, self.name, label="call_pumping", variant=self.variant)
