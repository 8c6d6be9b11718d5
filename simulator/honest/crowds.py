"""Many callers of one number, and one caller of very many: crowds that are no attack."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from random import Random

from simulator.intent import Call, Intent, Line, Outcome
from simulator.keys import Count, Positive, Ratio
from simulator.numbers import successor
from simulator.population import PopulationBase
from simulator.rhythm import NS_PER_S, Curve, log_normal, machine_arrivals
from simulator.sounds import Sounds
from simulator.town import Answering, Town, call


class Crowd(PopulationBase):
    """What the populations share whose callers are anybody: subscribers here, and others through a carrier's trunk."""

    outside_ratio: Ratio = 0.5  # callers from outside
    through: str = ""  # the honest population on whose trunk these are; empty: on some of their own,
    trunks: Count = 1  # so many, each of another carrier, on which nothing else comes

    @property
    def has_trunk(self) -> bool:
        return not self.through

    def settle(self, town: Town, rng: Random) -> None:
        if not self.through:
            carriers = [self.device(town, rng, "carrier", town.trunk_endpoint()) for _ in range(self.trunks)]
            town.trunks[self.name], town.members[self.name] = carriers[0], carriers

    def anybody(self, town: Town, rng: Random) -> Line:
        if town.subscribers and rng.random() >= self.outside_ratio:
            return rng.choice(town.subscribers)
        return self.outsider(town, town.home.draw(rng))

    def outsider(self, town: Town, number: str) -> Line:
        """Who has this number, at his carrier."""
        if self.through:
            return self.beside(town, town.trunks[self.through], number)
        carriers = town.members[self.name]
        return self.beside(town, carriers[int(number[-3:]) % len(carriers)], number)


