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
    strongest = np.argsort(-falls, axis=1, kind="stable")[:, :MAX_REASONS]
    fall = np.take_along_axis(falls, strongest, axis=1)
    named = fall > np.maximum(LEAST_SHARE * fall[:, :1], 0)
    chosen = (strongest, named, np.take_along_axis(rows, strongest, 1), np.take_along_axis(effects, strongest, 1))
    return [
        [reason_of(scorer, *one) for *one, wanted in zip(columns, values, effects, wanted, strict=True) if wanted]
        for columns, wanted, values, effects in zip(*(part.tolist() for part in chosen), strict=True)
    ]


def reason_of(scorer: Scorer, column: int, value: float, effect: float) -> Reason:
    bundle = scorer.bundle
    feature = bundle.features[column]
    text = feature.reason.format(value=feature.text(value), typical=bundle.typical_texts[column])
    return Reason(feature.name, shortened(value), bundle.typical[column], round(effect, 6), text)
