"""Why a row was watched or flagged: the features whose return to the typical value would lower its score most."""

import numpy as np

from kernels.wording import rounded, shortened, text
from models.leave_one_out import strongest
from models.reason import Reason
from models.scorer import Scorer

MAX_REASONS = 4

# A feature that moves the score by less than this share of the strongest one says nothing more.
LEAST_SHARE = 0.2


# Their variants, some 50 of each, fill some ten of the model's batches and lie in the second-level cache.
ROWS_AT_ONCE = 64


def explain(scorer: Scorer, rows: np.ndarray) -> list[list[Reason]]:
    """float32 [n, features], C order -> the reasons of each row, the strongest first, at most MAX_REASONS."""
    reasons: list[list[Reason]] = []
    for start in range(0, len(rows), ROWS_AT_ONCE):
        reasons += _explain(scorer, rows[start : start + ROWS_AT_ONCE])
    return reasons


def _explain(scorer: Scorer, rows: np.ndarray) -> list[list[Reason]]:
    """Each row is judged as it is, and once more for each feature that is not typical with that feature put back."""
    alone, without, column, first = scorer.leave_one_out(scorer.encode(rows))
    # Near 0 and 1 a probability hardly moves: features are ranked by log-odds, which do.
    chosen = strongest(alone, without, first, MAX_REASONS, LEAST_SHARE)
    row, place = (chosen >= 0).nonzero()
    chosen = chosen[row, place]
    effect = 1 / (1 + np.exp(-alone[row])) - 1 / (1 + np.exp(-without[chosen]))
    column = column[chosen]
    told = scorer.bundle.told
    reasons: list[list[Reason]] = [[] for _ in rows]
    for one, at, value, fall in zip(
        row.tolist(), column.tolist(), rows[row, column].tolist(), effect.tolist(), strict=True
    ):
        feature, typical, sentence = told[at]
        said = sentence.replace("{value}", text(feature.unit, feature.words, value))
        reasons[one].append(Reason(feature.name, shortened(value), typical, rounded(fall), said))
    return reasons
