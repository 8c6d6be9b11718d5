"""Searches for users and for servers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Literal

from simulator.frauds.campaign import Campaign
from simulator.intent import Call, Intent, Line, Outcome, Request
from simulator.keys import Count, Positive, Ratio
from simulator.numbers import successor
from simulator.rhythm import Cadence
from simulator.town import Town


class RegistrationScan(Campaign, tag="registration_scan"):
    """REGISTER for one user after another to learn which exist (RFC 3261 10.3 answers 401, 403 or 404); or, with
    `method`, INVITE, which tells as much. With `hosts` each user is tried at another address, most of them nobody's;
    with `users_per_host` the same few users at each, as who looks for servers does."""

    requests_per_s: Positive = 20.0
    cadence: Cadence = "steady"
    method: Literal["REGISTER", "INVITE"] = "REGISTER"
    users: Literal["extensions", "numbers", "names"] = "extensions"
    known_ratio: Ratio = 0.05  # users that exist: 401, and a guess at the password
    unknown_code: Literal[404, 403, 401] = 404
    silent_ratio: Ratio = 0.0  # requests that get no reply
    hosts: Count = 1  # addresses tried in turn
    users_per_host: int = 0  # 0: another user at each request
    alive_ratio: Positive = 0.05  # addresses, of many, that reply
    one_call_id: bool = False  # all its REGISTERs have the same

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        device = self.entrances(town, rng, "scanner")[0]
        extension, number = rng.choice((100, 1000, 2000, 8000)), town.some_number(rng, 0.0)
        per_hour = self.requests_per_s * 3600
        every = max(1, round(1 / self.alive_ratio))
        for count, at_ns in enumerate(self.moments(town, rng, per_hour, self.cadence)):
            place = count % self.users_per_host if self.users_per_host else count
            user = {
                "extensions": str(extension + place),
                "numbers": successor(number, place),
                "names": f"{rng.choice(_NAMES)}{rng.choice(('', place, place % 100))}",
            }[self.users]
            host = count // max(1, self.users_per_host) % self.hosts
            target = neighbour(town, host) if host else ""
            if self.method == "INVITE":
                yield self._call(at_ns, device, user, target, rng, bool(host % every))
                continue
            yield Request(
                at_ns,
                device,
                "REGISTER",
                user,
                (0,) if host % every else self._answers(rng),
                self.name,
                target=target,
                label="registration_scan",
                variant=self.variant,
                series="scan" if self.one_call_id else "",
            )

    def _answers(self, rng: Random) -> tuple[int, ...]:
        if rng.random() < self.silent_ratio:
            return (0,)
        return (401, 403) if rng.random() < self.known_ratio else (self.unknown_code,)

    def _call(self, at_ns: int, device: Line, user: str, target: str, rng: Random, dead: bool) -> Call:
        """An extension calls itself: it rings where it exists, until the scanner gives up."""
        line = replace(device, user=user)
        made = Call(at_ns, line, user, user, Outcome.REJECTED, self.name, post_dial_delay_s=0.02, status_code=404,
                    target=target, label="registration_scan", variant=self.variant)  # fmt: skip
        if dead or rng.random() < self.silent_ratio:
            made.outcome, made.status_code = Outcome.UNREACHED, 0
        elif rng.random() < self.known_ratio:
            made.outcome, made.status_code, made.ring_s = Outcome.CANCELLED, 487, 0.3
        elif self.unknown_code != 404:
            made.status_code = 403
        return made


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
    """OPTIONS to one address after another to find servers (RFC 3261 11), or to one server for one user after another
    (`asks`)."""

    requests_per_s: Positive = 10.0
    cadence: Cadence = "steady"
    asks: Literal["hosts", "users"] = "hosts"
    hosts: Count = 254  # addresses tried
    alive_ratio: Ratio = 0.05  # addresses, or users, that there are
    unknown_code: Literal[404, 401, 200] = 404  # what is said of a user who does not exist

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        device = self.entrances(town, rng, "scanner")[0]
        extension = rng.choice((100, 1000, 2000, 8000))
        alive = {host: rng.random() < self.alive_ratio for host in range(self.hosts)}
        for count, at_ns in enumerate(self.moments(town, rng, 3600 * self.requests_per_s, self.cadence)):
            if self.asks == "users":
                user, target = str(extension + count), ""
                code = 200 if rng.random() < self.alive_ratio else int(self.unknown_code)
            else:
                host = count % self.hosts
                user, target = rng.choice(("100", "1000", "sip")), neighbour(town, host)
                code = 200 if alive[host] else 0
            yield Request(
                at_ns,
                device,
                "OPTIONS",
                user,
                (code,),
                self.name,
                target=target,
                label="options_scan",
                variant=self.variant,
            )


def neighbour(town: Town, host: int) -> str:
    """One of the addresses beside the home server's network."""
    return f"{town.server.address.rsplit('.', 2)[0]}.{1 + host // 254}.{1 + host % 254}"
