"""Requests outside calls: registrations and keep-alives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Literal

from simulator.intent import Intent, Line, Request
from simulator.keys import Count, Positive, Ratio
from simulator.population import PopulationBase
from simulator.rhythm import NS_PER_S, log_normal
from simulator.town import Town


class Registrations(PopulationBase, tag="registrations"):
    """Telephones of the town's private lines that register again and again; some have a wrong password and keep trying,
    which is one user many times and no scan."""

    every_s: Positive = 1800.0
    expires_s: Count = 3600
    devices: Count = 100_000  # at most this many of the town's lines
    wrong_password_ratio: Ratio = 0.01
    wrong_every_s: Positive = 60.0
    old_device_ratio: Ratio = 0.0  # lines that have a second telephone somewhere, with the password of before

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        for line in town.subscribers[: self.devices]:
            wrong = rng.random() < self.wrong_password_ratio
            yield from self._again_and_again(town, rng, line, wrong)
            if self.old_device_ratio and rng.random() < self.old_device_ratio:
                old = replace(line, endpoint=town.subscriber_endpoint(rng))
                yield from self._again_and_again(town, rng, old, True)

    def _again_and_again(self, town: Town, rng: Random, line: Line, wrong: bool) -> Iterator[Intent]:
        period_ns = int((self.wrong_every_s if wrong else self.every_s) * NS_PER_S)
        codes = (401, 403) if wrong else (401, 200)
        at_ns = town.start_ns + int(rng.random() * period_ns)
        while at_ns < town.end_ns:
            yield Request(
                at_ns,
                line,
                "REGISTER",
                line.user,
                codes,
                self.name,
                variant="wrong_password" if wrong else "refresh",
                expires_s=self.expires_s,
            )
            at_ns += int(period_ns * rng.uniform(0.9, 1.1))


class Keepalives(PopulationBase, tag="keepalives"):
    """Trunks that ask the server with OPTIONS whether it lives: a fixed beat, one user, always answered."""

    every_s: Positive = 60.0

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        for line in town.trunks.values():
            period_ns = int(self.every_s * NS_PER_S)
            at_ns = town.start_ns + int(rng.random() * period_ns)
            while at_ns < town.end_ns:
                yield Request(
                    at_ns, line, "OPTIONS", rng.choice(("ping", line.user)), (200,), self.name, variant="keepalive"
                )
                at_ns += int(period_ns * rng.uniform(0.995, 1.005))


class PasswordChange(PopulationBase, tag="password_change"):
    """Telephones that still have the old password after it was changed, and people who type the new one wrongly: many
    refusals for few users, until somebody puts it right. With `one_address` it is an office, and looks
    like guessing."""

    phones: Count = 8
    after_s: float = 300.0
    every_s: Positive = 20.0  # between two tries of a telephone
    fixed_after_s: Positive = 900.0  # median
    typos: Count = 3  # tries by hand before the right one
    refusal: Literal[401, 403] = 403
    one_address: bool = False

    def settle(self, town: Town, rng: Random) -> None:
        shared = town.trunk_endpoint() if self.one_address else None
        town.members[self.name] = [
            self.device(town, rng, "phone", shared or town.subscriber_endpoint(rng)) for _ in range(self.phones)
        ]

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        for line in town.members[self.name]:
            at_ns = town.start_ns + int((self.after_s + rng.uniform(0, self.every_s)) * NS_PER_S)
            fixed_ns = at_ns + int(log_normal(rng, self.fixed_after_s, 0.6, 60, 14400) * NS_PER_S)
            while at_ns < fixed_ns:
                yield self._try(at_ns, line, (401, self.refusal), "old_password")
                at_ns += int(self.every_s * rng.uniform(0.95, 1.05) * NS_PER_S)
            for _ in range(rng.randrange(self.typos + 1)):
                yield self._try(at_ns, line, (401, self.refusal), "typo")
                at_ns += int(rng.uniform(8, 40) * NS_PER_S)
            yield self._try(at_ns, line, (401, 200), "right_password")

    def _try(self, at_ns: int, line: Line, codes: tuple[int, ...], variant: str) -> Request:
        return Request(at_ns, line, "REGISTER", line.user, codes, self.name, variant=variant)
