"""Telephones that have not learnt yet how a number is dialled."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from simulator.intent import Intent, Outcome
from simulator.keys import Count, Positive
from simulator.numbers import draw_abroad
from simulator.population import PopulationBase
from simulator.rhythm import NS_PER_S, log_normal
from simulator.town import Town, call

# What stands before a number abroad in one country or another, and behind one exchange or another.
_PREFIXES = ("", "+", "00", "011", "0011", "000", "900", "9011", "0", "9")


class Misdial(PopulationBase, tag="misdial"):
    """People with a new exchange, and those who set it up: a number abroad is dialled with one prefix after another,
    until one gets through. A search for a way out of somebody's exchange but for its few tries, a person's pace, and
    that it ends with a talk."""

    phones: Count = 4
    numbers: Count = 1  # of one telephone
    tries: Count = 4  # of one number, at most
    pause_median_s: Positive = 9.0  # between two tries

    def settle(self, town: Town, rng: Random) -> None:
        town.members[self.name] = [
            self.device(town, rng, "phone", town.subscriber_endpoint(rng)) for _ in range(self.phones)
        ]

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        refused, found = self.answering(fate="vacant"), self.answering()
        for line in town.members[self.name]:
            at_ns = town.start_ns + int(rng.random() * 0.8 * (town.end_ns - town.start_ns))
            for _ in range(rng.randint(1, self.numbers)):
                number = draw_abroad(town.home, (), 0.0, rng)
                prefixes = rng.sample(_PREFIXES, rng.randint(2, self.tries))
                for count, prefix in enumerate(prefixes, 1):
                    made = call(rng, town, at_ns, line, number, found if count == len(prefixes) else refused,
                                self.name, variant="try", dialled=prefix + number)  # fmt: skip
                    if made.outcome is Outcome.REJECTED and count < len(prefixes):
                        made.status_code = rng.choice((403, 404, 404, 484))
                    yield made
                    pause_s = log_normal(rng, self.pause_median_s, 0.6, 2, 120)
                    at_ns += int((made.post_dial_delay_s + made.ring_s + made.talk_s + pause_s) * NS_PER_S)
