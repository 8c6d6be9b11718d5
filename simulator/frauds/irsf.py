"""International revenue share fraud."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from simulator.frauds.campaign import Campaign
from simulator.intent import Call, Intent, Line
from simulator.keys import Count, Positive, Ratio
from simulator.numbers import HIGH_COST, Zone, draw_from, successor, written
from simulator.rhythm import NS_PER_S, log_normal
from simulator.sounds import Sounds
from simulator.town import Answering, Town, call


class Irsf(Campaign, tag="irsf"):
    """International revenue share fraud: a broken-into exchange holds long calls to expensive ranges, several at once,
    mostly at night or at the weekend, to few numbers that follow each other."""

    concurrency: Count = 6  # calls held at a time
    zones: tuple[Zone, ...] = ("africa", "islands", "satellite")
    numbers: Count = 12  # destinations in use
    test_calls: int = 3  # short ones before, to see which route pays
    callers: Count = 1
    answer_ratio: Ratio = 0.88
    talk_median_s: Positive = 420.0
    talk_sigma: Positive = 0.7
    pause_median_s: Positive = 6.0  # between two calls of one channel
    sounds: Sounds = Sounds(callee=1)

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        device = self.entrances(town, rng, "pbx")[0]
        lines = [device, *(self.beside(town, device, town.new_number(rng, 0.2)) for _ in range(self.callers - 1))]
        destinations = self._destinations(rng)
        start_ns, end_ns = self.window(town)
        at_ns = start_ns
        for _ in range(self.test_calls):
            yield self._call(
                town, rng, at_ns, lines[0], rng.choice(destinations), self.answering(talk_median_s=6.0, talk_sigma=0.4)
            )
            at_ns += int(log_normal(rng, 25, 0.6, 5, 300) * NS_PER_S)
        for _ in range(self.concurrency):
            channel_ns = at_ns + int(rng.uniform(0, 60) * NS_PER_S)
            while channel_ns < end_ns:
                made = self._call(
                    town,
                    rng,
                    channel_ns,
                    rng.choice(lines),
                    rng.choice(destinations),
                    self.answering(talk_limit_s=7200.0),
                )
                yield made
                busy_s = (
                    made.post_dial_delay_s
                    + made.ring_s
                    + made.talk_s
                    + log_normal(rng, self.pause_median_s, 0.8, 0.5, 600)
                )
                channel_ns += int(busy_s * NS_PER_S)

    def _call(self, town: Town, rng: Random, at_ns: int, line: Line, callee: str, how: Answering) -> Call:
        made = call(
            rng,
            town,
            at_ns,
            line,
            callee,
            how,
            self.name,
            label="irsf",
            variant=self.variant,
            dialled=written(callee, rng.choice(("international", "international", "e164")), town.home),
        )
        made.caller_hangs_up = rng.random() < 0.8
        return made

    def _destinations(self, rng: Random) -> list[str]:
        found: list[str] = []
        while len(found) < self.numbers:
            first = draw_from(HIGH_COST[rng.choice(self.zones)], rng)
            found += [successor(first, k) for k in range(rng.randrange(1, 5))]
        return found[: self.numbers]
