"""Machines that call people, or one another."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Literal

from simulator.intent import Intent, Outcome
from simulator.keys import Count, Positive, Ratio
from simulator.population import PopulationBase
from simulator.rhythm import NS_PER_S, Curve, machine_arrivals
from simulator.sounds import Sounds
from simulator.town import Town, call


class Reminders(PopulationBase, tag="reminders"):
    """A hospital's or a school's announcer: one number, or those of all whom a platform calls for, a machine's beat,
    each callee once, a recorded message of one length. By its calls alone it is a robocaller; its callees expect it and
    hear it out."""

    calls_per_hour: Positive = 120.0
    numbers: Count = 1  # shown in turn
    message_s: Positive = 28.0
    message_sigma: Positive = 0.12  # of who does not hear it out
    cadence: Literal["poisson", "steady"] = "poisson"  # of people who start it; of one call after the other
    wander: Ratio = 0.0  # how much of a steady beat a call comes late, at most: not all calls are as long
    repeat_unanswered_ratio: Ratio = 0.5
    curve: Curve = "business"
    through: str = ""  # the honest population on whose trunk it is; empty: on one of its own
    answer_ratio: Ratio = 0.68
    sounds: Sounds = Sounds(caller=1)

    @property
    def has_trunk(self) -> bool:
        return not self.through

    def settle(self, town: Town, rng: Random) -> None:
        if not self.through:
            town.trunks[self.name] = self.device(
                town, rng, "dialler", town.trunk_endpoint(), self.own_number(town, rng, 0.0)
            )

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        device = town.trunks[self.through or self.name]
        lines = [] if self.through else [device]
        while len(lines) < self.numbers:
            lines.append(self.beside(town, device, self.own_number(town, rng, 0.0)))
        how = self.answering(talk_median_s=self.message_s, talk_sigma=self.message_sigma)
        for count, at_ns in enumerate(self._moments(town, rng)):
            line, callee = lines[count % len(lines)], town.some_number(rng, known_share=0.5)
            made = call(rng, town, at_ns, line, callee, how, self.name, variant="reminder")
            yield made
            if made.outcome is not Outcome.ANSWERED and rng.random() < self.repeat_unanswered_ratio:
                later_ns = at_ns + int(rng.uniform(900, 3600) * NS_PER_S)
                yield call(rng, town, later_ns, line, callee, how, self.name, variant="again")

    def _moments(self, town: Town, rng: Random) -> Iterator[int]:
        if self.cadence == "steady":
            late_ns = self.wander * 3600 * NS_PER_S / self.calls_per_hour
            beat = machine_arrivals(rng, town.start_ns, town.end_ns, self.calls_per_hour, "steady")
            return (at_ns + int(late_ns * rng.random()) for at_ns in beat)
        return town.arrivals(rng, self.calls_per_hour, self.curve)


class Alarms(PopulationBase, tag="alarms"):
    """Alarm panels and lifts that report to one centre: very short calls at a machine's beat, always one callee."""

    panels: Count = 60
    report_every_s: Positive = 1800.0
    answer_ratio: Ratio = 0.97
    ring_median_s: Positive = 1.5
    talk_median_s: Positive = 9.0
    talk_sigma: Positive = 0.25

    def settle(self, town: Town, rng: Random) -> None:
        town.members[self.name] = [
            self.device(town, rng, "gateway", town.subscriber_endpoint(rng)) for _ in range(self.panels)
        ]

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        centre, how = town.new_number(rng, 0.0), self.answering()
        period_ns = int(self.report_every_s * NS_PER_S)
        for panel in town.members[self.name]:
            at_ns = town.start_ns + int(rng.random() * period_ns)
            while at_ns < town.end_ns:
                yield call(rng, town, at_ns, panel, centre, how, self.name, variant="report")
                at_ns += int(period_ns * rng.uniform(0.99, 1.01))
