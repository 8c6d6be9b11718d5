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

    One batch scores each row as it is, and once more for each feature that is not typical with that feature put back.
    """
    codes = scorer.encode(rows)
    # A feature that reads as typical already moves nothing: of most rows that is more than half of them.
    row, column = np.nonzero(codes != scorer.typical_codes)
    variants = codes[row]
    variants[np.arange(len(row)), column] = scorer.typical_codes[column]
    alone = scorer.log_odds(np.concatenate([codes, variants]))
    log_odds = np.repeat(alone[: len(codes), None], 1 + codes.shape[1], axis=1)
    log_odds[row, 1 + column] = alone[len(codes) :]
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
