"""RTP (RFC 3550) in bulk: a flow is one direction of one call, its packets are made by NumPy, a window at a time.

A payload is noise while there is something to be heard, a live voice or a recording (sounds.py), and the idle code
while there is not. Only the raw `PCG64` bits are drawn from NumPy, so that the same seed gives the same bytes with
every NumPy.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from simulator.intent import Endpoint
from simulator.packets import HEADER_BYTES, frame
from simulator.scenario import Capture, Network
from simulator.sounds import PACKET_NS, SILENCE_S, TALK_S, Sound, Voice, spells, uniform

RTP_BYTES = 12
TICKS = 160  # of the 8 kHz clock in one packet
PAYLOAD_BYTES = {0: 160, 8: 160, 18: 20}
IDLE = {0: 0xFF, 8: 0xD5, 18: 0x00}
MOST_LEAD = 8  # packets, at most, between the answer and the first sound of a player


@dataclass(slots=True)
class Flow:
    """One RTP stream to be sent: `seconds` long from `start_ns`, with payload type `codec`."""

    source: Endpoint
    destination: Endpoint
    start_ns: int
    seconds: float
    codec: int
    inbound: bool
    silence_suppressed: bool
    seed: int
    sound: Sound | None = None  # what is played; none: somebody speaks

    @property
    def packets(self) -> int:
        return int(self.seconds * 1e9 / PACKET_NS)


class Stream:
    """The packets of a flow, in order of capture; `take` gives them window by window."""

    def __init__(self, flow: Flow, network: Network, capture: Capture):
        bits = np.random.PCG64(flow.seed)
        self.flow, self._size = flow, HEADER_BYTES + RTP_BYTES + PAYLOAD_BYTES[flow.codec]
        count = flow.packets
        talking, self._lead = spells(bits, count, TALK_S, SILENCE_S), 0
        if flow.sound:
            self._lead = min(int(bits.random_raw()) % MOST_LEAD, count)
            talking = np.concatenate((np.zeros(self._lead, bool), flow.sound.spells(count - self._lead)))
        sent = talking if flow.silence_suppressed else np.ones(count, bool)
        kept = sent & (uniform(bits, count) >= network.loss_ratio) & (uniform(bits, count) >= capture.drop_ratio)
        skew = 1.0 + (uniform(bits, 1)[0] - 0.5) * 1e-4  # the sender's clock, within 50 ppm
        jitter_ns = -np.log1p(-uniform(bits, count)) * network.jitter_ms * 1e6
        times = flow.start_ns + (np.arange(count) * (PACKET_NS * skew) + jitter_ns).astype(np.int64)
        held = uniform(bits, count) < network.reorder_ratio
        times[held] += PACKET_NS + PACKET_NS // 4
        twice = uniform(bits, count) < network.duplicate_ratio
        index = np.flatnonzero(kept)
        again = np.flatnonzero(kept & twice)
        times = np.concatenate((times[index], times[again] + 30_000))
        index = np.concatenate((index, again))
        order = np.argsort(times, kind="stable")
        self._times, self._index, self._talking, self._next = times[order], index[order], talking, 0
        self._counted = (
            np.cumsum(sent) - 1
        )  # the sequence number counts what was sent, the timestamp goes on in silence
        self._marker = (
            talking & ~np.concatenate(([False], talking[:-1])) if flow.silence_suppressed else np.arange(count) == 0
        )
        sequence, tick, ssrc = bits.random_raw(3).tolist()
        self._first_sequence, self._first_tick = sequence & 0xFFFF, tick & 0xFFFFFFFF
        payload_bytes = PAYLOAD_BYTES[flow.codec]
        self._voice = flow.sound.voice(flow.codec, payload_bytes) if flow.sound else Voice(bits, payload_bytes)
        self._template = self._frame(ssrc & 0xFFFFFFFF)

    @property
    def done(self) -> bool:
        return self._next >= len(self._times)

    def _frame(self, ssrc: int) -> np.ndarray:
        payload = (
            struct.pack("!BBHII", 0x80, self.flow.codec, 0, 0, ssrc)
            + bytes((IDLE[self.flow.codec],)) * PAYLOAD_BYTES[self.flow.codec]
        )
        return np.frombuffer(frame(self.flow.source, self.flow.destination, payload, 0, self.flow.inbound), np.uint8)

    def take(self, until_ns: int) -> tuple[np.ndarray, np.ndarray]:
        """Times (int64 [n], ns, rising) and frames (uint8 [n, bytes]) of the packets until `until_ns` not yet taken."""
        stop = int(np.searchsorted(self._times, until_ns))
        times, index = self._times[self._next : stop], self._index[self._next : stop]
        self._next = max(self._next, stop)
        frames = np.empty((len(index), self._size), np.uint8)
        frames[:] = self._template
        rtp = HEADER_BYTES
        frames[:, rtp + 1] |= self._marker[index].astype(np.uint8) << 7
        frames[:, rtp + 2 : rtp + 4] = (
            ((self._counted[index] + self._first_sequence) & 0xFFFF).astype(">u2")[:, None].view(np.uint8)
        )
        frames[:, rtp + 4 : rtp + 8] = (
            ((index * TICKS + self._first_tick) & 0xFFFFFFFF).astype(">u4")[:, None].view(np.uint8)
        )
        loud = np.flatnonzero(self._talking[index])
        frames[loud, rtp + RTP_BYTES :] = self._voice.frames(index[loud] - self._lead)
        return times, frames
