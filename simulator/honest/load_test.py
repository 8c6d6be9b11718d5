"""A test of one's own exchange."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from random import Random
from typing import Literal

from simulator.intent import Intent
from simulator.keys import Count, Fate, Positive
from simulator.population import PopulationBase
from simulator.rhythm import machine_arrivals
from simulator.sounds import Sounds
from simulator.town import Town, call


class LoadTest(PopulationBase, tag="load_test"):
    """An engineer with a load generator against the own exchange: as even and as quick as any campaign, but between
    names and extensions of that exchange. Nobody's number is called, and none is shown."""

    calls: Count = 200
    calls_per_s: Positive = 5.0
    callees: Count = 1
    shows: Literal["name", "extension"] = "name"
    fate: Fate = "answered"
    after_s: float = 0.0
    talk_median_s: Positive = 5.0
    ring_median_s: Positive = 0.5
    sounds: Sounds = Sounds(caller=1)

    def settle(self, town: Town, rng: Random) -> None:
        vendors = self.vendors or ("sipp",)
        device = self.device(town, rng, "dialler", town.trunk_endpoint())
        device.style = town.style("dialler", rng, vendors)
        device.agent = rng.choice(device.style.agents)
        device.user = "sipp" if self.shows == "name" else str(rng.randrange(100, 10_000))
        device.number = device.user
        town.members[self.name] = [device]

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        (line,), how = town.members[self.name], self.answering(fate=self.fate, even=True)
        first = rng.randrange(100, 9000)
        callees = ["service"] if self.callees == 1 and self.shows == "name" else []
        callees = callees or [str(first + k) for k in range(self.callees)]
        begins_ns = town.start_ns + int(self.after_s * 1e9)
        beat = machine_arrivals(rng, begins_ns, town.end_ns, 3600 * self.calls_per_s, "steady")
        for count, at_ns in enumerate(islice(beat, self.calls)):
            callee = callees[count % len(callees)]
            yield call(rng, town, at_ns, line, callee, how, self.name, variant="test", dialled=callee)
