"""Requests outside calls: registrations and keep-alives."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from simulator.intent import Intent, Request
from simulator.population import Count, PopulationBase, Positive, Ratio
from simulator.rhythm import NS_PER_S
from simulator.town import Town


class Registrations(PopulationBase, tag="registrations"):
    """Telephones of the town's private lines that register again and again; some have a wrong password and keep trying,
    which is one user many times and no scan."""

    every_s: Positive = 1800.0
    expires_s: Count = 3600
    devices: Count = 100_000  # at most this many of the town's lines
    wrong_password_ratio: Ratio = 0.01
    wrong_every_s: Positive = 60.0

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        for line in town.subscribers[: self.devices]:
            wrong = rng.random() < self.wrong_password_ratio
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
