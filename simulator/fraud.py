"""Frauds: each type of the screening contract is one population, its variants are its keys.

`variant` in a scenario file is a free word that goes into the labels, so that a held-out variant can be told apart.
`through` puts the calls on the trunk of an honest population: same address, same style, honest calls between them.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Literal

from simulator.intent import Call, Intent, Line, Outcome, Request
from simulator.numbers import HIGH_COST, draw_from, successor, written
from simulator.population import Count, PopulationBase, Positive, Ratio
from simulator.rhythm import NS_PER_S, Cadence, log_normal, machine_arrivals
from simulator.town import Answering, Town, call
from simulator.vendors import Role

Zone = Literal["africa", "islands", "caribbean", "europe", "satellite", "premium"]


class Campaign(PopulationBase):
    """What the fraud populations share: a window of activity, an entrance, and a word for the variant."""

    variant: str = ""
    after_s: float = 0.0  # when it begins, from the start of the scenario
    for_s: float = 0.0  # how long it lasts; 0: to the end
    through: str = ""  # the honest population whose trunk carries it; empty: addresses of its own
    gateways: Count = 1  # own addresses, used in turn
    masked: bool = False  # its User-Agent is that of an honest telephone; the rest of its style stays

    def window(self, town: Town) -> tuple[int, int]:
        start_ns = town.start_ns + int(self.after_s * NS_PER_S)
        return start_ns, min(town.end_ns, start_ns + int(self.for_s * NS_PER_S)) if self.for_s else town.end_ns

    def entrances(self, town: Town, rng: Random, role: Role) -> list[Line]:
        """The devices its requests come from."""
        if self.through:
            return [town.trunks[self.through]]
        devices = [self.device(town, rng, role, town.trunk_endpoint()) for _ in range(self.gateways)]
        for device in devices:
            if self.masked:
                device.agent = rng.choice(town.style("phone", rng).agents)
        return devices


class Robocall(Campaign, tag="robocall"):
    """A message or a first sentence for as many people as possible: each callee once, few answers, short calls, a
    machine's beat. Variants: slow or fast, few or rotating callers, neighbours' numbers, imitated answer rates."""

    calls_per_hour: Positive = 600.0
    cadence: Cadence = "steady"
    callers: Count = 1  # numbers shown, in turn
    calls_per_caller: int = 0  # after that many calls a new number is taken; 0: never
    targets: Literal["random", "sequential", "list"] = "random"
    neighbour: bool = False  # shows a number that looks like the callee's own
    not_found_ratio: Ratio = 0.12
    list_size: Count = 400  # for `targets = "list"`
    answer_ratio: Ratio = 0.3
    talk_median_s: Positive = 8.0
    talk_sigma: Positive = 0.7

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        devices = self.entrances(town, rng, "dialler")
        lines = [self._caller(town, rng, devices, k) for k in range(self.callers)]
        how = self.answering(not_found_ratio=self.not_found_ratio, talk_limit_s=90.0)
        callee_of = self._targets(town, rng)
        for count, at_ns in enumerate(machine_arrivals(rng, *self.window(town), self.calls_per_hour, self.cadence)):
            turn = count % len(lines)
            if self.calls_per_caller and count and (count // len(lines)) % self.calls_per_caller == 0:
                lines[turn] = self._caller(town, rng, devices, count)
            line, callee = lines[turn], next(callee_of)
            if self.neighbour:
                line = self.beside(town, line, callee[:-4] + f"{rng.randrange(10_000):04d}")
            yield call(rng, town, at_ns, line, callee, how, self.name, label="robocall", variant=self.variant)

    def _caller(self, town: Town, rng: Random, devices: list[Line], turn: int) -> Line:
        return self.beside(town, devices[turn % len(devices)], town.new_number(rng, 0.5))

    def _targets(self, town: Town, rng: Random) -> Iterator[str]:
        people = [town.some_number(rng) for _ in range(self.list_size)] if self.targets == "list" else []
        number, k = town.some_number(rng, known_share=0.0), 0
        while True:
            if self.targets == "list":
                yield people[k % len(people)]
            elif self.targets == "random":
                yield town.some_number(rng, known_share=0.15)
            else:
                yield number
                number = successor(number, rng.choice((1, 1, 1, 2)))
            k += 1


class Wangiri(Campaign, tag="wangiri"):
    """One ring, then CANCEL, from a foreign or premium number that earns when it is called back; some victims do."""

    calls_per_hour: Positive = 900.0
    cadence: Cadence = "steady"
    callers: Count = 3
    zones: tuple[Zone, ...] = ("africa", "islands")
    sequential: bool = False
    ring_median_s: Positive = 1.2
    callback_ratio: Ratio = 0.12  # of the town's own lines that were rung
    answer_ratio: Ratio = 0.02  # somebody is quicker than the CANCEL
    form: Literal["e164", "digits", "national", "international"] = "international"

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        devices = self.entrances(town, rng, "carrier")
        lines = [
            self.beside(town, devices[k % len(devices)], draw_from(HIGH_COST[rng.choice(self.zones)], rng))
            for k in range(self.callers)
        ]
        number = town.some_number(rng, known_share=0.0)
        for at_ns in machine_arrivals(rng, *self.window(town), self.calls_per_hour, self.cadence):
            number = successor(number) if self.sequential else town.some_number(rng, known_share=0.25)
            made = self._ring_once(town, rng, at_ns, rng.choice(lines), number)
            yield made
            victim = town.line_of(number)
            if victim and made.ring_s and rng.random() < self.callback_ratio:
                later_ns = at_ns + int(log_normal(rng, 400, 1.0, 20, 7200) * NS_PER_S)
                how = self.answering(answer_ratio=0.95, talk_median_s=70.0, talk_sigma=0.8)
                yield call(
                    rng,
                    town,
                    later_ns,
                    victim,
                    made.line.number,
                    how,
                    self.name,
                    variant="wangiri_victim",
                    dialled=written(made.line.number, "international", town.home),
                )

    def _ring_once(self, town: Town, rng: Random, at_ns: int, line: Line, callee: str) -> Call:
        made = Call(
            at_ns,
            line,
            callee,
            town.dial(callee, rng),
            Outcome.CANCELLED,
            self.name,
            status_code=487,
            label="wangiri",
            variant=self.variant,
            ring_s=log_normal(rng, self.ring_median_s, 0.35, 0.3, 5.0),
            post_dial_delay_s=log_normal(rng, 1.2, 0.5, 0.1, 6.0),
        )
        luck = rng.random()
        if luck < self.answer_ratio:
            made.outcome, made.status_code, made.talk_s, made.caller_hangs_up = (
                Outcome.ANSWERED,
                200,
                rng.uniform(0.3, 2.0),
                True,
            )
        elif luck < self.answer_ratio + 0.06:
            made.outcome, made.status_code, made.ring_s = Outcome.REJECTED, rng.choice((404, 480, 486)), 0.0
        return made


class Irsf(Campaign, tag="irsf"):
    """International revenue share fraud: a broken-into exchange holds long calls to expensive ranges, several at once,
    mostly at night or at the weekend, to few numbers that follow each other."""

    concurrency: Count = 6  # calls held at a time
    zones: tuple[Zone, ...] = ("africa", "islands", "satellite")
    numbers: Count = 12  # destinations in use
    test_calls: int = 3  # short ones before, to see which route pays
    callers: Count = 1
    answer_ratio: Ratio = 0.88
    talk_median_s: Positive = 420.0
    talk_sigma: Positive = 0.7
    pause_median_s: Positive = 6.0  # between two calls of one channel

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        device = self.entrances(town, rng, "pbx")[0]
        lines = [device, *(self.beside(town, device, town.new_number(rng, 0.2)) for _ in range(self.callers - 1))]
        destinations = self._destinations(rng)
        start_ns, end_ns = self.window(town)
        at_ns = start_ns
        for _ in range(self.test_calls):
            yield self._call(
                town, rng, at_ns, lines[0], rng.choice(destinations), self.answering(talk_median_s=6.0, talk_sigma=0.4)
            )
            at_ns += int(log_normal(rng, 25, 0.6, 5, 300) * NS_PER_S)
        for _ in range(self.concurrency):
            channel_ns = at_ns + int(rng.uniform(0, 60) * NS_PER_S)
            while channel_ns < end_ns:
                made = self._call(
                    town,
                    rng,
                    channel_ns,
                    rng.choice(lines),
                    rng.choice(destinations),
                    self.answering(talk_limit_s=7200.0),
                )
                yield made
                busy_s = (
                    made.post_dial_delay_s
                    + made.ring_s
                    + made.talk_s
                    + log_normal(rng, self.pause_median_s, 0.8, 0.5, 600)
                )
                channel_ns += int(busy_s * NS_PER_S)

    def _call(self, town: Town, rng: Random, at_ns: int, line: Line, callee: str, how: Answering) -> Call:
        made = call(
            rng,
            town,
            at_ns,
            line,
            callee,
            how,
            self.name,
            label="irsf",
            variant=self.variant,
            dialled=written(callee, rng.choice(("international", "international", "e164")), town.home),
        )
        made.caller_hangs_up = rng.random() < 0.8
        return made

    def _destinations(self, rng: Random) -> list[str]:
        found: list[str] = []
        while len(found) < self.numbers:
            first = draw_from(HIGH_COST[rng.choice(self.zones)], rng)
            found += [successor(first, k) for k in range(rng.randrange(1, 5))]
        return found[: self.numbers]


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
        for count, at_ns in enumerate(machine_arrivals(rng, *self.window(town), per_hour, self.cadence)):
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
        for count, at_ns in enumerate(
            machine_arrivals(rng, *self.window(town), self.requests_per_s * 3600, self.cadence)
        ):
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
