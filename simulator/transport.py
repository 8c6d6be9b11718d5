"""Getting a message across: delays, losses, and the retransmissions that follow (RFC 3261 17)."""

from __future__ import annotations

from random import Random

from simulator.intent import Endpoint
from simulator.network import Frame, Mirror
from simulator.rhythm import NS_PER_S
from simulator.scenario import Network

T1_NS, T2_NS = NS_PER_S // 2, 4 * NS_PER_S
INVITE_SENDINGS = 7  # until timer B, 64 * T1 after the first (RFC 3261 17.1.1.2)
_WORK_NS = (300_000, 4_000_000)  # what a SIP stack needs to answer


class Transport:
    """The path between one line and the server, seen by the mirror at the server's edge.

    A message lost between the ends is sent again after T1, doubling up to T2. Half of the lost ones are lost beyond the
    mirror: the capture has them twice.
    """

    def __init__(
        self, network: Network, mirror: Mirror, rng: Random, line: Endpoint, server: Endpoint, outbound: bool = False
    ):
        self.frames: list[Frame] = []
        self._network, self._mirror, self._rng = network, mirror, rng
        self._line, self._server = line, server
        self.outbound = outbound  # the line is the home server, and what it sends leaves the edge

    def round_trip(self, at_ns: int) -> int:
        """When the far end's reaction is seen."""
        return self.work(at_ns) + int(2e6 * self._network.delay_ms * self._rng.uniform(0.8, 1.6))

    def work(self, at_ns: int) -> int:
        """When the server's reaction is seen."""
        return at_ns + int(self._rng.uniform(*_WORK_NS))

    def to_server(self, at_ns: int, data: bytes, repeated: bytes = b"") -> int:
        """Deliver; returns when it arrived. `repeated` is what the server sends again until then (200, for its ACK)."""
        return self._deliver(at_ns, data, True, repeated)

    def to_line(self, at_ns: int, data: bytes) -> int:
        return self._deliver(at_ns, data, False, b"")

    def once(self, at_ns: int, data: bytes, inbound: bool) -> None:
        """Send what is never sent again: provisional responses, ACK of a refusal."""
        ends = (self._line, self._server) if inbound else (self._server, self._line)
        self._mirror.see(self.frames, at_ns, *ends, data, inbound != self.outbound)

    def in_vain(self, at_ns: int, data: bytes, again: bool = True) -> None:
        """An INVITE to which nobody ever replies, sent `again` as the RFC has it, or once."""
        wait_ns = T1_NS
        for _ in range(INVITE_SENDINGS if again else 1):
            self.once(at_ns, data, True)
            at_ns += wait_ns
            wait_ns *= 2

    def _deliver(self, at_ns: int, data: bytes, inbound: bool, repeated: bytes) -> int:
        loss, random, wait_ns = self._network.loss_ratio, self._rng.random, T1_NS
        while loss and random() < loss:
            if random() < 0.5:
                self.once(at_ns, data, inbound)
            at_ns += wait_ns
            wait_ns = min(2 * wait_ns, T2_NS)
            if repeated:
                self.once(at_ns, repeated, not inbound)
                at_ns = self.round_trip(at_ns)
        self.once(at_ns, data, inbound)
        return at_ns
