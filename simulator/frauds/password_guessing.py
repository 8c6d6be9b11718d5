"""Guessing of passwords."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Literal

from simulator.frauds.campaign import Campaign
from simulator.intent import Call, Intent, Line, Outcome, Request
from simulator.keys import Count, Positive
from simulator.rhythm import Cadence
from simulator.town import Town


class PasswordGuessing(Campaign, tag="password_guessing"):
    """One password after another for few users that exist, with REGISTER (RFC 3261 22.2) or INVITE (22.3), refused
    again and again; with many `users`, a few passwords for each. `gateways` are the addresses it comes from in turn."""

    requests_per_s: Positive = 2.0  # passwords tried; each is two messages
    cadence: Cadence = "steady"
    method: Literal["REGISTER", "INVITE"] = "REGISTER"
    users: Count = 3
    in_a_row: Count = 1  # passwords of a user before the next one's turn
    refusal: Literal[401, 403] = 403  # of REGISTER; an INVITE is challenged again (407)
    found_after: int = 0  # tries until the password is right, and the guessing ends; 0: never
    reuses_nonce: bool = False  # credentials at once, for the challenge of the first try: one message a password
    one_call_id: bool = False  # all tries for a user from one address have the same, as those of a telephone
    one_dialog: bool = False  # all tries from one address have, for whichever user

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        devices = self.entrances(town, rng, "scanner")
        owners = rng.sample(town.subscribers, min(self.users, len(town.subscribers)))
        users = [line.user for line in owners] or [str(rng.randrange(100, 999)) for _ in range(self.users)]
        for count, at_ns in enumerate(self.moments(town, rng, 3600 * self.requests_per_s, self.cadence), start=1):
            found = count == self.found_after
            user = users[count // len(devices) // self.in_a_row % len(users)]
            device = devices[count % len(devices)]
            if self.method == "INVITE":
                yield self._call(at_ns, replace(device, user=user, challenged=True), found)
            else:
                yield self._registration(at_ns, device, user, 200 if found else self.refusal, count)
            if found:
                return

    def _registration(self, at_ns: int, device: Line, user: str, answer: int, count: int) -> Request:
        known = self.reuses_nonce and count > 1
        return Request(
            at_ns,
            device,
            "REGISTER",
            user,
            (answer,) if known else (401, answer),
            self.name,
            label="password_guessing",
            variant=self.variant,
            series=self.name if self.one_dialog else user if self.one_call_id else "",
            authorized=known,
        )

    def _call(self, at_ns: int, line: Line, found: bool) -> Call:
        """To the user's own extension; it rings when the password is right, and is given up."""
        made = Call(at_ns, line, line.user, line.user, Outcome.REJECTED, self.name, post_dial_delay_s=0.02,
                    status_code=407, label="password_guessing", variant=self.variant)  # fmt: skip
        if found:
            made.outcome, made.status_code, made.ring_s = Outcome.CANCELLED, 487, 0.3
        return made
