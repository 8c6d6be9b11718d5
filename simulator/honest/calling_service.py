"""Services whose customers show numbers of their own."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from simulator.intent import Intent
from simulator.keys import Count, Positive, Ratio
from simulator.numbers import successor
from simulator.population import PopulationBase
from simulator.rhythm import Curve
from simulator.town import Town, call

MOST_EXTENSIONS = 100  # of one account: its numbers are of one block


class CallingService(PopulationBase, tag="calling_service"):
    """People who call through a service that shows the number of each and is asserted by its own: a calling card, an
    exchange that somebody hosts for many firms, a firm whose people show their mobile telephones. Of the calls of an
    account that shows anybody's number nothing differs but whom they call: the same few people, again and again."""

    accounts: Count = 1  # numbers that are asserted
    users: Count = 60  # of one account
    own_ratio: Ratio = 1.0  # users who show a number of their own; others show one of the account's block
    contacts: Count = 5  # of one user
    stranger_ratio: Ratio = 0.2  # calls to a number that is no contact
    calls_per_user_hour: Positive = 0.8
    curve: Curve = "flat"
    through: str = ""  # the honest population on whose trunk it is; empty: an address of its own
    talk_median_s: Positive = 120.0

    @property
    def has_trunk(self) -> bool:
        return not self.through

    def settle(self, town: Town, rng: Random) -> None:
        if not self.through:
            town.trunks[self.name] = self.device(town, rng, "carrier", town.trunk_endpoint())

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        device, how = self.device_on(town, self.through or self.name), self.answering()
        accounts = [self.own_number(town, rng, 0.0) for _ in range(self.accounts)]
        users = [
            (account, self._shown_number(town, rng, account, k)) for account in accounts for k in range(self.users)
        ]
        known: dict[int, list[str]] = {}
        for at_ns in town.arrivals(rng, len(users) * self.calls_per_user_hour, self.curve):
            who = int(len(users) * rng.random() ** 1.3)  # some talk much more than others
            account, number = users[who]
            if who not in known:
                known[who] = [town.some_number(rng) for _ in range(self.contacts)]
            stranger = rng.random() < self.stranger_ratio
            callee = town.some_number(rng) if stranger else known[who][int(self.contacts * rng.random() ** 2)]
            line = self.beside(town, device, number)
            line.asserted = account
            yield call(rng, town, at_ns, line, callee, how, self.name, variant="stranger" if stranger else "contact")

    def _shown_number(self, town: Town, rng: Random, account: str, turn: int) -> str:
        if rng.random() < self.own_ratio:
            return town.new_number(rng)
        return successor(account, turn % MOST_EXTENSIONS)
