"""Fax machines."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from zlib import crc32

from simulator.intent import Call, Intent, Line, Outcome
from simulator.keys import Count, Positive, Ratio
from simulator.population import Choice, PopulationBase
from simulator.rhythm import NS_PER_S, Curve, log_normal
from simulator.sounds import FAX_ANSWERING, FAX_CALLING
from simulator.town import Answering, Town, call


class Fax(PopulationBase, tag="fax"):
    """Faxes through gateways: short calls of machine-like length, tried again and again when the other is busy, and
    now and then a circular to a whole list, one number after another."""

    machines: Count = 12
    documents_per_hour: Positive = 4.0  # of one machine
    partners: Count = 10
    circular_ratio: Ratio = 0.03  # documents that go to all partners of all machines
    busy_ratio: Ratio = 0.2
    retries: Count = 4
    curve: Curve = "business"
    talk_median_s: Positive = 48.0
    talk_sigma: Positive = 0.4

    def settle(self, town: Town, rng: Random) -> None:
        town.members[self.name] = [
            self.device(town, rng, "gateway", town.subscriber_endpoint(rng), town.new_number(rng, 0.0))
            for _ in range(self.machines)
        ]

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        how = self.answering(answer_ratio=1.0, ring_median_s=3.0)
        partners = [[town.home.draw(rng, 0.0) for _ in range(self.partners)] for _ in range(self.machines)]
        everybody = [number for numbers in partners for number in numbers]
        for line, known in zip(town.members[self.name], partners, strict=True):
            for moment_ns in town.arrivals(rng, self.documents_per_hour, self.curve):
                at_ns, circular = moment_ns, rng.random() < self.circular_ratio
                for number in everybody if circular else [rng.choice(known)]:
                    yield from self._document(town, rng, at_ns, line, number, how, "circular" if circular else "fax")
                    at_ns += int(log_normal(rng, self.talk_median_s + 15, 0.3, 20, 600) * NS_PER_S)

    def played(self, made: Call) -> tuple[Choice, Choice]:
        """The tones by which two machines find one another (ITU-T T.30), of the make of each."""
        make, other = (crc32(number.encode()) for number in (made.line.number, made.callee))
        return FAX_CALLING[make % len(FAX_CALLING)], FAX_ANSWERING[other % len(FAX_ANSWERING)]

    def _document(
        self, town: Town, rng: Random, at_ns: int, line: Line, number: str, how: Answering, variant: str
    ) -> Iterator[Intent]:
        for _ in range(self.retries):
            made = call(rng, town, at_ns, line, number, how, self.name, variant=variant)
            if rng.random() >= self.busy_ratio:
                yield made
                return
            made.outcome, made.status_code, made.ring_s, made.talk_s = Outcome.REJECTED, 486, 0.0, 0.0
            yield made
            at_ns += int(rng.uniform(110, 130) * NS_PER_S)
