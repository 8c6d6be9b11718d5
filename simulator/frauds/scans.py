"""Searches for users and for servers."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Literal

from simulator.frauds.campaign import Campaign
from simulator.intent import Intent, Request
from simulator.keys import Count, Positive, Ratio
from simulator.numbers import successor
from simulator.rhythm import Cadence
from simulator.town import Town


class RegistrationScan(Campaign, tag="registration_scan"):
    """REGISTER for one user after another to learn which exist (RFC 3261 10.3 answers 401, 403 or 404)."""

    requests_per_s: Positive = 20.0
    cadence: Cadence = "steady"
    users: Literal["extensions", "numbers", "names"] = "extensions"
    known_ratio: Ratio = 0.05  # users that exist: 401, and a guess at the password
    unknown_code: Literal[404, 403, 401] = 404
    silent_ratio: Ratio = 0.0  # requests that get no reply

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        device = self.entrances(town, rng, "scanner")[0]
        extension, number = rng.choice((100, 1000, 2000, 8000)), town.some_number(rng, 0.0)
        per_hour = self.requests_per_s * 3600
        for count, at_ns in enumerate(self.moments(town, rng, per_hour, self.cadence)):
            user = {
                "extensions": str(extension + count),
                "numbers": successor(number, count),
                "names": f"{rng.choice(_NAMES)}{rng.choice(('', count, count % 100))}",
            }[self.users]
            yield Request(
                at_ns,
                device,
                "REGISTER",
                user,
                self._answers(rng),
                self.name,
                label="registration_scan",
                variant=self.variant,
            )

    def _answers(self, rng: Random) -> tuple[int, ...]:
        if rng.random() < self.silent_ratio:
            return (0,)
        return (401, 403) if rng.random() < self.known_ratio else (self.unknown_code,)


_NAMES = (
    "admin",
    "test",
    "sip",
    "user",
    "office",
    "reception",
    "sales",
    "support",
    "guest",
    "asterisk",
    "pbx",
    "trunk",
    "phone",
    "fax",
    "conf",
)


class OptionsScan(Campaign, tag="options_scan"):
    """OPTIONS to one address after another to find servers (RFC 3261 11)."""

    requests_per_s: Positive = 10.0
    cadence: Cadence = "steady"
    hosts: Count = 254  # addresses tried
    alive_ratio: Ratio = 0.05

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        device = self.entrances(town, rng, "scanner")[0]
        network = town.server.address.rsplit(".", 2)[0]
        alive = {host: rng.random() < self.alive_ratio for host in range(self.hosts)}
        for count, at_ns in enumerate(self.moments(town, rng, 3600 * self.requests_per_s, self.cadence)):
            host = count % self.hosts
            target = f"{network}.{1 + host // 254}.{1 + host % 254}"
            yield Request(
                at_ns,
                device,
                "OPTIONS",
                rng.choice(("100", "1000", "sip")),
                ((200,) if alive[host] else (0,)),
                self.name,
                target=target,
                label="options_scan",
                variant=self.variant,
            )
