"""Guessing of passwords."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Literal

from simulator.frauds.campaign import Campaign
from simulator.intent import Intent, Request
from simulator.keys import Count, Positive
from simulator.rhythm import Cadence
from simulator.town import Town


class PasswordGuessing(Campaign, tag="password_guessing"):
    """REGISTER with one password after another for few users that exist (RFC 3261 22.2), refused again and again; with
    many `users`, a few passwords for each. `gateways` are the addresses it comes from, in turn."""

    requests_per_s: Positive = 2.0  # passwords tried; each is two messages
    cadence: Cadence = "steady"
    users: Count = 3
    refusal: Literal[401, 403] = 403
    found_after: int = 0  # tries until the password is right, and the guessing ends; 0: never
    reuses_nonce: bool = False  # credentials at once, for the challenge of the first try: one message a password
    one_call_id: bool = False  # all tries for a user from one address have the same, as those of a telephone

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        devices = self.entrances(town, rng, "scanner")
        owners = rng.sample(town.subscribers, min(self.users, len(town.subscribers)))
        users = [line.user for line in owners] or [str(rng.randrange(100, 999)) for _ in range(self.users)]
        for count, at_ns in enumerate(self.moments(town, rng, 3600 * self.requests_per_s, self.cadence), start=1):
            found = count == self.found_after
            user = users[count // len(devices) % len(users)]
            answer = 200 if found else self.refusal
            known = self.reuses_nonce and count > 1
            yield Request(
                at_ns,
                devices[count % len(devices)],
                "REGISTER",
                user,
                (answer,) if known else (401, answer),
                self.name,
                label="password_guessing",
                variant=self.variant,
                series=user if self.one_call_id else "",
                authorized=known,
            )
            if found:
                return
