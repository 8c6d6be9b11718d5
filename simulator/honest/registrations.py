"""Requests outside calls: registrations and keep-alives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Literal

from simulator.intent import Call, Intent, Line, Outcome, Request
from simulator.keys import Count, Positive, Ratio
from simulator.population import PopulationBase
from simulator.rhythm import NS_PER_S, log_normal
from simulator.town import Town

MOST_PATIENCE_S = 1800


class Registrations(PopulationBase, tag="registrations"):
    """Telephones of the town's private lines that register again and again; some have a wrong password and keep trying,
    which is one user many times and no scan. When the server was out of order all come back within a minute."""

    every_s: Positive = 1800.0
    expires_s: Count = 3600
    devices: Count = 100_000  # at most this many of the town's lines
    wrong_password_ratio: Ratio = 0.01
    wrong_every_s: Positive = 60.0
    refusal: Literal[401, 403] = 403  # of a wrong password
    cached_nonce_ratio: Ratio = 0.0  # telephones that bring credentials at once, for the challenge of the last time
    old_device_ratio: Ratio = 0.0  # lines that have a second telephone somewhere, with the password of before
    kept_call_id_ratio: Ratio = 0.0  # telephones that keep a Call-ID for all their registrations (RFC 3261 10.2.4)
    patient_ratio: Ratio = 0.0  # of those with a wrong password: they wait twice as long after each refusal
    outage_after_s: float = 0.0  # when the server stops to reply; 0: it never does
    outage_s: Positive = 120.0
    outage_code: Literal[0, 401, 403, 503] = 0  # what it says meanwhile, to right passwords as well; 0: nothing

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        for line in town.subscribers[: self.devices]:
            wrong = rng.random() < self.wrong_password_ratio
            yield from self._again_and_again(town, rng, line, wrong)
            if self.old_device_ratio and rng.random() < self.old_device_ratio:
                old = replace(line, endpoint=town.subscriber_endpoint(rng))
                yield from self._again_and_again(town, rng, old, True)

    def _again_and_again(self, town: Town, rng: Random, line: Line, wrong: bool) -> Iterator[Intent]:
        period_ns = int((self.wrong_every_s if wrong else self.every_s) * NS_PER_S)
        series = line.user if is_so(rng, self.kept_call_id_ratio) else ""
        patient = wrong and is_so(rng, self.patient_ratio)
        cached = is_so(rng, self.cached_nonce_ratio)
        stale = cached and not wrong and rng.random() < 0.5
        at_ns = town.start_ns + int(rng.random() * period_ns)
        while at_ns < town.end_ns:
            codes, wait_ns = self._reply(town, rng, at_ns, wrong, period_ns)
            yield Request(
                at_ns,
                line,
                "REGISTER",
                line.user,
                codes,
                self.name,
                variant="wrong_password" if wrong else "refresh",
                expires_s=self.expires_s,
                series=series,
                authorized=cached,
                stale=stale,
            )
            at_ns += int(wait_ns * rng.uniform(0.9, 1.1))
            if patient:
                period_ns = min(2 * period_ns, MOST_PATIENCE_S * NS_PER_S)

    def _reply(self, town: Town, rng: Random, at_ns: int, wrong: bool, period_ns: int) -> tuple[tuple[int, ...], int]:
        """What the server says, and how long the telephone waits then."""
        out_ns = town.start_ns + int(self.outage_after_s * NS_PER_S)
        back_ns = out_ns + int(self.outage_s * NS_PER_S)
        if self.outage_after_s and out_ns <= at_ns < back_ns:
            return (401, self.outage_code) if self.outage_code else (0,), int(rng.uniform(10, 60) * NS_PER_S)
        if self.outage_after_s and at_ns < out_ns < at_ns + period_ns:
            # Its server is gone before the next refresh: it notices by a keep-alive or by a call.
            return (401, self.refusal if wrong else 200), out_ns - at_ns + int(rng.uniform(0, 60) * NS_PER_S)
        return (401, self.refusal if wrong else 200), period_ns


def is_so(rng: Random, ratio: float) -> bool:
    """Drawn only where it may be, so that scenarios which do not ask stay as they were."""
    return bool(ratio) and rng.random() < ratio


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


class Monitoring(PopulationBase, tag="monitoring"):
    """A monitoring system, or the town's own server, that asks many peers with OPTIONS whether they live: as many
    addresses as a scan has, but always the same ones, and most of them reply. An exchange asks each of its telephones
    by the user that it is registered as (`own_users`), and those behind one router at ports of one address
    (`behind_one`)."""

    peers: Count = 40
    every_s: Positive = 30.0
    dead_ratio: Ratio = 0.03  # peers that do not reply
    at_once: bool = False  # all of a round within seconds; else spread over the round
    from_server: bool = False  # the town's server asks
    own_users: bool = False
    behind_one: bool = False
    after_s: float = 0.0
    for_s: float = 0.0  # how long it asks; 0: to the end

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        device = self.device(town, rng, "carrier", town.server if self.from_server else town.trunk_endpoint())
        network = town.server.address.rsplit(".", 2)[0]
        peers = [f"{network}.{rng.randrange(100, 250)}.{rng.randrange(1, 255)}" for _ in range(self.peers)]
        ports = [5060] * self.peers
        if self.behind_one:
            peers, ports = peers[:1] * self.peers, [20_000 + number for number in range(self.peers)]
        dead = {number for number, _ in enumerate(peers) if rng.random() < self.dead_ratio}
        users = [rng.choice(("ping", "monitor", "sip", device.user))] * self.peers
        if self.own_users:
            first = rng.choice((100, 200, 1000))
            users = [str(first + number) for number, _ in enumerate(peers)]
        round_ns = int(self.every_s * NS_PER_S)
        offsets_ns = [int(round_ns * (rng.random() * 0.02 if self.at_once else rng.random())) for _ in peers]
        at_ns = town.start_ns + int(self.after_s * NS_PER_S + rng.random() * round_ns)
        end_ns = at_ns + int(self.for_s * NS_PER_S) if self.for_s else town.end_ns
        while at_ns < end_ns:
            for number, (peer, offset_ns) in enumerate(zip(peers, offsets_ns, strict=True)):
                codes = (0,) if number in dead else (200,)
                yield Request(
                    at_ns + offset_ns,
                    device,
                    "OPTIONS",
                    users[number],
                    codes,
                    self.name,
                    peer,
                    ports[number],
                    variant="monitoring",
                )
            at_ns += int(round_ns * rng.uniform(0.995, 1.005))


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
    kept_call_id_ratio: Ratio = 0.0  # telephones that keep a Call-ID for all their registrations
    registered_ratio: Ratio = 0.0  # telephones that were let in once more before the change
    call_ratio: Ratio = 0.0  # tries that are calls

    def settle(self, town: Town, rng: Random) -> None:
        shared = town.trunk_endpoint() if self.one_address else None
        town.members[self.name] = [
            self.device(town, rng, "phone", shared or town.subscriber_endpoint(rng)) for _ in range(self.phones)
        ]

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        for line in town.members[self.name]:
            series = line.user if is_so(rng, self.kept_call_id_ratio) else ""
            if is_so(rng, self.registered_ratio):
                before_ns = town.start_ns + int(rng.uniform(0, self.after_s) * NS_PER_S)
                yield self._try(before_ns, line, (401, 200), "right_password", series)
            at_ns = town.start_ns + int((self.after_s + rng.uniform(0, self.every_s)) * NS_PER_S)
            fixed_ns = at_ns + int(log_normal(rng, self.fixed_after_s, 0.6, 60, 14400) * NS_PER_S)
            while at_ns < fixed_ns:
                if is_so(rng, self.call_ratio):
                    yield self._call(at_ns, line, town.some_number(rng))
                else:
                    yield self._try(at_ns, line, (401, self.refusal), "old_password", series)
                at_ns += int(self.every_s * rng.uniform(0.95, 1.05) * NS_PER_S)
            for _ in range(rng.randrange(self.typos + 1)):
                yield self._try(at_ns, line, (401, self.refusal), "typo", series)
                at_ns += int(rng.uniform(8, 40) * NS_PER_S)
            yield self._try(at_ns, line, (401, 200), "right_password", series)

    def _call(self, at_ns: int, line: Line, number: str) -> Call:
        """One that fails for its password."""
        line = replace(line, challenged=True)
        return Call(at_ns, line, number, number, Outcome.REJECTED, self.name, post_dial_delay_s=0.02, status_code=407,
                    variant="old_password")  # fmt: skip

    def _try(self, at_ns: int, line: Line, codes: tuple[int, ...], variant: str, series: str) -> Request:
        return Request(at_ns, line, "REGISTER", line.user, codes, self.name, variant=variant, series=series)
