"""Why a row was watched or flagged: the features whose return to the typical value would lower its score most."""

import numpy as np

from models.bundle import shortened
from models.reason import Reason
from models.scorer import Scorer

MAX_REASONS = 4

# A feature that moves the score by less than this share of the strongest one says nothing more.
LEAST_SHARE = 0.2


def explain(scorer: Scorer, rows: np.ndarray) -> list[list[Reason]]:
    """float32 [n, features], C order -> the reasons of each row, the strongest first, at most MAX_REASONS.

    One batch scores each row as it is, and once more for each feature with that feature put back.
    """
    codes = scorer.encode(rows)
    count, width = codes.shape
    variants = np.repeat(codes[:, None], 1 + width, axis=1)
    columns = np.arange(width)
    variants[:, 1 + columns, columns] = scorer.typical_codes
    log_odds = scorer.log_odds(variants.reshape(-1, width)).reshape(count, 1 + width)
    # Near 0 and 1 a probability hardly moves: features are ranked by log-odds, which do.
    falls = log_odds[:, :1] - log_odds[:, 1:]
    probability = 1 / (1 + np.exp(-log_odds))
    effects = probability[:, :1] - probability[:, 1:]
    return [reasons_of(scorer, *one) for one in zip(rows.tolist(), falls, effects.tolist(), strict=True)]


def reasons_of(scorer: Scorer, row: list[float], falls: np.ndarray, effects: list[float]) -> list[Reason]:
    """One row's reasons, from how far its log-odds and its score fall without each feature."""
    strongest = np.argsort(-falls, kind="stable")[:MAX_REASONS].tolist()
    least = max(LEAST_SHARE * falls[strongest[0]], 0)
    return [reason_of(scorer, i, row[i], effects[i]) for i in strongest if falls[i] > least]


def reason_of(scorer: Scorer, column: int, value: float, effect: float) -> Reason:
    bundle = scorer.bundle
    feature = bundle.features[column]
    text = feature.reason.format(value=feature.text(value), typical=bundle.typical_texts[column])
    return Reason(feature.name, shortened(value), bundle.typical[column], round(effect, 6), text)
