"""Exchanges that change: a new one, one that reboots, and numbers that move to another operator."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from simulator.intent import Intent, Line, Outcome, Request
from simulator.keys import Count, Positive, Ratio
from simulator.numbers import successor
from simulator.population import PopulationBase
from simulator.rhythm import NS_PER_S, Curve, log_normal
from simulator.town import Town, call


class NewExchange(PopulationBase, tag="new_exchange"):
    """An exchange that goes into service: numbers nobody has seen, an engineer who calls one extension after another
    for some seconds, a wave of registrations, and then people who call all day to tell their new number."""

    lines: Count = 80
    opens_after_s: float = 300.0
    test_s: Positive = 5.0  # of one test call, median
    calls_per_line_hour: Positive = 2.0
    curve: Curve = "business"

    @property
    def has_trunk(self) -> bool:
        return True

    def settle(self, town: Town, rng: Random) -> None:
        town.trunks[self.name] = self.device(town, rng, "pbx", town.trunk_endpoint(), town.new_number(rng, 0.0))

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        device = town.trunks[self.name]
        lines = [self.beside(town, device, successor(device.number, k)) for k in range(1, self.lines + 1)]
        at_ns = town.start_ns + int(self.opens_after_s * NS_PER_S)
        for line in lines:
            at_ns += int(rng.uniform(0.05, 0.6) * NS_PER_S)
            yield Request(at_ns, line, "REGISTER", line.user, (401, 200), self.name, variant="first_registration")
        test = self.answering(answer_ratio=0.95, talk_median_s=self.test_s, talk_sigma=0.3)
        for line in lines:
            made = call(rng, town, at_ns, device, line.number, test, self.name, variant="test")
            yield made
            at_ns += int((made.post_dial_delay_s + made.ring_s + made.talk_s + rng.uniform(2, 6)) * NS_PER_S)
        for moment_ns in town.arrivals(rng, self.lines * self.calls_per_line_hour, self.curve):
            if moment_ns > at_ns:
                number = town.some_number(rng, mobile_share=0.4)
                yield call(rng, town, moment_ns, rng.choice(lines), number, self.answering(), self.name, variant="call")


class PbxReboot(PopulationBase, tag="pbx_reboot"):
    """An exchange after a power cut: some hundred extensions register from one address within seconds. As many users as
    a scan has; but all of them exist, and all are let in, when the server is not too busy to reply at first."""

    extensions: Count = 200
    after_s: float = 300.0
    reboots: Count = 1
    reboot_every_s: Positive = 1200.0
    spread_s: Positive = 6.0  # within which all have registered
    stale_ratio: Ratio = 0.02  # extensions that were deleted and are refused
    form_digits: Count = 3  # of an extension
    kept_call_id: bool = False  # each extension keeps a Call-ID for all its registrations
    overload_ratio: Ratio = 0.0  # first tries that get no reply; they are repeated within half a minute

    @property
    def has_trunk(self) -> bool:
        return True

    def settle(self, town: Town, rng: Random) -> None:
        town.trunks[self.name] = self.device(town, rng, "pbx", town.trunk_endpoint(), town.new_number(rng, 0.0))

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        device = town.trunks[self.name]
        first = 10 ** (self.form_digits - 1) + rng.randrange(100)
        stale = {k for k in range(self.extensions) if rng.random() < self.stale_ratio}
        for reboot in range(self.reboots):
            begins_ns = town.start_ns + int((self.after_s + reboot * self.reboot_every_s) * NS_PER_S)
            for k in range(self.extensions):
                at_ns = begins_ns + int(rng.random() * self.spread_s * NS_PER_S)
                user = str(first + k)
                if self.overload_ratio and rng.random() < self.overload_ratio:
                    yield self._try(at_ns, device, user, (0,))
                    at_ns += int(rng.uniform(2, 30) * NS_PER_S)
                yield self._try(at_ns, device, user, (401, 403) if k in stale else (401, 200))

    def _try(self, at_ns: int, device: Line, user: str, codes: tuple[int, ...]) -> Request:
        series = user if self.kept_call_id else ""
        return Request(at_ns, device, "REGISTER", user, codes, self.name, variant="reboot", series=series)


class NumberPorting(PopulationBase, tag="number_porting"):
    """Lines that move to another operator and keep their number: the same caller at another address and with another
    product from one call to the next; until all routes know it, calls to it fail."""

    lines: Count = 60
    calls_per_line_hour: Positive = 1.5
    contacts: Count = 5
    lost_s: Positive = 600.0  # while calls to a moved number are not found
    curve: Curve = "residential"

    @property
    def has_trunk(self) -> bool:
        return True

    def settle(self, town: Town, rng: Random) -> None:
        old, new = (self.device(town, rng, "carrier", town.trunk_endpoint()) for _ in range(2))
        town.trunks[self.name], town.trunks[f"{self.name}, after"] = old, new

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        old, new, how = town.trunks[self.name], town.trunks[f"{self.name}, after"], self.answering()
        numbers = [town.new_number(rng) for _ in range(self.lines)]
        moves_ns = [rng.randrange(town.start_ns, town.end_ns) for _ in numbers]
        contacts = [[town.some_number(rng, known_share=0.6) for _ in range(self.contacts)] for _ in numbers]
        for at_ns in town.arrivals(rng, self.lines * self.calls_per_line_hour, self.curve):
            who = rng.randrange(self.lines)
            moved = at_ns >= moves_ns[who]
            line = self.beside(town, new if moved else old, numbers[who])
            friend = rng.choice(contacts[who])
            variant = "ported" if moved else "to_be_ported"
            friend_line = town.line_of(friend)
            if friend_line and rng.random() < 0.4:
                yield self._incoming(town, rng, at_ns, friend_line, numbers[who], moves_ns[who], variant)
            else:
                yield call(rng, town, at_ns, line, friend, how, self.name, variant=variant)

    def _incoming(
        self, town: Town, rng: Random, at_ns: int, line: Line, number: str, moved_ns: int, variant: str
    ) -> Intent:
        made = call(rng, town, at_ns, line, number, self.answering(), self.name, variant=variant)
        if 0 <= at_ns - moved_ns < log_normal(rng, self.lost_s, 0.5, 10, 7200) * NS_PER_S:
            made.outcome, made.status_code, made.ring_s, made.talk_s = Outcome.REJECTED, 404, 0.0, 0.0
        return made
