"""A distribution as counts per bucket: of fixed size however much is counted, and sums can be taken over boxes."""

from collections.abc import Sequence

import numpy as np

# Seconds from a packet to the verdict on it: fine around the target of 5 ms, then up to where a caller would notice.
LATENCY_BOUNDS_S = (0.0005, 0.001, 0.002, 0.003, 0.004, 0.005, 0.0075, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0)
# Calibrated scores: most calls are near 0, and what matters is how many come near the thresholds.
SCORE_BOUNDS = (0.001, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)


class Histogram:
    """Counts of values up to and including each of the rising `bounds`, and above the last.

    One thread adds, any may read: what is read is at most the values of one `add` behind.
    """

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.sum = 0.0
        self._upper = np.asarray(bounds, np.float64)
        self._counts = np.zeros(len(bounds) + 1, np.int64)

    def add(self, values: np.ndarray) -> None:
        """`values`: any shape, any number type, without NaN."""
        buckets = np.searchsorted(self._upper, values, side="left")
        self._counts += np.bincount(buckets.ravel(), minlength=len(self._counts))
        self.sum += float(values.sum(dtype=np.float64))

    @property
    def count(self) -> int:
        return int(self._counts.sum())

    def cumulative(self) -> list[int]:
        """How many values were at most each bound, and at the end all of them."""
        return np.cumsum(self._counts).tolist()

    def quantile(self, share: float) -> float | None:
        """The bound that `share` of the values are not above; infinite above the last, None before the first value."""
        at_most = np.cumsum(self._counts)
        if not at_most[-1]:
            return None
        bucket = int(np.searchsorted(at_most, share * at_most[-1], side="left"))
        return self.bounds[bucket] if bucket < len(self.bounds) else float("inf")
