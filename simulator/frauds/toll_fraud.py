"""Stolen accounts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random

from simulator.frauds.campaign import Campaign
from simulator.intent import Intent, Line, Request
from simulator.keys import Count, Positive, Ratio
from simulator.numbers import HIGH_COST, Zone, draw_from, neighbour_of, successor, written
from simulator.rhythm import NS_PER_S, log_normal
from simulator.town import Town, call

# What is left of a number when a country and its operator are taken away.
SCATTERED_DIGITS = 5


class TollFraud(Campaign, tag="toll_fraud"):
    """Somebody far away has the password of a line here: an ordinary telephone registers from a foreign address and
    calls a handful of expensive numbers, from the second call on one after another. The line's owner goes on calling
    from home. On somebody's trunk it is a customer's account, whose provider lets the calls out with all others."""

    accounts: Count = 3
    one_address: bool = False  # all accounts are used from one address
    registers: bool = True  # before it calls; a password is enough for an INVITE too
    destinations: Count = 4  # of one account
    scattered: bool = False  # anywhere in their range; else near one another
    calls_per_account: Count = 12
    concurrency: Count = 1  # calls of one account at a time
    zones: tuple[Zone, ...] = ("africa", "islands", "caribbean")
    starts_within_s: Positive = 1200.0  # the accounts begin one by one
    pause_median_s: Positive = 15.0  # between two calls
    answer_ratio: Ratio = 0.85
    talk_median_s: Positive = 260.0
    talk_sigma: Positive = 0.8

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        if self.through:
            trunk = self.entrances(town, rng, "phone")[0]
            for _ in range(self.accounts):
                yield from self._use(town, rng, self.beside(town, trunk, self.own_number(town, rng, 0.3)))
            return
        here = town.foreign_endpoint(rng)
        owners = rng.sample(town.subscribers, min(self.accounts, len(town.subscribers)))
        for _ in range(self.accounts - len(owners)):
            owners.append(self.device(town, rng, "phone", here))
        for owner in owners:
            style = town.style("phone", rng, self.vendors)
            endpoint = here if self.one_address else town.foreign_endpoint(rng)
            thief = replace(owner, endpoint=endpoint, style=style, agent=rng.choice(style.agents), challenged=True)
            yield from self._use(town, rng, thief)

    def _use(self, town: Town, rng: Random, line: Line) -> Iterator[Intent]:
        start_ns, end_ns = self.window(town)
        at_ns = start_ns + int(rng.uniform(0, self.starts_within_s) * NS_PER_S)
        if self.registers and not self.through:
            yield Request(at_ns, line, "REGISTER", line.user, (401, 200), self.name, label="toll_fraud",
                          variant=self.variant)  # fmt: skip
        first = draw_from(HIGH_COST[rng.choice(self.zones)], rng)
        near = [successor(first, rng.randrange(1, 9) * k) for k in range(self.destinations)]
        numbers = [neighbour_of(first, SCATTERED_DIGITS, rng) for _ in near] if self.scattered else near
        free_ns = [at_ns + int(rng.uniform(2, 30) * NS_PER_S) for _ in range(self.concurrency)]
        for _ in range(self.calls_per_account):
            channel = free_ns.index(min(free_ns))
            if free_ns[channel] >= end_ns:
                return
            callee = rng.choice(numbers)
            made = call(rng, town, free_ns[channel], line, callee, self.answering(talk_limit_s=7200.0), self.name,
                        label="toll_fraud", variant=self.variant,
                        dialled=written(callee, "international", town.home))  # fmt: skip
            yield made
            pause_s = log_normal(rng, self.pause_median_s, 0.8, 1, 7200)
            free_ns[channel] += int((made.post_dial_delay_s + made.ring_s + made.talk_s + pause_s) * NS_PER_S)
