"""Honest populations: the ones that make detection hard are the point.

Each draws its moments from a daily curve, knows whom it calls and why, and is answered in its own way. What they share
with a fraud (many strangers, short calls, a steady beat, one address) is said in their docstrings.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from simulator.intent import Call, Intent, Line, Outcome, Request
from simulator.population import Count, PopulationBase, Positive, Ratio
from simulator.rhythm import NS_PER_S, Curve, log_normal
from simulator.town import Answering, Town, call

_RETRY_CAUSES = {404, 486, 480, 503, 487}


class Households(PopulationBase, tag="households"):
    """Private lines that call a few regular contacts, sometimes strangers; missed calls are called back.

    With `one_address` the whole village is behind one NAT or access SBC: one source of many callers.
    """

    lines: Count = 200
    calls_per_line_hour: Positive = 0.4
    contacts: Count = 6
    stranger_ratio: Ratio = 0.15  # calls to a number that is no contact
    callback_ratio: Ratio = 0.35  # unanswered calls that the called contact returns
    misdial_ratio: Ratio = 0.02  # a wrong number first, the right one a few seconds later
    retry_ratio: Ratio = 0.25  # unanswered calls tried again within minutes
    mobile_share: Ratio = 0.6
    challenged_ratio: Ratio = 0.8  # devices asked for credentials on INVITE
    one_address: bool = False
    curve: Curve = "residential"

    @property
    def has_trunk(self) -> bool:
        return self.one_address

    def settle(self, town: Town, rng: Random) -> None:
        shared = town.trunk_endpoint() if self.one_address else None
        for _ in range(self.lines):
            endpoint = shared or town.subscriber_endpoint(rng)
            line = self.device(town, rng, "phone", endpoint, town.new_number(rng, self.mobile_share))
            line.challenged = rng.random() < self.challenged_ratio
            town.add_subscriber(line)
            self._lines(town).append(line)
        if shared:
            town.trunks[self.name] = self._lines(town)[0]

    def _lines(self, town: Town) -> list[Line]:
        return town.members.setdefault(self.name, [])

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        lines = self._lines(town)
        how = self.answering()
        known = [self._contacts(town, rng, line) for line in lines]
        for at_ns in town.arrivals(rng, self.lines * self.calls_per_line_hour, self.curve):
            who = int(len(lines) * rng.random() ** 1.6)  # some talk much more than others
            line, stranger = lines[who], rng.random() < self.stranger_ratio
            callee = town.some_number(rng) if stranger else known[who][int(self.contacts * rng.random() ** 2)]
            right_ns = at_ns
            if rng.random() < self.misdial_ratio:
                yield self._misdial(town, rng, at_ns, line, callee)
                right_ns += int(rng.uniform(6, 25) * NS_PER_S)
            made = call(
                rng, town, right_ns, line, callee, how, self.name, variant="stranger" if stranger else "contact"
            )
            yield made
            yield from self._follow_up(town, rng, made, how)

    def _contacts(self, town: Town, rng: Random, line: Line) -> list[str]:
        return [town.some_number(rng, known_share=0.6) for _ in range(self.contacts)]

    def _misdial(self, town: Town, rng: Random, at_ns: int, line: Line, callee: str) -> Call:
        wrong = callee[:-1] + str((int(callee[-1]) + rng.randrange(1, 10)) % 10)
        made = Call(
            at_ns,
            line,
            wrong,
            town.dial(wrong, rng),
            Outcome.REJECTED,
            self.name,
            status_code=rng.choice((404, 484)),
            variant="misdial",
        )
        if rng.random() < 0.4:  # somebody else picks up
            made.outcome, made.status_code = Outcome.ANSWERED, 200
            made.ring_s, made.talk_s = log_normal(rng, 6, 0.5, 1, 20), log_normal(rng, 4, 0.4, 1, 15)
        return made

    def _follow_up(self, town: Town, rng: Random, made: Call, how: Answering) -> Iterator[Intent]:
        if made.outcome is Outcome.ANSWERED:
            return
        callee = town.line_of(made.callee)
        if callee and made.ring_s and rng.random() < self.callback_ratio:
            later_ns = made.start_ns + int(log_normal(rng, 300, 1.2, made.ring_s + 20, 7200) * NS_PER_S)
            yield call(rng, town, later_ns, callee, made.line.number, how, self.name, variant="call_back")
        elif made.status_code in _RETRY_CAUSES and rng.random() < self.retry_ratio:
            later_ns = made.start_ns + int((made.ring_s + log_normal(rng, 60, 1.0, 5, 1800)) * NS_PER_S)
            yield call(rng, town, later_ns, made.line, made.callee, how, self.name, variant="retry")


class Office(PopulationBase, tag="office"):
    """Firms, each an exchange behind a trunk: many callers at one address, in office hours, to their customers."""

    offices: Count = 5
    extensions: Count = 20
    calls_per_extension_hour: Positive = 1.2
    customers: Count = 150  # whom one office knows
    stranger_ratio: Ratio = 0.25
    one_number_ratio: Ratio = 0.4  # offices that show their main number only
    curve: Curve = "business"

    @property
    def has_trunk(self) -> bool:
        return True

    def settle(self, town: Town, rng: Random) -> None:
        for _ in range(self.offices):
            device = self.device(town, rng, "pbx", town.trunk_endpoint(), town.new_number(rng, 0.1))
            town.members.setdefault(self.name, []).append(device)
            town.trunks.setdefault(self.name, device)

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        how = self.answering()
        for device in town.members[self.name]:
            lines = [device]
            if rng.random() >= self.one_number_ratio:
                base = device.number[:-3]
                lines = [self.beside(town, device, f"{base}{100 + k}") for k in range(self.extensions)]
            customers = [town.some_number(rng, mobile_share=0.4) for _ in range(self.customers)]
            rate = self.extensions * self.calls_per_extension_hour
            for at_ns in town.arrivals(rng, rate, self.curve):
                stranger = rng.random() < self.stranger_ratio
                callee = (
                    town.some_number(rng, mobile_share=0.4)
                    if stranger
                    else customers[int(self.customers * rng.random() ** 2)]
                )
                made = call(
                    rng,
                    town,
                    at_ns,
                    rng.choice(lines),
                    callee,
                    how,
                    self.name,
                    variant="stranger" if stranger else "customer",
                )
                yield made
                callee_line = town.line_of(callee)
                if callee_line and made.outcome is not Outcome.ANSWERED and rng.random() < 0.3:
                    later_ns = at_ns + int(log_normal(rng, 900, 1.0, 60, 7200) * NS_PER_S)
                    yield call(rng, town, later_ns, callee_line, made.line.number, how, self.name, variant="call_back")


class CallCentre(PopulationBase, tag="call_centre"):
    """Outbound agents with a predictive dialler: very many callees and a steady load as a robocaller has, but to people
    who expect them: they answer, talk long, and call back. With `repeat_ratio` high it is a debt collector."""

    agents: Count = 20
    calls_per_agent_hour: Positive = 14.0
    numbers: Count = 2  # numbers shown
    repeat_ratio: Ratio = 0.1  # calls to somebody called before
    callback_ratio: Ratio = 0.08  # unanswered calls that are returned to the number shown
    curve: Curve = "business"
    answer_ratio: Ratio = 0.55
    talk_median_s: Positive = 110.0

    @property
    def has_trunk(self) -> bool:
        return True

    def settle(self, town: Town, rng: Random) -> None:
        town.trunks[self.name] = self.device(town, rng, "pbx", town.trunk_endpoint(), town.new_number(rng, 0.0))

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        device, how = town.trunks[self.name], self.answering()
        lines = [device, *(self.beside(town, device, town.new_number(rng, 0.0)) for _ in range(self.numbers - 1))]
        called: list[str] = []
        rate = self.agents * self.calls_per_agent_hour
        for at_ns in town.arrivals(rng, rate, self.curve):
            again = bool(called) and rng.random() < self.repeat_ratio
            callee = rng.choice(called) if again else town.some_number(rng, known_share=0.2)
            called.append(callee)
            made = call(
                rng, town, at_ns, rng.choice(lines), callee, how, self.name, variant="again" if again else "first"
            )
            yield made
            if made.ring_s and made.outcome is not Outcome.ANSWERED and rng.random() < self.callback_ratio:
                caller = town.line_of(callee) or rng.choice(town.subscribers or [device])
                if caller is not device:
                    later_ns = at_ns + int(log_normal(rng, 1200, 1.0, 60, 14400) * NS_PER_S)
                    yield call(
                        rng,
                        town,
                        later_ns,
                        caller,
                        made.line.number,
                        self.answering(answer_ratio=0.9),
                        self.name,
                        variant="call_back",
                    )


class Couriers(PopulationBase, tag="couriers"):
    """Drivers and taxis: each calls a stranger every few minutes, shortly, hardly ever twice; but they are answered and
    called back. All come through the mobile operator's gateway."""

    drivers: Count = 30
    calls_per_driver_hour: Positive = 9.0
    callback_ratio: Ratio = 0.5
    curve: Curve = "flat"
    answer_ratio: Ratio = 0.8
    talk_median_s: Positive = 22.0
    talk_sigma: Positive = 0.6

    @property
    def has_trunk(self) -> bool:
        return True

    def settle(self, town: Town, rng: Random) -> None:
        device = self.device(town, rng, "carrier", town.trunk_endpoint(), town.new_number(rng, 1.0))
        town.trunks[self.name] = device
        others = (self.beside(town, device, town.new_number(rng, 1.0)) for _ in range(self.drivers - 1))
        town.members[self.name] = [device, *others]

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        how = self.answering()
        for driver in town.members[self.name]:
            for at_ns in town.arrivals(rng, self.calls_per_driver_hour, self.curve):
                callee = town.some_number(rng, mobile_share=0.95)
                made = call(rng, town, at_ns, driver, callee, how, self.name, variant="delivery")
                yield made
                caller = town.line_of(callee)
                if caller and made.outcome is Outcome.CANCELLED and rng.random() < self.callback_ratio:
                    later_ns = at_ns + int(log_normal(rng, 120, 0.8, made.ring_s + 10, 1800) * NS_PER_S)
                    yield call(rng, town, later_ns, caller, driver.number, how, self.name, variant="call_back")


