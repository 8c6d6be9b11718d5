"""Runs scenarios: populations make intents, intents become packets, packets and labels become files.

Everything is played in order of time. Frames wait in a heap until no later intent can come before them, RTP is made by
the window; so memory grows with what happens at once, not with the length of the scenario.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import BinaryIO

from simulator.dialogue import Dialogue
from simulator.errors import ScenarioError
from simulator.hep import HepPlayer
from simulator.intent import Call, Intent
from simulator.labels import Labels
from simulator.live import LivePlayer, target
from simulator.media import Stream
from simulator.network import Frame, Mirror
from simulator.player import Player
from simulator.playlist import Playlist
from simulator.rhythm import NS_PER_S
from simulator.scenario import Scenario, load
from simulator.town import Town
from simulator.writer import CaptureWriter

WINDOW_NS = 5 * NS_PER_S


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run made."""

    packets: int
    calls: int
    fraud_calls: int
    sources: int


class Play:
    """One scenario with its town, its dialogue and the intents still to be played."""

    def __init__(self, scenario: Scenario, seed: int, index: int = 0):
        self.scenario = scenario
        offset = scenario.start.utcoffset() or timedelta()
        start_ns = int(scenario.start.timestamp()) * NS_PER_S
        self.town = Town(
            scenario.country,
            start_ns,
            scenario.duration_s,
            offset.total_seconds() / 3600,
            scenario.regime,
            index,
            scenario.scripted_ratio,
        )
        mirror = Mirror(scenario.network, scenario.capture, self._rng(seed, "mirror"))
        self.dialogue = Dialogue(self.town, scenario.network, scenario.media, mirror, self._rng(seed, "dialogue"))
        for population in scenario.population:
            population.settle(self.town, self._rng(seed, f"settle {population.name}"))
        self.intents = self._intents(seed)

    def _rng(self, seed: int, purpose: str) -> Random:
        """One stream of chance per purpose: a population keeps its own when another one is added or changed."""
        return Random(f"{self.scenario.name}/{seed}/{purpose}")

    def _intents(self, seed: int) -> list[Intent]:
        found = [
            intent
            for population in self.scenario.population
            for intent in population.intents(self.town, self._rng(seed, f"intents {population.name}"))
            if intent.start_ns < self.town.end_ns
        ]  # a call-back may be meant for later
        if self.scenario.media.share:
            self._choose_sounds(found, seed)
        found.sort(key=lambda intent: intent.start_ns)
        if self.scenario.calls:
            found = _first_calls(found, self.scenario.calls)
        return found

    def _choose_sounds(self, found: list[Intent], seed: int) -> None:
        """What is heard in the calls; by chance of its own, so that it changes nothing else."""
        scenario = self.scenario
        playlists = {
            population.name: Playlist(
                population,
                f"{scenario.name}/{seed}/{population.name}",
                scenario.country,
                scenario.media,
                self._rng(seed, f"sounds {population.name}"),
            )
            for population in scenario.population
        }
        for intent in found:
            if isinstance(intent, Call):
                playlists[intent.population].choose(intent)


def _first_calls(intents: list[Intent], limit: int) -> list[Intent]:
    seen = 0
    for index, intent in enumerate(intents):
        seen += isinstance(intent, Call)
        if seen == limit:
            return intents[: index + 1]
    return intents


class _Recorder:
    """Holds what is not yet due and writes what is."""

    def __init__(self, writer: CaptureWriter | Player):
        self._writer = writer
        self._waiting: list[tuple[int, int, bytes]] = []
        self._streams: list[Stream] = []
        self._serial = 0

    def add(self, frames: list[Frame], streams: Iterable[Stream]) -> None:
        for at_ns, seen in frames:
            self._serial += 1  # equal times keep their order
            heapq.heappush(self._waiting, (at_ns, self._serial, seen))
        self._streams.extend(streams)

    def write_until(self, until_ns: int) -> None:
        frames: list[Frame] = []
        while self._waiting and self._waiting[0][0] < until_ns:
            at_ns, _, seen = heapq.heappop(self._waiting)
            frames.append((at_ns, seen))
        blocks = [stream.take(until_ns) for stream in self._streams]
        self._streams = [stream for stream in self._streams if not stream.done]
        self._writer.write(frames, [block for block in blocks if len(block[0])])

    def finish(self, from_ns: int) -> None:
        while self._waiting or self._streams:
            from_ns += WINDOW_NS
            self.write_until(from_ns)


def run(
    scenarios: str | Path | Scenario | Sequence[str | Path | Scenario],
    *,
    out: str | Path | None = None,
    labels: str | Path | None = None,
    seed: int | None = None,
    live: str = "",
    hep: str = "",
    speed: float = 1.0,
) -> Summary:
    """Play one or more scenarios into one capture, or live to HOST:PORT on the loopback interface.

    `scenarios`: paths, names of shipped scenarios, or `Scenario` objects; several share the mirror and the clock, and
    what the first one says of the capture file. One of `out`, `live` and `hep` (live, as HEP messages) is given. `seed`
    replaces each scenario's own, `speed` is how much quicker than its own time a live scenario runs. The same
    scenarios, seed and version give the same bytes. Raises ScenarioError and OSError.
    """
    if [out is not None, bool(live), bool(hep)].count(True) != 1:
        raise ScenarioError("a capture to write or an address to play to is needed, and one of them only")
    several = [scenarios] if isinstance(scenarios, (str, Path, Scenario)) else scenarios
    loaded = [item if isinstance(item, Scenario) else load(item) for item in several]
    plays = [Play(scenario, scenario.seed if seed is None else seed, index) for index, scenario in enumerate(loaded)]
    agenda = sorted(
        ((intent.start_ns, index, intent) for index, play in enumerate(plays) for intent in play.intents),
        key=lambda item: item[:2],
    )
    truth = Labels()
    with _sink(out, live, hep, speed, plays) as writer, _opened(labels) as label_file:
        if isinstance(writer, Player) and agenda:
            agenda = [item for item in agenda if item[0] - agenda[0][0] < writer.limit_ns]
        recorder = _Recorder(writer)
        window_ns = agenda[0][0] if agenda else 0
        for at_ns, index, intent in agenda:
            while at_ns >= window_ns + WINDOW_NS:
                window_ns += WINDOW_NS
                recorder.write_until(window_ns)
            play = plays[index]
            played = play.dialogue.play(intent)
            scenario = play.scenario
            recorder.add(
                played.frames,
                (
                    Stream(flow, scenario.network, scenario.capture)
                    for flow in played.flows
                    if scenario.capture.direction in ("both", "to_server" if flow.inbound else "from_server")
                ),
            )
            if isinstance(intent, Call):
                label_file.write(truth.of_call(intent, played.call_id, scenario.name))
            else:
                truth.note_request(intent, scenario.name)
        recorder.finish(window_ns)
        label_file.writelines(truth.of_sources())
    return Summary(writer.packets, truth.calls, truth.frauds, truth.sources)


def _sink(out: str | Path | None, live: str, hep: str, speed: float, plays: list[Play]) -> CaptureWriter | Player:
    """Where the packets go."""
    if hep:
        return HepPlayer(target(hep), speed)
    if out is None:
        return LivePlayer(target(live), [play.town.server for play in plays], speed)
    capture = plays[0].scenario.capture
    return CaptureWriter(Path(out), capture.resolution, capture.snaplen_bytes)


def _opened(labels: str | Path | None) -> BinaryIO:
    return Path(labels or os.devnull).open("wb")
