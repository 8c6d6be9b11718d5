"""Firms and their outbound agents."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from simulator.intent import Call, Intent, Outcome
from simulator.keys import Count, Positive, Ratio
from simulator.population import Choice, PopulationBase
from simulator.rhythm import NS_PER_S, Curve, log_normal
from simulator.town import Town, call


class Firm(PopulationBase):
    """What the populations share whose people call others, and are called back: then their machine may answer."""

    @property
    def has_trunk(self) -> bool:
        return True

    def played(self, made: Call) -> tuple[Choice, Choice]:
        caller, callee = super().played(made)
        return caller, callee if made.variant == "call_back" else 0


class Office(Firm, tag="office"):
    """Firms, each an exchange behind a trunk: many callers at one address, in office hours, to their customers."""

    offices: Count = 5
    extensions: Count = 20
    calls_per_extension_hour: Positive = 1.2
    customers: Count = 150  # whom one office knows
    stranger_ratio: Ratio = 0.25
    one_number_ratio: Ratio = 0.4  # offices that show their main number only
    curve: Curve = "business"

    def settle(self, town: Town, rng: Random) -> None:
        for _ in range(self.offices):
            device = self.device(town, rng, "pbx", town.trunk_endpoint(), self.own_number(town, rng, 0.1))
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


class CallCentre(Firm, tag="call_centre"):
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

    def settle(self, town: Town, rng: Random) -> None:
        town.trunks[self.name] = self.device(town, rng, "pbx", town.trunk_endpoint(), self.own_number(town, rng, 0.0))

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        device, how = town.trunks[self.name], self.answering()
        lines = [device, *(self.beside(town, device, self.own_number(town, rng, 0.0)) for _ in range(self.numbers - 1))]
        for line in lines:
            line.asserted = device.asserted  # whosever number it shows, the centre is one customer of its network
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
