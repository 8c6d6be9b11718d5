"""What every population has: a name, a number of lines, its own styles, and the two steps settle and intents.

A population is a msgspec struct: its fields are the keys that a scenario file may give it. To add one, write a subclass
with a tag and a docstring, implement `intents`, and name it in `simulator.scenario.Population`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Any

import msgspec

from simulator.identity import ANONYMOUS, ANONYMOUS_HOST, STYLE_ONLY, IdentityPolicy
from simulator.intent import Call, Endpoint, Intent, Line
from simulator.keys import Form, Positive, Ratio
from simulator.numbers import draw_abroad, written
from simulator.sounds import Sound, Sounds
from simulator.town import Answering, Town
from simulator.vendors import Role

LIVE = Sounds()  # nobody plays anything
Choice = int | Sound  # what one side plays: one of so many recordings, none, or this


class PopulationBase(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, tag_field="kind"):
    """The keys all populations share."""

    name: str  # in labels, and to be named by `through`
    vendors: tuple[str, ...] = ()  # style names; none: all that the role has in the scenario's regime
    form: Form = "national"  # how the caller's own number is written
    answer_ratio: Ratio = 0.6
    ring_median_s: Positive = 7.0
    talk_median_s: Positive = 60.0
    talk_sigma: Positive = 1.1
    patience_median_s: Positive = 24.0  # a caller's, whom nobody answers: how long it rings until he gives up
    abroad: bool = False  # its own numbers are of another country; not of all kinds
    identity: IdentityPolicy = STYLE_ONLY  # what its trunk says of its callers
    sounds: Sounds = LIVE  # what its machines play

    @property
    def has_trunk(self) -> bool:
        """Does it settle a device in `town.trunks`, so that others can call `through` it?"""
        return False

    def settle(self, town: Town, rng: Random) -> None:
        """Make the lines; called for every population before any intents are."""

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        """What this population does during the scenario, in any order."""
        raise NotImplementedError

    def played(self, made: Call) -> tuple[Choice, Choice]:
        """What the calling and the answering side of this answered call play. Who calls back is a person."""
        return 0 if made.variant == "call_back" else self.sounds.caller, self.sounds.callee

    def answering(self, **changes: Any) -> Answering:
        """How its calls are answered, as the keys say."""
        values: dict[str, Any] = {
            "answer_ratio": self.answer_ratio,
            "ring_median_s": self.ring_median_s,
            "talk_median_s": self.talk_median_s,
            "talk_sigma": self.talk_sigma,
            "patience_median_s": self.patience_median_s,
        }
        return Answering(**(values | changes))

    def own_number(self, town: Town, rng: Random, mobile_share: float) -> str:
        """A number to call from."""
        return draw_abroad(town.home, (), 0.0, rng) if self.abroad else town.new_number(rng, mobile_share)

    def device(self, town: Town, rng: Random, role: Role, endpoint: Endpoint, number: str = "") -> Line:
        """A line with a style of the role, at this endpoint."""
        style = town.style(role, rng, self.vendors)
        number = number or town.new_number(rng)
        domain = town.server.address if rng.random() < 0.5 else endpoint.address
        line = Line(number, "", endpoint, style, rng.choice(style.agents), domain, identity=self.identity)
        return self._shown(town, line)

    def beside(self, town: Town, device: Line, number: str) -> Line:
        """Another number calling through the same device."""
        return self._shown(town, replace(device, number=number))

    def device_on(self, town: Town, trunk: str) -> Line:
        """Another population's device, with what is said of this one's callers, if anything is."""
        device = town.trunks[trunk]
        return device if self.identity is STYLE_ONLY else replace(device, identity=self.identity)

    def handing_on(self, town: Town, rng: Random, through: str, route: Line) -> Line:
        """A caller as the route that takes the call sees him: one of those whose trunk hands it on itself, or one of
        this town, for whom the server does."""
        if through:
            return replace(rng.choice(town.members.get(through) or [town.trunks[through]]), challenged=False)
        if town.subscribers:
            return town.handed_on(rng.choice(town.subscribers))
        return town.handed_on(self.beside(town, route, town.home.draw(rng)))

    def _shown(self, town: Town, line: Line) -> Line:
        """Write its number as this population does, or hide it."""
        line.user = written(line.number, self.form, town.home)
        line.asserted, block = "", Random(line.number[:-3])  # an exchange has one head office, or one number of its own
        if line.identity.is_led_from_abroad(line.number):
            line.asserted = draw_abroad(town.home, (), 0.0, block)
        elif line.identity.presents(line.number):
            line.asserted = town.home.draw(block)
        if line.identity.hides(line.number):
            line.user, line.domain = ANONYMOUS, ANONYMOUS_HOST
        return line
