"""People who have reasons to call far and expensive numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random

from simulator.intent import Intent, Line, Outcome, Request
from simulator.keys import Count, Positive, Ratio
from simulator.numbers import Zone, draw_abroad, successor, written
from simulator.population import PopulationBase
from simulator.rhythm import NS_PER_S, Curve, log_normal
from simulator.town import Town, call


class ForeignFamilies(PopulationBase, tag="foreign_families"):
    """Homes with relatives abroad: long calls to few and expensive numbers, in the evening and at night, again at once
    when the line breaks. By destination and minutes it is revenue share fraud; it is one call at a time, and the same
    numbers for years."""

    lines: Count = 20
    calls_per_line_hour: Positive = 0.6
    relatives: Count = 2
    zones: tuple[Zone, ...] = ("africa", "europe", "caribbean", "islands")
    zone_ratio: Ratio = 0.6  # relatives who live where calls are expensive
    redial_ratio: Ratio = 0.3  # unanswered or broken calls
    curve: Curve = "evening"
    through: str = ""  # the honest population on whose trunk they are; empty: subscribers here
    answer_ratio: Ratio = 0.6
    talk_median_s: Positive = 540.0
    talk_sigma: Positive = 0.9

    def settle(self, town: Town, rng: Random) -> None:
        for _ in range(0 if self.through else self.lines):
            line = self.device(town, rng, "phone", town.subscriber_endpoint(rng), town.new_number(rng))
            town.add_subscriber(line)
            town.members.setdefault(self.name, []).append(line)

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        how = self.answering()
        for line in self._homes(town, rng):
            family = [draw_abroad(town.home, self.zones, self.zone_ratio, rng) for _ in range(self.relatives)]
            free_ns = 0
            for moment_ns in town.arrivals(rng, self.calls_per_line_hour, self.curve):
                callee, at_ns = rng.choice(family), max(moment_ns, free_ns)
                for variant in ("relative", "redial"):
                    made = call(rng, town, at_ns, line, callee, how, self.name, variant=variant,
                                dialled=written(callee, "international", town.home))  # fmt: skip
                    yield made
                    free_ns = at_ns + int((15 + made.ring_s + made.talk_s) * NS_PER_S)
                    if rng.random() >= self.redial_ratio:
                        break
                    at_ns = free_ns + int(rng.uniform(5, 60) * NS_PER_S)

    def _homes(self, town: Town, rng: Random) -> list[Line]:
        if not self.through:
            return town.members[self.name]
        return [self.beside(town, town.trunks[self.through], town.home.draw(rng)) for _ in range(self.lines)]


class TravelAgency(PopulationBase, tag="travel_agency"):
    """An agency that calls hotels and guides abroad all day: very many international and expensive destinations from
    one exchange, several at once; but in office hours, short, and to numbers without pattern."""

    agents: Count = 6
    calls_per_agent_hour: Positive = 7.0
    partners: Count = 150  # abroad
    zones: tuple[Zone, ...] = ("islands", "caribbean", "europe", "africa")
    zone_ratio: Ratio = 0.4
    home_ratio: Ratio = 0.4  # calls to customers of this country
    curve: Curve = "business"
    answer_ratio: Ratio = 0.7
    talk_median_s: Positive = 150.0
    talk_sigma: Positive = 0.8

    @property
    def has_trunk(self) -> bool:
        return True

    def settle(self, town: Town, rng: Random) -> None:
        town.trunks[self.name] = self.device(town, rng, "pbx", town.trunk_endpoint(), town.new_number(rng, 0.0))

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        device, how = town.trunks[self.name], self.answering()
        partners = [draw_abroad(town.home, self.zones, self.zone_ratio, rng) for _ in range(self.partners)]
        for at_ns in town.arrivals(rng, self.agents * self.calls_per_agent_hour, self.curve):
            if rng.random() < self.home_ratio:
                yield call(rng, town, at_ns, device, town.some_number(rng), how, self.name, variant="customer")
                continue
            callee = rng.choice(partners)
            dialled = written(callee, "international", town.home)
            made = call(rng, town, at_ns, device, callee, how, self.name, variant="partner", dialled=dialled)
            yield made
            if made.outcome is not Outcome.ANSWERED and rng.random() < 0.5:
                later_ns = at_ns + int(log_normal(rng, 200, 0.8, 60, 3600) * NS_PER_S)
                yield call(rng, town, later_ns, device, callee, how, self.name, variant="again", dialled=dialled)


class Travellers(PopulationBase, tag="travellers"):
    """People of this town who take their telephone along: a known account registers from a foreign address and calls
    from there, home most of all, and some numbers of the country they are in. A stolen account but for where it calls,
    how often, and that its product is the one it always had."""

    lines: Count = 6
    leaves_within_s: Positive = 1200.0  # when the first registration from abroad comes
    calls_per_line_hour: Positive = 2.5
    contacts: Count = 4  # at home
    local_ratio: Ratio = 0.3  # calls to the country they are in
    zones: tuple[Zone, ...] = ("caribbean", "europe", "africa")
    zone_ratio: Ratio = 0.5  # of the travellers who are where calls are expensive
    register_every_s: Positive = 1800.0
    curve: Curve = "flat"

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        owners = rng.sample(town.subscribers, min(self.lines, len(town.subscribers)))
        for owner in owners:
            line = replace(owner, endpoint=town.foreign_endpoint(rng), challenged=True)
            leaves_ns = town.start_ns + int(rng.uniform(0, self.leaves_within_s) * NS_PER_S)
            yield from self._registrations(town, rng, leaves_ns, line)
            friends = [town.some_number(rng, known_share=0.6) for _ in range(self.contacts)]
            hotel = draw_abroad(town.home, self.zones, self.zone_ratio, rng)
            for at_ns in town.arrivals(rng, self.calls_per_line_hour, self.curve):
                if at_ns <= leaves_ns:
                    continue
                local = rng.random() < self.local_ratio
                callee = successor(hotel, rng.randrange(3)) if local else rng.choice(friends)
                dialled = written(callee, "international", town.home) if local else ""
                yield call(rng, town, at_ns, line, callee, self.answering(), self.name,
                           variant="local" if local else "home", dialled=dialled)  # fmt: skip

    def _registrations(self, town: Town, rng: Random, at_ns: int, line: Line) -> Iterator[Intent]:
        while at_ns < town.end_ns:
            yield Request(at_ns, line, "REGISTER", line.user, (401, 200), self.name, variant="abroad")
            at_ns += int(self.register_every_s * rng.uniform(0.9, 1.1) * NS_PER_S)
