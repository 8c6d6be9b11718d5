"""Flash calls."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from simulator.frauds.campaign import Campaign
from simulator.intent import Call, Intent, Line, Outcome
from simulator.keys import Count, Form, Positive, Ratio
from simulator.numbers import draw_abroad, successor
from simulator.rhythm import NS_PER_S, Cadence, log_normal
from simulator.town import Town


class FlashCall(Campaign, tag="flash_call"):
    """An app proves a telephone number by ringing it once: the last digits of the caller's number are the code, and
    nobody pays for a message. Very many numbers, each user once or twice, no talk at all."""

    calls_per_hour: Positive = 900.0
    cadence: Cadence = "poisson"
    numbers: Count = 300  # caller numbers in use, in blocks that follow each other
    blocks: Count = 3
    foreign: bool = False  # numbers of another country
    ring_s: Positive = 0.8  # median, until CANCEL
    rejected_ratio: Ratio = 0.25  # the app hangs up before the CANCEL
    retry_ratio: Ratio = 0.12  # a second code, from another number
    form: Form = "e164"

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        devices, lines = self.entrances(town, rng, "carrier"), list[Line]()
        for block in range(self.blocks):
            first = draw_abroad(town.home, (), 0.0, rng) if self.foreign else town.new_number(rng, 0.5)
            device = devices[block % len(devices)]
            each = max(1, self.numbers // self.blocks)
            lines += [self.beside(town, device, successor(first, k)) for k in range(each)]
        for at_ns in self.moments(town, rng, self.calls_per_hour, self.cadence):
            callee = town.some_number(rng, known_share=0.3, mobile_share=1.0)
            yield self._flash(town, rng, at_ns, rng.choice(lines), callee)
            if rng.random() < self.retry_ratio:
                later_ns = at_ns + int(rng.uniform(20, 90) * NS_PER_S)
                yield self._flash(town, rng, later_ns, rng.choice(lines), callee)

    def _flash(self, town: Town, rng: Random, at_ns: int, line: Line, callee: str) -> Call:
        made = Call(
            at_ns,
            line,
            callee,
            town.dial(callee, rng),
            Outcome.CANCELLED,
            self.name,
            ring_s=log_normal(rng, self.ring_s, 0.0 if self.even else 0.4, 0.2, 6.0),
            post_dial_delay_s=log_normal(rng, 1.0, 0.0 if self.even else 0.5, 0.1, 6.0),
            status_code=487,
            label="flash_call",
            variant=self.variant,
        )
        if self.fate == "mixed" and rng.random() < self.rejected_ratio:
            made.outcome, made.status_code = Outcome.REJECTED, rng.choice((486, 603))
        return made
