"""Homes: the ground on which everything else stands."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from simulator.honest.registrations import is_so
from simulator.intent import Call, Intent, Line, Outcome
from simulator.keys import Count, Positive, Ratio
from simulator.population import PopulationBase
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
    cached_nonce_ratio: Ratio = 0.0  # of these, those that bring some at once, for the challenge of the last time
    one_address: bool = False
    one_range_ratio: Ratio = 0.0  # lines whose number is of one block of 10 000, as in a small place
    curve: Curve = "residential"

    @property
    def has_trunk(self) -> bool:
        return self.one_address

    def settle(self, town: Town, rng: Random) -> None:
        shared = town.trunk_endpoint() if self.one_address else None
        block = town.new_number(rng, 0.0)[:-4] if self.one_range_ratio else ""
        for _ in range(self.lines):
            endpoint = shared or town.subscriber_endpoint(rng)
            local = bool(block) and rng.random() < self.one_range_ratio
            number = town.number_of(rng, block) if local else town.new_number(rng, self.mobile_share)
            line = self.device(town, rng, "phone", endpoint, number)
            line.challenged = rng.random() < self.challenged_ratio
            line.cached_nonce = line.challenged and is_so(rng, self.cached_nonce_ratio)
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
