"""The plain twins of `kernels/stream_statistics.pxd`, RFC 3550 A.1, A.3 and A.8 as their text has them, and of
`kernels/recordings.pxd`."""

import numpy as np

from kernels.reference_behaviour import hash_mix

MAX_DROPOUT = 3000
MAX_MISORDER = 100
SEQUENCES = 1 << 16
TIMESTAMPS = 1 << 32
RECORDING, LISTENED, LEAST_VOICE, HASHED, NEIGHBOURS = 25, 250, 10, 64, 2


def sequence_statistics(sequences: np.ndarray) -> dict[str, int]:
    """Counts of one stream from its sequence numbers (uint16, in order of arrival; at least one).

    `expected` (A.3) grows over restarts; a number that jumps is expected once. `late` are packets at or behind the
    highest number: duplicates and reordered ones together, which A.1 does not tell apart.
    """
    highest = base = int(sequences[0])
    cycles = 0
    bad = None
    before = 0  # expected in the runs before the last restart, and jumps
    late = restarts = 0
    for number in (int(value) for value in sequences[1:]):
        ahead = (number - highest) % SEQUENCES
        if 0 < ahead < MAX_DROPOUT:
            if number < highest:
                cycles += SEQUENCES
            highest = number
        elif ahead == 0 or ahead > SEQUENCES - MAX_MISORDER:
            late += 1
        elif number == bad:
            before += cycles + highest - base + 1
            highest = base = number
            cycles = 0
            bad = None
            restarts += 1
        else:
            bad = (number + 1) % SEQUENCES
            before += 1
    return {
        "packets": len(sequences),
        "expected": before + cycles + highest - base + 1,
        "late": late,
        "restarts": restarts,
    }


def sound(payloads: list[bytes | None], secret: int) -> int:
    """The sound of a stream, 0 for none; see kernels/recordings.pxd. None is a packet without voice."""
    heard = [payload[:HASHED] for payload in payloads[:LISTENED] if is_voice(payload)]
    voiced = [keyed_hash(payload, secret) >> 1 << 1 for payload in heard]
    alone = [
        hashed
        for i, hashed in enumerate(voiced[:-NEIGHBOURS])
        if hashed not in voiced[max(0, i - NEIGHBOURS) : i] + voiced[i + 1 : i + 1 + NEIGHBOURS]
    ]
    least = sorted(set(alone[:RECORDING]))[:2]
    return (hash_mix(*least) or 1) if len(alone) >= RECORDING and len(least) == 2 else 0


def is_voice(payload: bytes | None) -> bool:
    return payload is not None and len(payload) >= LEAST_VOICE and len(set(payload[:HASHED])) > 1


def keyed_hash(data: bytes, secret: int) -> int:
    """The hash of all tables; see capture/hashing.pxd."""
    seed, at = secret ^ 0xA0761D6478BD642F, 0
    key = 0xE7037ED1A0B428DB

    def word(begin, size=8):
        return int.from_bytes(data[begin : begin + size], "little")

    while len(data) - at > 16:
        seed = fold(word(at) ^ key, word(at + 8) ^ seed)
        at += 16
    left, last = len(data) - at, 0
    if left >= 8:
        first, last = word(at), word(at + left - 8)
    elif left >= 4:
        first, last = word(at, 4), word(at + left - 4, 4)
    else:
        first = data[at] << 16 | data[at + left // 2] << 8 | data[-1] if left else 0
    return fold(key ^ len(data), fold(first ^ key, last ^ seed))


def fold(a: int, b: int) -> int:
    product = a * b
    return (product ^ (product >> 64)) & (2**64 - 1)


def interarrival_jitter(arrival_ns: np.ndarray, timestamps: np.ndarray, clock_hz: int) -> np.ndarray:
    """Jitter in ticks of the clock after each packet (A.8), from arrivals (int64 ns) and timestamps (uint32).

    The first value is 0. The stream must have no restart: there the kernel starts anew.
    """
    between = np.diff(np.asarray(arrival_ns, dtype=np.int64)) * (clock_hz / 1e9)
    advanced = np.diff(np.asarray(timestamps, dtype=np.int64))
    advanced = (advanced + TIMESTAMPS // 2) % TIMESTAMPS - TIMESTAMPS // 2
    jitter = np.zeros(len(timestamps))
    for n, difference in enumerate(np.abs(between - advanced), start=1):
        jitter[n] = jitter[n - 1] + (difference - jitter[n - 1]) / 16
    return jitter