class Conference(Crowd, tag="conference"):
    """Conference bridges: at the full hour many callers dial one number and stay long. A flood on one callee by its
    calls, and a pumped range by its minutes."""

    bridges: Count = 3
    parties: Count = 12  # of one meeting, on average
    meeting_every_s: Positive = 1800.0
    rejoin_ratio: Ratio = 0.1  # parties who drop out and dial again
    firm_ratio: Ratio = 0.0  # bridges that one firm's people call, who all show its main number
    talk_median_s: Positive = 1300.0
    talk_sigma: Positive = 0.35
    sounds: Sounds = Sounds(callee=1)

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        how = self.answering(answer_ratio=0.97, ring_median_s=0.8)
        for _ in range(self.bridges):
            bridge, at_ns = town.new_number(rng, 0.0), town.start_ns + int(rng.uniform(60, 600) * NS_PER_S)
            regulars = [self.anybody(town, rng) for _ in range(2 * self.parties)]
            if self.firm_ratio and rng.random() < self.firm_ratio:
                regulars = [self.outsider(town, town.home.draw(rng))] * (2 * self.parties)
            while at_ns < town.end_ns:
                for line in rng.sample(regulars, rng.randrange(self.parties // 2, 3 * self.parties // 2 + 1)):
                    yield from self._party(town, rng, at_ns, line, bridge, how)
                at_ns += int(self.meeting_every_s * NS_PER_S)

    def _party(self, town: Town, rng: Random, at_ns: int, line: Line, bridge: str, how: Answering) -> Iterator[Intent]:
        joins_ns = max(town.start_ns, at_ns + int(rng.gauss(0, 70) * NS_PER_S))
        made = call(rng, town, joins_ns, line, bridge, how, self.name, variant="party")
        if rng.random() < self.rejoin_ratio:
            made.talk_s = min(made.talk_s, rng.uniform(20, 300))
            again_ns = joins_ns + int((made.ring_s + made.talk_s + rng.uniform(5, 40)) * NS_PER_S)
            yield call(rng, town, again_ns, line, bridge, how, self.name, variant="rejoined")
        yield made


class ServiceLine(Crowd, tag="service_line"):
    """A number that many call. A hotline or a phone-in: a machine answers at once and music waits, until its lines are
    taken and all others are busy and dial again. A surgery or a taxi rank: it rings until somebody has time, and who
    waits too long gives up. By the called side alone it is a flood, or a false answer."""

    calls_per_hour: Positive = 400.0
    lines: Count = 25  # calls held at once
    redial_ratio: Ratio = 0.6  # of those who find it busy
    curve: Curve = "flat"
    after_s: float = 0.0  # a phone-in begins with the programme
    for_s: float = 0.0  # 0: to the end
    answer_ratio: Ratio = 1.0  # of calls that find a line
    ring_median_s: Positive = 0.7
    talk_median_s: Positive = 140.0
    sounds: Sounds = Sounds(callee=1)

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        number, held = town.new_number(rng, 0.0), list[int]()
        how = self.answering()
        begins_ns = town.start_ns + int(self.after_s * NS_PER_S)
        ends_ns = begins_ns + int(self.for_s * NS_PER_S) if self.for_s else town.end_ns
        waiting = [
            (at_ns, k, self.anybody(town, rng))
            for k, at_ns in enumerate(town.arrivals(rng, self.calls_per_hour, self.curve))
            if begins_ns <= at_ns < ends_ns
        ]
        heapq.heapify(waiting)
        count = len(waiting)
        while waiting:
            at_ns, _, line = heapq.heappop(waiting)
            made = call(rng, town, at_ns, line, number, how, self.name, variant="caller")
            while held and held[0] <= at_ns:
                heapq.heappop(held)
            if len(held) >= self.lines:
                made.outcome, made.status_code, made.ring_s, made.talk_s = Outcome.REJECTED, 486, 0.0, 0.0
                if rng.random() < self.redial_ratio:
                    count += 1
                    heapq.heappush(waiting, (at_ns + int(log_normal(rng, 25, 0.8, 3, 600) * NS_PER_S), count, line))
            else:
                heapq.heappush(held, at_ns + int((made.ring_s + made.talk_s) * NS_PER_S))
            yield made


class MassNotification(PopulationBase, tag="mass_notification"):
    """An authority warns a district: one source calls thousands in minutes, number by number, with one recording. No
    robocaller is quicker; but people hear it out, and many call back."""

    callees: Count = 2000
    calls_per_minute: Positive = 400.0
    after_s: float = 600.0
    message_s: Positive = 33.0
    repeat_unanswered_ratio: Ratio = 0.8
    callback_ratio: Ratio = 0.05
    sequential: bool = True
    answer_ratio: Ratio = 0.72
    sounds: Sounds = Sounds(caller=1)

    @property
    def has_trunk(self) -> bool:
        return True

    def settle(self, town: Town, rng: Random) -> None:
        town.trunks[self.name] = self.device(town, rng, "dialler", town.trunk_endpoint(), town.new_number(rng, 0.0))

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        line, number = town.trunks[self.name], town.some_number(rng, known_share=0.0)
        how = self.answering(talk_median_s=self.message_s, talk_sigma=0.1)
        begins_ns = town.start_ns + int(self.after_s * NS_PER_S)
        beat = machine_arrivals(rng, begins_ns, town.end_ns, 60 * self.calls_per_minute, "poisson")
        for _, at_ns in zip(range(self.callees), beat, strict=False):
            number = successor(number) if self.sequential else town.some_number(rng)
            callee = town.some_number(rng, known_share=1.0) if rng.random() < 0.2 else number
            made = call(rng, town, at_ns, line, callee, how, self.name, variant="warning")
            yield made
            yield from self._follow_up(town, rng, made, how)

    def _follow_up(self, town: Town, rng: Random, made: Call, how: Answering) -> Iterator[Intent]:
        callee = town.line_of(made.callee)
        if made.outcome is not Outcome.ANSWERED and rng.random() < self.repeat_unanswered_ratio:
            later_ns = made.start_ns + int(rng.uniform(240, 420) * NS_PER_S)
            yield call(rng, town, later_ns, made.line, made.callee, how, self.name, variant="again")
        elif callee and rng.random() < self.callback_ratio:
            later_ns = made.start_ns + int(log_normal(rng, 200, 0.9, 40, 3600) * NS_PER_S)
            yield call(rng, town, later_ns, callee, made.line.number, how, self.name, variant="call_back")
