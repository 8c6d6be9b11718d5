"""Carriers' trunks."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import msgspec

from simulator.intent import Intent, Outcome
from simulator.keys import Count, Positive, Ratio
from simulator.numbers import RANGE_DIGITS, Zone, draw_abroad, neighbour_of
from simulator.population import PopulationBase
from simulator.rhythm import Curve, log_normal
from simulator.town import Town, call
from simulator.vendors import REMOTE_BUSY, Role

CITY_CALLS = 0.8  # share of a city's calls that stay in it


class Wholesale(PopulationBase, tag="wholesale"):
    """A carrier's SBC: thousands of callers share one address and one way of writing SIP. With `foreign_ratio` high it
    is an international trunk: its callers are abroad, and one who shows a number of this country is suspect."""

    callers: Count = 4000
    calls_per_hour: Positive = 1500.0
    contacts: Count = 3  # of one caller
    stranger_ratio: Ratio = 0.2
    foreign_ratio: Ratio = 0.0  # callers with a number of another country
    roaming_ratio: Ratio = 0.0  # calls by people of this country who are abroad: honest, and domestic on this trunk
    zones: tuple[Zone, ...] = ("europe", "africa")
    zone_ratio: Ratio = 0.1  # of the foreign callers who live where calls are expensive
    area_digits: int = 0  # last ones in which numbers of its own city differ, callers' and called ones; 0: no city's
    curve: Curve = "residential"
    talk_median_s: Positive = 85.0

    @property
    def has_trunk(self) -> bool:
        return True

    def settle(self, town: Town, rng: Random) -> None:
        device = town.trunks[self.name] = self.device(town, rng, "carrier", town.trunk_endpoint())
        area = town.home.draw(rng, 0.0) if self.area_digits else ""
        callers = (self._number(town, rng, area) for _ in range(self.callers))
        town.members[self.name] = [self.beside(town, device, number) for number in callers]

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        device, how = town.trunks[self.name], self.answering()
        lines = town.members[self.name]
        contacts: dict[int, list[str]] = {}
        for at_ns in town.arrivals(rng, self.calls_per_hour, self.curve):
            who = int(self.callers * rng.random() ** 1.5)
            line, variant = lines[who], "contact"
            if who not in contacts:
                contacts[who] = [self._called(town, rng, lines[0].number, 0.4) for _ in range(self.contacts)]
            if rng.random() < self.roaming_ratio:
                line, variant = self.beside(town, device, town.home.draw(rng, 1.0)), "roaming"
            stranger = rng.random() < self.stranger_ratio
            callee = self._called(town, rng, lines[0].number) if stranger else rng.choice(contacts[who])
            variant = "stranger" if stranger and variant == "contact" else variant
            yield call(rng, town, at_ns, line, callee, how, self.name, variant=variant)

    def _number(self, town: Town, rng: Random, area: str) -> str:
        if rng.random() < self.foreign_ratio:
            return draw_abroad(town.home, self.zones, self.zone_ratio, rng)
        return neighbour_of(area, self.area_digits, rng) if area else town.home.draw(rng)

    def _called(self, town: Town, rng: Random, neighbour: str, known_share: float = 0.3) -> str:
        if self.area_digits and rng.random() < CITY_CALLS:
            return neighbour_of(neighbour, self.area_digits, rng)
        return town.some_number(rng, known_share)


class Interconnect(PopulationBase, tag="interconnect"):
    """Calls that the server hands on to other carriers and exchanges, where they are answered as calls are: what a
    gateway of SIM cards or a carrier that answers falsely is to be told from."""

    routes: Count = 4
    calls_per_hour: Positive = 400.0
    foreign_ratio: Ratio = 0.3  # callers who are abroad
    voicemail_ratio: Ratio = 0.06  # answered at once, by a machine that lets speak
    numbers: int = 0  # called, of machines such as hotlines and bridges; 0: anybody's
    countries: int = 0  # abroad, to whose mobiles the routes lead; 0: to this country
    remote_busy_ratio: Ratio = 0.0  # routes that hand on what a gateway of SIM cards says of a busy line
    through: str = ""  # the honest population whose trunk hands calls on itself; empty: the server does
    curve: Curve = "residential"
    talk_median_s: Positive = 80.0

    @property
    def has_trunk(self) -> bool:
        return True

    def settle(self, town: Town, rng: Random) -> None:
        roles: tuple[Role, ...] = ("carrier", "carrier", "pbx", "gateway")
        for k in range(self.routes):
            route = self.device(town, rng, roles[k % len(roles)], town.trunk_endpoint())
            if self.remote_busy_ratio and rng.random() < self.remote_busy_ratio:
                route.style = msgspec.structs.replace(route.style, reasons=route.style.reasons | REMOTE_BUSY)
            town.members.setdefault(self.name, []).append(route)
            town.trunks.setdefault(self.name, route)

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        routes, how = town.members[self.name], self.answering()
        ranges = [draw_abroad(town.home, (), 0.0, rng) for _ in range(self.countries)]
        machines = [town.home.draw(rng, 0.0) for _ in range(self.numbers)]
        for at_ns in town.arrivals(rng, self.calls_per_hour, self.curve):
            route = rng.choice(routes)
            if rng.random() < self.foreign_ratio and not self.through:
                number = draw_abroad(town.home, ("europe",), 0.1, rng)
                caller = town.handed_on(self.beside(town, route, number))
            else:
                caller = self.handing_on(town, rng, self.through, route)
            if ranges:
                callee = neighbour_of(rng.choice(ranges), RANGE_DIGITS, rng)
            else:
                callee = rng.choice(machines) if machines else town.home.draw(rng)
            made = call(rng, town, at_ns, caller, callee, how, self.name, variant="handed_on")
            made.far = route
            if made.outcome is Outcome.ANSWERED and rng.random() < self.voicemail_ratio:
                made.ring_s, made.talk_s, made.variant = 0.0, log_normal(rng, 22, 0.6, 3, 120), "voicemail"
                made.mailbox = not machines
            yield made
