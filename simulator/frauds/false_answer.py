"""False answer supervision."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Literal

from simulator.frauds.campaign import Campaign
from simulator.intent import Call, Intent, Outcome
from simulator.keys import Positive, Ratio
from simulator.numbers import RANGE_DIGITS, draw_abroad, neighbour_of
from simulator.population import Choice
from simulator.rhythm import Cadence, log_normal
from simulator.sounds import RINGING_TONE
from simulator.town import Town, call


class FalseAnswer(Campaign, tag="false_answer"):
    """A carrier behind the server answers calls itself and bills them: with 200 at once and a ringing tone as voice, or
    after one ring, or with a recording. The server hands it calls of honest people, who hang up soon; the calls are
    labelled, not the people. `gateways` are the routes of that carrier. With `through` the calls are those of that
    trunk, which hands them on itself."""

    calls_per_hour: Positive = 180.0
    cadence: Cadence = "poisson"
    pattern: Literal["early", "one_ring", "recording"] = "early"
    false_ratio: Ratio = 0.7  # of this carrier's calls; who always cheats loses the route
    silent_ratio: Ratio = 0.4  # false answers without any voice from the far side
    recording_s: Positive = 11.0
    cut_ratio: Ratio = 0.0  # false answers that the carrier ends itself, before the caller does
    countries: int = 0  # abroad, to whose mobiles its routes lead; 0: to this country
    talk_median_s: Positive = 60.0

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        routes = [self.device(town, rng, "carrier", town.trunk_endpoint()) for _ in range(self.gateways)]
        how = self.answering()
        ranges = [draw_abroad(town.home, (), 0.0, rng) for _ in range(self.countries)]
        for count, at_ns in enumerate(self.moments(town, rng, self.calls_per_hour, self.cadence)):
            callee = neighbour_of(rng.choice(ranges), RANGE_DIGITS, rng) if ranges else town.home.draw(rng)
            caller = self.handing_on(town, rng, self.through, routes[0])
            made = call(rng, town, at_ns, caller, callee, how, self.name, variant="honest_route")
            made.far = routes[count % len(routes)]
            if rng.random() < self.false_ratio:
                self._answer(rng, made)
            yield made

    def played(self, made: Call) -> tuple[Choice, Choice]:
        """Where there is no recording: one all the same by the pattern of that name, else a ringing tone."""
        if made.label != "false_answer":
            return 0, 0
        return 0, self.sounds.callee or (1 if self.pattern == "recording" else RINGING_TONE)

    def _answer(self, rng: Random, made: Call) -> None:
        """Make it a false answer."""
        made.label, made.variant = "false_answer", self.variant
        made.outcome, made.status_code, made.caller_hangs_up = Outcome.ANSWERED, 200, True
        made.post_dial_delay_s = log_normal(rng, 0.35, 0.5, 0.05, 2.0)
        made.ring_s = rng.uniform(0.8, 1.6) if self.pattern == "one_ring" else 0.0
        made.talk_s = log_normal(rng, 14.0, 0.5, 2.0, 70.0)
        if self.pattern == "recording":
            made.talk_s, made.caller_hangs_up = self.recording_s * rng.uniform(0.98, 1.02), False
        elif self.cut_ratio:
            made.caller_hangs_up = rng.random() >= self.cut_ratio
        made.heard = "line" if rng.random() < self.silent_ratio else "both"
