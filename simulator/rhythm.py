"""When things happen: daily curves, Poisson arrivals, and the draws of waiting and talking times.

Only `random.Random` is used here: CPython keeps its `random()` stream fixed for a seed, and it is quicker than NumPy
for one value at a time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from random import Random
from typing import Literal

NS_PER_S = 1_000_000_000

Curve = Literal["residential", "business", "evening", "night", "flat"]
Cadence = Literal["poisson", "steady", "bursty"]

# Calls in each local hour, relative to the mean hour of that curve (the shapes operators publish: two office peaks, one
# evening peak at home). Each row is scaled to a mean of 1 below.
_HOURLY = {
    "residential": (2, 1, 1, 1, 1, 2, 6, 14, 22, 28, 30, 31, 30, 26, 26, 28, 32, 38, 44, 46, 40, 28, 14, 5),
    "business": (1, 1, 1, 1, 1, 1, 3, 12, 40, 62, 66, 58, 36, 44, 60, 62, 54, 34, 14, 6, 3, 2, 1, 1),
    "evening": (2, 1, 1, 1, 1, 1, 2, 4, 6, 8, 10, 14, 18, 14, 12, 14, 24, 40, 60, 66, 56, 36, 14, 5),
    "night": (50, 60, 64, 62, 50, 30, 8, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 4, 8, 14, 26, 40),
    "flat": (1,) * 24,
}
CURVES = {name: tuple(24 * share / sum(row) for share in row) for name, row in _HOURLY.items()}


def weight(curve: Curve, at_ns: int, utc_offset_h: float) -> float:
    """The rate of `curve` at this moment, relative to its daily mean (1.0)."""
    return CURVES[curve][int(at_ns / NS_PER_S / 3600 + utc_offset_h) % 24]


def arrivals(
    rng: Random, start_ns: int, end_ns: int, per_hour: float, curve: Curve, utc_offset_h: float
) -> Iterator[int]:
    """The moments of a Poisson process with the daily mean `per_hour`, by thinning (Lewis and Shedler 1979)."""
    peak = max(CURVES[curve])
    if per_hour <= 0:
        return
    mean_gap_ns = 3600 * NS_PER_S / (per_hour * peak)
    at_ns = start_ns
    while True:
        at_ns += int(rng.expovariate(1.0) * mean_gap_ns) + 1
        if at_ns >= end_ns:
            return
        if rng.random() * peak < weight(curve, at_ns, utc_offset_h):
            yield at_ns


def machine_arrivals(rng: Random, start_ns: int, end_ns: int, per_hour: float, cadence: Cadence) -> Iterator[int]:
    """The moments at which a machine acts: at a steady beat (5 % wander), at random, or in bursts of 5 to 20."""
    gap_ns = 3600 * NS_PER_S / per_hour
    at_ns, burst_left = start_ns + rng.random() * gap_ns, 0
    while at_ns < end_ns:
        yield int(at_ns)
        if cadence == "steady":
            at_ns += gap_ns * rng.uniform(0.95, 1.05)
        elif cadence == "poisson":
            at_ns += gap_ns * rng.expovariate(1.0)
        elif burst_left:
            burst_left -= 1
            at_ns += gap_ns * rng.uniform(0.05, 0.15)
        else:  # one long pause pays for the burst before it, so that the mean rate stays
            burst_left = rng.randrange(5, 21)
            at_ns += gap_ns * rng.uniform(0.5, 1.5) * (0.9 * burst_left + 1)


def log_normal(rng: Random, median: float, sigma: float, low: float, high: float) -> float:
    """A log-normal draw, held inside [low, high]: call durations are log-normal, and someone hangs up in the end."""
    return min(high, max(low, median * math.exp(rng.gauss(0.0, sigma))))
