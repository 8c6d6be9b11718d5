"""One telephone that tries again."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from simulator.intent import Intent
from simulator.keys import Count, Fate, Positive
from simulator.population import PopulationBase
from simulator.rhythm import NS_PER_S, log_normal
from simulator.town import Town, call


class Redial(PopulationBase, tag="redial"):
    """Somebody who must reach a number, or tries a new telephone: one caller, one callee, again and again, each time
    with the same end, as a flood of one machine begins; but with a person's patience."""

    phones: Count = 3
    tries: Count = 8  # of one telephone, at most
    pause_median_s: Positive = 15.0  # between two tries
    fate: Fate = "busy"

    def settle(self, town: Town, rng: Random) -> None:
        town.members[self.name] = [
            self.device(town, rng, "phone", town.subscriber_endpoint(rng)) for _ in range(self.phones)
        ]

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        how = self.answering(fate=self.fate)
        for line in town.members[self.name]:
            at_ns = town.start_ns + int(rng.random() * 0.5 * (town.end_ns - town.start_ns))
            callee = town.some_number(rng)
            for _ in range(rng.randint(1, self.tries)):
                made = call(rng, town, at_ns, line, callee, how, self.name, variant="try")
                yield made
                pause_s = log_normal(rng, self.pause_median_s, 0.7, 1.5, 900)
                at_ns += int((made.post_dial_delay_s + made.ring_s + made.talk_s + pause_s) * NS_PER_S)
