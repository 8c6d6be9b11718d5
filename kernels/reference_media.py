"""The plain twin of `kernels/stream_statistics.pxd`: RFC 3550 A.1, A.3 and A.8 as their text has them."""

import numpy as np

MAX_DROPOUT = 3000
MAX_MISORDER = 100
SEQUENCES = 1 << 16
TIMESTAMPS = 1 << 32


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
