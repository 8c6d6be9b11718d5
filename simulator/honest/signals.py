"""Calls that are not meant to be answered."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from simulator.intent import Call, Intent, Outcome
from simulator.keys import Count, Positive, Ratio
from simulator.population import PopulationBase
from simulator.rhythm import NS_PER_S, Curve, log_normal
from simulator.town import Town, call


class MissedCallFriends(PopulationBase, tag="missed_call_friends"):
    """Friends who ring once to say "I am downstairs" or "call me back": one ring and CANCEL, many times a day, always
    the same few, and both ways. The signalling of one-ring and flash calls without their crowds."""

    pairs: Count = 30
    signals_per_hour: Positive = 1.5  # of one pair
    callback_ratio: Ratio = 0.5  # signals that mean "call me back", and are answered so
    ring_s: Positive = 3.0  # median
    curve: Curve = "residential"

    def settle(self, town: Town, rng: Random) -> None:
        for _ in range(2 * self.pairs):
            line = self.device(town, rng, "phone", town.subscriber_endpoint(rng), town.new_number(rng))
            town.add_subscriber(line)
            town.members.setdefault(self.name, []).append(line)

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        lines, how = town.members[self.name], self.answering(answer_ratio=0.9)
        for first, second in zip(lines[::2], lines[1::2], strict=True):
            for at_ns in town.arrivals(rng, self.signals_per_hour, self.curve):
                line, friend = rng.choice(((first, second), (second, first)))
                made = Call(
                    at_ns,
                    line,
                    friend.number,
                    town.dial(friend.number, rng),
                    Outcome.CANCELLED,
                    self.name,
                    ring_s=log_normal(rng, self.ring_s, 0.5, 0.5, 12.0),
                    post_dial_delay_s=log_normal(rng, 0.8, 0.5, 0.1, 5.0),
                    status_code=487,
                    variant="signal",
                )
                yield made
                if rng.random() < self.callback_ratio:
                    later_ns = at_ns + int((made.ring_s + log_normal(rng, 40, 0.8, 8, 600)) * NS_PER_S)
                    yield call(rng, town, later_ns, friend, line.number, how, self.name, variant="call_back")
