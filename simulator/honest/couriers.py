"""People on the road who call strangers all day."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from simulator.intent import Intent, Outcome
from simulator.keys import Count, Positive, Ratio
from simulator.population import PopulationBase
from simulator.rhythm import NS_PER_S, Curve, log_normal
from simulator.town import Town, call


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
