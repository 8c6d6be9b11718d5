"""Whether the rows and scores of a bundle are still like those that it was calibrated on.

The reference is in the bundle: how honest rows of its calibration set lie, by feature and by score. What comes in is
counted beside it and compared by the population stability index (kernels/drift.pyx), by party: a carrier's callers may
be as taught, and its routes quite others. Of a large block only some rows are counted, evenly spread, so that counting
costs about a twentieth of scoring. Once there are FADING_ROWS rows all counts are halved: older rows fade.
"""

from typing import Literal

import msgspec
import numpy as np

from kernels.drift import Drift
from models.bundle import REFERENCE_ROWS, SCORE_KNOTS, Bundle, Reference
from models.scorer import Scorer, Scores

State = Literal["unknown", "settling", "stable", "shifted", "drifted"]

MOST_ROWS = 64  # of a block
ENOUGH_ROWS = 1000  # below, chance moves the index
FADING_ROWS = 20_000
SHIFTED, DRIFTED = 0.1, 0.25  # as in Siddiqi 2006: no change below the one, a need to look above the other
MOST_OF_ONE = 1.0  # a feature that has no value in common with the reference does not speak for all
SCORE = "score"


class DriftReport(msgspec.Struct, frozen=True, kw_only=True):
    """How far the rows of one kind have moved."""

    rows: str  # their kind
    bundle: str  # name@version
    state: State  # unknown: the bundle holds no reference; settling: too few rows yet
    counted: int
    ratio: dict[str, float]  # population stability index of the score, and the mean over the features of each party
    feature: str | None  # the one that moved most
    feature_ratio: float


class RowDrift:
    """Counts the rows that one bundle scores. One thread only."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        knots, reference = bundle.numbers.knots, bundle.numbers.reference
        self._counted = 0.0
        self._features = self._score = None
        if reference is None:
            return
        self._features = Drift(np.array(knots, np.float32))
        self._score = Drift(np.array([SCORE_KNOTS], np.float32))
        self._expected = np.array(reference.features, np.float64)
        self._expected_score = np.array([reference.score], np.float64)
        # What the network does not read has one code, and says nothing here either.
        read = np.array([row[0] < row[-1] for row in knots])
        parties = np.array([one.source for one in bundle.features])
        self._parties = {name: np.flatnonzero((parties == name) & read) for name in dict.fromkeys(parties.tolist())}

    def add(self, rows: np.ndarray, scores: Scores) -> None:
        """float32 [n, features] and what they were scored."""
        if self._features is None or self._score is None:
            return
        step = -(-len(rows) // MOST_ROWS)
        self._features.add(rows[::step])
        self._score.add(scores.score[::step, None])
        self._counted += len(rows[::step])
        if self._counted >= FADING_ROWS:
            self._counted /= 2
            self._features.forget(0.5)
            self._score.forget(0.5)

    def report(self) -> DriftReport:
        card = self.bundle.card
        if self._features is None or self._score is None:
            return DriftReport(
                rows=card.rows, bundle=self.bundle.label, state="unknown", counted=0, ratio={}, feature=None,
                feature_ratio=0.0,
            )  # fmt: skip
        found = self._features.stability(self._expected)
        ratio = {SCORE: float(self._score.stability(self._expected_score)[0])}
        ratio |= {
            name: float(np.minimum(found[places], MOST_OF_ONE).mean())
            for name, places in self._parties.items()
            if len(places)
        }
        read = np.concatenate(list(self._parties.values()))
        worst = int(read[np.argmax(found[read])])
        return DriftReport(
            rows=card.rows,
            bundle=self.bundle.label,
            state=self._state(max(ratio.values())),
            counted=int(self._counted),
            ratio={name: round(value, 4) for name, value in ratio.items()},
            feature=card.features[worst],
            feature_ratio=round(float(found[worst]), 4),
        )

    def _state(self, worst: float) -> State:
        if self._counted < ENOUGH_ROWS:
            return "settling"
        return "drifted" if worst >= DRIFTED else "shifted" if worst >= SHIFTED else "stable"


def reference_of(scorer: Scorer, honest: np.ndarray) -> Reference:
    """float32 [n, features] -> how they and their scores lie, for telling drift by."""
    features = Drift(np.array(scorer.bundle.numbers.knots, np.float32))
    score = Drift(np.array([SCORE_KNOTS], np.float32))
    honest = np.ascontiguousarray(honest)
    features.add(honest)
    score.add(scorer.score(honest).score[:, None])
    scaled = [np.round(one.counts * (REFERENCE_ROWS / max(len(honest), 1))).astype(int) for one in (features, score)]
    return Reference(scaled[0].tolist(), scaled[1][0].tolist())
