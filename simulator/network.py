"""The way from the wire into the capture: direction, drops, duplicates, reordering."""

from __future__ import annotations

from random import Random

from simulator.intent import Endpoint
from simulator.packets import frame
from simulator.scenario import Capture, Network

Frame = tuple[int, bytes]  # capture time in ns, the Ethernet frame

_DUPLICATE_AFTER_NS = (2_000, 80_000)  # a mirror port that sees both sides of a switch
_HELD_BACK_NS = (2_000_000, 30_000_000)


class Mirror:
    """What a mirror port sees of the datagrams at the server's edge."""

    def __init__(self, network: Network, capture: Capture, rng: Random):
        self._network, self._capture, self._rng = network, capture, rng
        self._identification = 0
        self._plain = not (
            network.duplicate_ratio or network.reorder_ratio or capture.drop_ratio or capture.direction != "both"
        )

    def see(
        self, frames: list[Frame], at_ns: int, source: Endpoint, destination: Endpoint, payload: bytes, inbound: bool
    ) -> None:
        """Append the datagram's frame to `frames`: once, twice, later, or not at all."""
        self._identification += 1
        seen = frame(source, destination, payload, self._identification, inbound)
        if self._plain:
            frames.append((at_ns, seen))
            return
        random = self._rng.random
        if self._capture.direction not in ("both", "to_server" if inbound else "from_server"):
            return
        if random() < self._network.reorder_ratio:
            at_ns += int(self._rng.uniform(*_HELD_BACK_NS))
        if random() >= self._capture.drop_ratio:
            frames.append((at_ns, seen))
        if random() < self._network.duplicate_ratio and random() >= self._capture.drop_ratio:
            frames.append((at_ns + int(self._rng.uniform(*_DUPLICATE_AFTER_NS)), seen))
