"""Why a row was watched or flagged: the features whose return to the typical value would lower its score most."""

import msgspec
import numpy as np

from models.scorer import Scorer

MAX_REASONS = 5

# A feature that moves the score by less than this share of the strongest one says nothing more.
LEAST_SHARE = 0.05


class Reason(msgspec.Struct, frozen=True):
    """The score would be lower by `effect` if `feature` had the value that is `typical` of honest rows, not `value`.

    NaN stands for a value that is not known; JSON shows it as null.
    """

    feature: str
    value: float
    typical: float
    effect: float
    text: str


def explain(scorer: Scorer, rows: np.ndarray) -> list[list[Reason]]:
    """float32 [n, features] -> the reasons of each row, the strongest first, at most MAX_REASONS."""
    return [explain_row(scorer, row) for row in rows]


def explain_row(scorer: Scorer, row: np.ndarray) -> list[Reason]:
    """One row: itself and one copy for each feature, with that feature put back, are scored in one batch."""
    typical = np.array(scorer.bundle.card.typical, np.float32)
    variants = np.repeat(row[None], 1 + len(row), axis=0)
    columns = np.arange(len(row))
    variants[1 + columns, columns] = typical
    # Near 1 a probability hardly moves: order is by log-odds, which do.
    log_odds = scorer.log_odds(variants)
    fall = log_odds[0] - log_odds[1:]
    strongest = [int(i) for i in np.argsort(-fall, kind="stable")[:MAX_REASONS] if fall[i] > 0]
    probability = 1 / (1 + np.exp(-log_odds))
    return [
        reason_of(scorer, i, row[i], probability[0] - probability[1 + i])
        for i in strongest
        if fall[i] >= LEAST_SHARE * fall[strongest[0]]
    ]


def reason_of(scorer: Scorer, column: int, value: np.floating, effect: np.floating) -> Reason:
    feature = scorer.bundle.features[column]
    typical = scorer.bundle.card.typical[column]
    return Reason(
        feature.name,
        shortened(value),
        shortened(typical),
        round(float(effect), 6),
        feature.sentence(float(value), typical),
    )


def shortened(value: float | np.floating) -> float:
    """Four significant digits: sketches and decayed counts are no more exact than that."""
    return float(f"{value:.4g}")
