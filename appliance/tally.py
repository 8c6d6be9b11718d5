"""What the judging counts for metrics: how long verdicts took, where scores lie, and what was found."""

from collections import Counter

import numpy as np

from appliance.histogram import LATENCY_BOUNDS_S, SCORE_BOUNDS, Histogram
from models.fraud_types import FRAUD_TYPES, FraudType, names_of
from models.verdict import FLAG, VERDICTS, WATCH

# What a finding is about: one call, or a party (a source address, or one caller at it).
SUBJECTS = ("call", "party")
# What is scored, by the bundle that scores it.
ROWS = ("call", "source", "subscriber")


class Tally:
    """Counted by the thread that judges; others may read at any time. All of it is there from the start, at zero."""

    def __init__(self) -> None:
        self.latency_s = Histogram(LATENCY_BOUNDS_S)
        self.scores = {rows: Histogram(SCORE_BOUNDS) for rows in ROWS}
        self.verdicts = Counter({(subject, VERDICTS[verdict]): 0 for subject in SUBJECTS for verdict in (WATCH, FLAG)})
        self._masks: Counter[int] = Counter()  # by mask of fraud types: told apart when they are asked for

    def scored(self, rows: str, scores: np.ndarray) -> None:
        """A batch of `rows`, which are of ROWS, was given `scores` (calibrated, 0..1)."""
        self.scores[rows].add(scores)

    def rose(self, subject: str, verdict: int, types: int) -> None:
        """The verdict on a call or a party rose to `verdict`; `types` is the mask of the fraud types as of then."""
        self.verdicts[subject, VERDICTS[verdict]] += 1
        self._masks[types] += 1

    @property
    def fraud_types(self) -> dict[FraudType, int]:
        """How often each was named."""
        counts = dict.fromkeys(FRAUD_TYPES, 0)
        for types, count in self._masks.copy().items():
            for name in names_of(types):
                counts[name] += count
        return counts
