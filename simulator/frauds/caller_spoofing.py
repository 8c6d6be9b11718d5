"""False caller numbers."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Literal

from simulator.frauds.campaign import Campaign
from simulator.identity import IdentityPolicy
from simulator.intent import Intent
from simulator.keys import Count, Form, Positive, Ratio
from simulator.numbers import draw_abroad, neighbour_of
from simulator.rhythm import Cadence
from simulator.town import Town, call

_UNASSIGNED = ("210", "801", "999")  # country codes that ITU-T E.164 gives to nobody


class CallerSpoofing(Campaign, tag="caller_spoofing"):
    """Calls that show a number which is not theirs: one of this country on a trunk from abroad, another one than the
    network asserts, or one that cannot exist. Its `identity` table says what the network before this one found; through
    the trunk of an honest `wholesale` population it hides among thousands."""

    calls_per_hour: Positive = 120.0
    cadence: Cadence = "poisson"
    callers: int = 0  # numbers shown, in turn; 0: another one at each call
    shows: Literal["domestic", "impossible", "neighbour"] = "domestic"  # `neighbour`: like the callee's own, but for
    neighbour_digits: Count = 4  # its last digits, so many
    blocks: int = 0  # of 10 000 domestic numbers, rented, from which those shown are taken; 0: any numbers
    asserted: Literal["same", "foreign", "domestic"] = "foreign"  # what P-Asserted-Identity or Remote-Party-ID says
    asserted_numbers: int = 0  # in turn; 0: another one at each call
    identity: IdentityPolicy = IdentityPolicy(asserted="pai")
    form: Form = "e164"
    answer_ratio: Ratio = 0.45
    talk_median_s: Positive = 28.0

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        devices, how = self.entrances(town, rng, "carrier"), self.answering(talk_limit_s=900.0)
        rented = [town.home.draw(rng)[:-4] for _ in range(self.blocks)]
        numbers = [self._number(town, rng, rented) for _ in range(self.callers)]
        asserted = [self._asserted(town, rng) for _ in range(self.asserted_numbers)]
        for count, at_ns in enumerate(self.moments(town, rng, self.calls_per_hour, self.cadence)):
            number = numbers[count % len(numbers)] if numbers else self._number(town, rng, rented)
            account = asserted[count % len(asserted)] if asserted else self._asserted(town, rng)
            callee = town.some_number(rng, known_share=0.2)
            if self.shows == "neighbour":
                number = neighbour_of(callee, self.neighbour_digits, rng)
            line = self.beside(town, devices[count % len(devices)], number)
            line.asserted = account
            yield call(rng, town, at_ns, line, callee, how, self.name, label="caller_spoofing", variant=self.variant)

    def _asserted(self, town: Town, rng: Random) -> str:
        """Empty: the number that is shown."""
        if self.asserted == "foreign":
            return draw_abroad(town.home, (), 0.0, rng)
        return town.home.draw(rng) if self.asserted == "domestic" else ""

    def _number(self, town: Town, rng: Random, rented: list[str]) -> str:
        if rented:
            return town.number_of(rng, rng.choice(rented))
        if self.shows != "impossible":
            return town.home.draw(rng)
        digits = f"{rng.randrange(10**12):012d}"
        return rng.choice((town.home.code + "0" * 9, town.home.code + digits[:4], rng.choice(_UNASSIGNED) + digits[:8]))