class Reminders(PopulationBase, tag="reminders"):
    """A hospital's or a school's announcer: one number, a steady beat, each callee once, a recorded message of always
    the same length. By its calls alone it is a robocaller; its callees expect it and hear it out."""

    calls_per_hour: Positive = 120.0
    message_s: Positive = 28.0
    repeat_unanswered_ratio: Ratio = 0.5
    curve: Curve = "business"
    answer_ratio: Ratio = 0.68

    @property
    def has_trunk(self) -> bool:
        return True

    def settle(self, town: Town, rng: Random) -> None:
        town.trunks[self.name] = self.device(town, rng, "dialler", town.trunk_endpoint(), town.new_number(rng, 0.0))

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        line, how = town.trunks[self.name], self.answering(talk_median_s=self.message_s, talk_sigma=0.12)
        for at_ns in town.arrivals(rng, self.calls_per_hour, self.curve):
            callee = town.some_number(rng, known_share=0.5)
            made = call(rng, town, at_ns, line, callee, how, self.name, variant="reminder")
            yield made
            if made.outcome is not Outcome.ANSWERED and rng.random() < self.repeat_unanswered_ratio:
                later_ns = at_ns + int(rng.uniform(900, 3600) * NS_PER_S)
                yield call(rng, town, later_ns, line, callee, how, self.name, variant="again")


class Alarms(PopulationBase, tag="alarms"):
    """Alarm panels and lifts that report to one centre: very short calls at a machine's beat, always one callee."""

    panels: Count = 60
    report_every_s: Positive = 1800.0
    answer_ratio: Ratio = 0.97
    ring_median_s: Positive = 1.5
    talk_median_s: Positive = 9.0
    talk_sigma: Positive = 0.25

    def settle(self, town: Town, rng: Random) -> None:
        town.members[self.name] = [
            self.device(town, rng, "gateway", town.subscriber_endpoint(rng)) for _ in range(self.panels)
        ]

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        centre, how = town.new_number(rng, 0.0), self.answering()
        period_ns = int(self.report_every_s * NS_PER_S)
        for panel in town.members[self.name]:
            at_ns = town.start_ns + int(rng.random() * period_ns)
            while at_ns < town.end_ns:
                yield call(rng, town, at_ns, panel, centre, how, self.name, variant="report")
                at_ns += int(period_ns * rng.uniform(0.99, 1.01))


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
