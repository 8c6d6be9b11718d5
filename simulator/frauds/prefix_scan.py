"""Calls on trial through somebody else's exchange."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Literal

from simulator.frauds.campaign import Campaign
from simulator.intent import Intent, Line
from simulator.keys import Count, Positive
from simulator.numbers import HIGH_COST, Zone, draw_abroad, draw_from
from simulator.rhythm import Cadence
from simulator.town import Town, call

# What exchanges want to hear before a foreign number: as it is, with the usual prefixes, and with a digit for a line.
_PREFIXES = ("", "+", "00", "011", "900", "9011", "9", "0", "000", "1", "8", "810", "90011", "99", "0011", "7")


class PrefixScan(Campaign, tag="prefix_scan"):
    """Toll fraud on trial: a script on a rented machine sends INVITEs for one or two numbers abroad, with one dialling
    prefix after another, from made-up extensions, until an exchange lets a call out. Nearly all are refused or not even
    replied to; no account is needed, and none is stolen."""

    calls_per_hour: Positive = 3600.0
    cadence: Cadence = "steady"
    numbers: Count = 1  # the ones that are tried
    any_order: bool = False  # any of them behind any prefix; else one after the other
    zones: tuple[Zone, ...] = ()  # expensive ones; none: of an ordinary country abroad
    shows: Literal["extension", "extensions", "same"] = "extensions"  # From: one, another each time, or as To

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        devices, how = self.entrances(town, rng, "scanner"), self.answering(talk_limit_s=60.0)
        wanted = [
            draw_from(HIGH_COST[rng.choice(self.zones)], rng) if self.zones else draw_abroad(town.home, (), 0.0, rng)
            for _ in range(self.numbers)
        ]
        prefixes, extension = rng.sample(_PREFIXES, len(_PREFIXES)), rng.choice((100, 101, 200, 1000, 1001, 5000))
        for count, at_ns in enumerate(self.moments(town, rng, self.calls_per_hour, self.cadence)):
            turn = rng.randrange(len(prefixes) * len(wanted)) if self.any_order else count
            number = wanted[turn // len(prefixes) % len(wanted)]
            dialled = prefixes[turn % len(prefixes)] + number
            line = self._caller(devices[count % len(devices)], extension + count // 3, dialled, extension)
            yield call(rng, town, at_ns, line, number, how, self.name, label="toll_fraud", variant=self.variant,
                       dialled=dialled)  # fmt: skip

    def _caller(self, device: Line, next_extension: int, dialled: str, extension: int) -> Line:
        user = {"extension": str(extension), "extensions": str(next_extension), "same": dialled}[self.shows]
        return replace(device, number=user.lstrip("+"), user=user)
