"""One-ring calls."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Literal

from simulator.frauds.campaign import Campaign
from simulator.intent import Call, Intent, Line, Outcome
from simulator.keys import Count, Positive, Ratio
from simulator.numbers import HIGH_COST, Zone, draw_abroad, draw_from, successor, written
from simulator.population import Choice
from simulator.rhythm import NS_PER_S, Cadence, log_normal
from simulator.sounds import Sounds
from simulator.town import Town, call


class Wangiri(Campaign, tag="wangiri"):
    """One ring, then CANCEL, from a foreign or premium number that earns when it is called back; some victims do."""

    calls_per_hour: Positive = 900.0
    cadence: Cadence = "steady"
    callers: Count = 3
    zones: tuple[Zone, ...] = ("africa", "islands")  # of the numbers shown; none: of an ordinary country abroad
    sequential: bool = False
    ring_median_s: Positive = 1.2
    callback_ratio: Ratio = 0.12  # of the town's own lines that were rung
    answer_ratio: Ratio = 0.02  # somebody is quicker than the CANCEL
    form: Literal["e164", "digits", "national", "international"] = "international"
    sounds: Sounds = Sounds(callee=1)  # of the number that is called back

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        devices = self.entrances(town, rng, "carrier")
        lines = [self.beside(town, devices[k % len(devices)], self._premium(town, rng)) for k in range(self.callers)]
        number = town.some_number(rng, known_share=0.0)
        for at_ns in self.moments(town, rng, self.calls_per_hour, self.cadence):
            number = successor(number) if self.sequential else town.some_number(rng, known_share=0.25)
            made = self._ring_once(town, rng, at_ns, rng.choice(lines), number)
            yield made
            victim = town.line_of(number)
            if victim and made.ring_s and rng.random() < self.callback_ratio:
                later_ns = at_ns + int(log_normal(rng, 400, 1.0, 20, 7200) * NS_PER_S)
                how = self.answering(answer_ratio=0.95, talk_median_s=70.0, talk_sigma=0.8)
                yield call(
                    rng,
                    town,
                    later_ns,
                    victim,
                    made.line.number,
                    how,
                    self.name,
                    variant="wangiri_victim",
                    dialled=written(made.line.number, "international", town.home),
                )

    def played(self, made: Call) -> tuple[Choice, Choice]:
        return 0, self.sounds.callee if made.variant == "wangiri_victim" else 0

    def _premium(self, town: Town, rng: Random) -> str:
        """The number that is to be called back: expensive, or of an ordinary country where the call is forwarded."""
        return draw_from(HIGH_COST[rng.choice(self.zones)], rng) if self.zones else draw_abroad(town.home, (), 0.0, rng)

    def _ring_once(self, town: Town, rng: Random, at_ns: int, line: Line, callee: str) -> Call:
        made = Call(
            at_ns,
            line,
            callee,
            town.dial(callee, rng),
            Outcome.CANCELLED,
            self.name,
            status_code=487,
            label="wangiri",
            variant=self.variant,
            ring_s=self.ring_median_s if self.even else log_normal(rng, self.ring_median_s, 0.35, 0.3, 5.0),
            post_dial_delay_s=log_normal(rng, 1.2, 0.0 if self.even else 0.5, 0.1, 6.0),
        )
        if self.fate != "mixed":
            return made
        luck = rng.random()
        if luck < self.answer_ratio:
            made.outcome, made.status_code, made.talk_s, made.caller_hangs_up = (
                Outcome.ANSWERED,
                200,
                rng.uniform(0.3, 2.0),
                True,
            )
        elif luck < self.answer_ratio + 0.06:
            made.outcome, made.status_code, made.ring_s = Outcome.REJECTED, rng.choice((404, 480, 486)), 0.0
        return made
