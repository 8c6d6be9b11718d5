"""What is heard in a call: live voices, recordings and tones, as bytes of a codec.

A voice is a walk through a pool of noise, XORed with a key of its own: its n-th payload can be made at any time and
for many n at once, and agrees with no other payload of that voice or of another. A person's key is drawn for the one
stream he speaks in; that of a recording follows from its name and the codec, so that all who play it send the same
payloads in the same order, as an encoder makes them of one file. The frames of a steady tone repeat within a packet or
two, whoever sends it. Only the raw `PCG64` bits are drawn from NumPy, so that the same seed gives the same bytes with
every NumPy.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from hashlib import blake2b

import msgspec
import numpy as np

from simulator.keys import NoneOrMore, Ratio

PACKET_NS = 20_000_000  # ptime 20 ms
PACKETS_PER_S = 10**9 // PACKET_NS
TALK_S, SILENCE_S = 1.0, 1.6  # of a person on one side, means (ITU-T P.59)
READ_S, PAUSE_S = 3.0, 0.4  # of a voice that reads out, which nobody interrupts
RECORDED_PACKETS = 30 * PACKETS_PER_S  # of a recording, which then begins anew

POOL_BYTES = 1 << 20
STEP_BYTES = 161  # from packet to packet; odd: a voice comes back to a place after POOL_BYTES packets, six hours


class Sounds(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """What a population plays instead of speaking; the keys of its `sounds` table."""

    caller: NoneOrMore = 0  # recordings of the calling side, one of them in each call; 0: people speak
    callee: NoneOrMore = 0  # of the answering side, always the same one at one number; 0: people speak
    share: Ratio = 1.0  # of these calls in which it is heard as it is; else altered on its way, or begun with a name


@dataclass(frozen=True, slots=True)
class Sound:
    """A recording or a tone: what has the same name has the same frames, in each codec others."""

    name: str
    period: int = RECORDED_PACKETS  # packets after which it begins anew; of a steady tone a few
    cadence_s: tuple[float, float] | None = None  # of a tone, on and off; none: it is read out, with pauses

    def spells(self, count: int) -> np.ndarray:
        """bool [count]: is there something to be heard in this packet."""
        if self.cadence_s:
            on, off = (round(seconds * PACKETS_PER_S) for seconds in self.cadence_s)
            return np.arange(count) % (on + off) < on
        return np.resize(spells(np.random.PCG64(_seed(self.name)), self.period, READ_S, PAUSE_S), count)

    def voice(self, codec: int, payload_bytes: int) -> Voice:
        return Voice(np.random.PCG64(_seed(f"{self.name}/{codec}")), payload_bytes, self.period)


# 425 Hz has 8.5 periods in a packet, 1100 Hz 22 and 2100 Hz 42 (ITU-T E.180, T.30): in so many packets they are back
# where they were.
RINGING_TONE = Sound("ringing tone", 2, (1.0, 4.0))
FAX_MAKES = 4  # of machines, each with a level of its own
FAX_CALLING = tuple(Sound(f"CNG {make}", 1, (0.5, 3.0)) for make in range(FAX_MAKES))
FAX_ANSWERING = tuple(Sound(f"CED {make}", 1, (3.3, 0.08)) for make in range(FAX_MAKES))


class Voice:
    """The payloads of one voice in one codec: the n-th is the same whenever it is asked for."""

    def __init__(self, bits: np.random.PCG64, payload_bytes: int, period: int = 0):
        self._period, self._payload_bytes = period, payload_bytes
        self._start = int(bits.random_raw()) % POOL_BYTES
        self._key = _noise(bits, payload_bytes)

    def frames(self, index: np.ndarray) -> np.ndarray:
        """uint8 [n, payload bytes]: the payloads of these packets."""
        turn = index % self._period if self._period else index
        return _pool(self._payload_bytes)[(self._start + turn * STEP_BYTES) % POOL_BYTES] ^ self._key


def uniform(bits: np.random.PCG64, count: int) -> np.ndarray:
    """`count` doubles in [0, 1) from the raw bits (53 of each 64)."""
    return (bits.random_raw(count) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def spells(bits: np.random.PCG64, count: int, talk_s: float, silence_s: float) -> np.ndarray:
    """bool [count]: is there talk in this packet, in exponential spells of these means; there is in the first one."""
    number = 2 + 2 * int(count * PACKET_NS / 1e9 / (talk_s + silence_s) * 2)
    lengths = -np.log1p(-uniform(bits, number)) * np.tile((talk_s, silence_s), number // 2)
    packets = 1 + (lengths * 1e9 / PACKET_NS).astype(np.int64)
    talking = np.repeat(np.arange(number) % 2 == 0, packets)[:count]
    return np.concatenate((talking, np.ones(count - len(talking), bool)))


def _seed(name: str) -> int:
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big")


def _noise(bits: np.random.PCG64, count: int) -> np.ndarray:
    """uint8 [count]."""
    return np.frombuffer(bits.random_raw(-(-count // 8)).astype("<u8").tobytes(), np.uint8)[:count]


@cache
def _pool(payload_bytes: int) -> np.ndarray:
    """uint8 [POOL_BYTES, payload_bytes]: the payload that begins at each byte of the pool; a view of it."""
    pool = _noise(np.random.PCG64(payload_bytes), POOL_BYTES + payload_bytes)
    return np.lib.stride_tricks.sliding_window_view(pool, payload_bytes)
