"""Who plays what in the calls of a scenario: recordings of a population, greetings of mailboxes, or nothing."""

from __future__ import annotations

from random import Random
from zlib import crc32

from simulator.intent import Call, Outcome
from simulator.population import Choice, PopulationBase
from simulator.scenario import Media
from simulator.sounds import Sound

MAILBOX_AFTER_S = 10.0  # of ringing: then a call may be taken by a mailbox
OPERATORS = 4  # of one country, each with its greeting
OWN_GREETING_RATIO = 0.4  # numbers whose owner has spoken one himself


class Playlist:
    """What is heard in the answered calls of one population, by its `sounds` and the scenario's `[media]`."""

    def __init__(self, population: PopulationBase, prefix: str, country: str, media: Media, rng: Random):
        self._population, self._prefix, self._country = population, prefix, country
        self._media, self._rng = media, rng

    def choose(self, made: Call) -> None:
        """Give both sides of the call their sound."""
        if made.outcome is not Outcome.ANSWERED:
            return
        caller, callee = self._population.played(made)
        made.caller_sound = self._sound(caller, "caller", self._rng.getrandbits(32))
        made.callee_sound = self._sound(callee, "callee", crc32(made.callee.encode()))
        if not callee and (made.mailbox or self._is_left(made)):
            made.callee_sound = self._greeting(made.callee)
        made.caller_sound = made.caller_sound or self._voice()
        made.callee_sound = made.callee_sound or self._voice()

    def _sound(self, choice: Choice, side: str, turn: int) -> Sound | None:
        if not choice or self._rng.random() >= self._population.sounds.share:
            return None
        return choice if isinstance(choice, Sound) else Sound(f"{self._prefix}/{side}/{turn % choice}")

    def _voice(self) -> Sound | None:
        """Of a person, where people have no voices of their own."""
        return Sound(f"voice {self._rng.randrange(self._media.voices)}") if self._media.voices else None

    def _is_left(self, made: Call) -> bool:
        return made.ring_s >= MAILBOX_AFTER_S and self._rng.random() < self._media.mailbox_ratio

    def _greeting(self, number: str) -> Sound:
        """The one of a number: its owner's, or that of the operator whose it is."""
        place = crc32(number.encode(), 1) / 2**32
        if place < OWN_GREETING_RATIO:
            return Sound(f"greeting of {number}")
        return Sound(f"greeting of an operator/{self._country}/{int(place * 1e6) % OPERATORS}")
