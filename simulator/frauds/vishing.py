"""Voice phishing."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Literal

from simulator.frauds.campaign import Campaign
from simulator.intent import Call, Intent, Line, Outcome
from simulator.keys import Count, Positive, Ratio
from simulator.numbers import neighbour_of, successor
from simulator.rhythm import NS_PER_S, log_normal
from simulator.town import Town, call


class Vishing(Campaign, tag="vishing"):
    """People who say they are a bank or the police, calling down a list: a human pace, most hang up after seconds, few
    stay for a quarter of an hour and are called again at once. Nobody ever calls a number of theirs before them."""

    agents: Count = 4  # who call at the same time, each one call after another
    callers: Count = 2  # numbers that one agent shows in turn
    calls_per_caller: int = 40  # after that many calls an agent takes new numbers; 0: never
    shows: Literal["official", "mobile", "neighbour"] = "official"  # `official`: of one firm's block
    neighbour_digits: Count = 4  # in which `neighbour` numbers differ from the callee's
    victim_ratio: Ratio = 0.06  # of those who answer
    again_ratio: Ratio = 0.7  # victims who are called again within minutes
    victim_talk_s: Positive = 780.0  # median
    pause_median_s: Positive = 14.0  # of an agent between two calls
    answer_ratio: Ratio = 0.42
    talk_median_s: Positive = 17.0
    talk_sigma: Positive = 0.7

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        devices = self.entrances(town, rng, "pbx")
        start_ns, end_ns = self.window(town)
        for agent in range(self.agents):
            lines = self._numbers(town, rng, devices)
            at_ns, count = start_ns + int(rng.uniform(0, 60) * NS_PER_S), 0
            while at_ns < end_ns:
                if self.calls_per_caller and count and count % self.calls_per_caller == 0:
                    lines = self._numbers(town, rng, devices)
                for made in self._approach(town, rng, at_ns, lines[(agent + count) % len(lines)]):
                    yield made
                    at_ns = made.start_ns + int((made.ring_s + made.talk_s + 1) * NS_PER_S)
                at_ns += int(log_normal(rng, self.pause_median_s, 0.7, 2, 600) * NS_PER_S)
                count += 1

    def _numbers(self, town: Town, rng: Random, devices: list[Line]) -> list[Line]:
        """The numbers that are shown from now on."""
        first = self.own_number(town, rng, 0.0)
        numbers = [
            successor(first, k) if self.shows == "official" else self.own_number(town, rng, 1.0)
            for k in range(self.callers)
        ]
        return [self.beside(town, devices[k % len(devices)], number) for k, number in enumerate(numbers)]

    def _approach(self, town: Town, rng: Random, at_ns: int, line: Line) -> Iterator[Call]:
        """One person called, and a victim once more."""
        callee = town.some_number(rng, known_share=0.2)
        if self.shows == "neighbour":
            line = self.beside(town, line, neighbour_of(callee, self.neighbour_digits, rng))
        how = self.answering(talk_limit_s=240.0)
        made = call(rng, town, at_ns, line, callee, how, self.name, label="vishing", variant=self.variant)
        victim = made.outcome is Outcome.ANSWERED and rng.random() < self.victim_ratio
        if victim:
            made.talk_s = log_normal(rng, self.victim_talk_s, 0.5, 120, 5400)
        yield made
        if victim and rng.random() < self.again_ratio:
            later_ns = at_ns + int((made.ring_s + made.talk_s + rng.uniform(20, 400)) * NS_PER_S)
            longer = self.answering(answer_ratio=0.85, talk_median_s=self.victim_talk_s, talk_sigma=0.5)
            yield call(rng, town, later_ns, line, callee, longer, self.name, label="vishing", variant=self.variant)
