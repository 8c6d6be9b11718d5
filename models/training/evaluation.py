"""How good a bundle is on labelled rows it was not taught on. One case is one call or one source."""

import numpy as np

from models.fraud_types import BIT_OF
from models.measures import auc, expected_calibration_error
from models.scorer import Scorer, Scores
from models.training.rows import Rows, case_maxima
from models.verdict import FLAG, WATCH

FALSE_POSITIVE_RATE = 0.001  # at which recall is reported


def evaluate(scorer: Scorer, rows: Rows) -> dict:
    """Figures for bundle.toml and docs/MODELS.md. Shares are of cases, each with its highest score."""
    scores = scorer.score(rows.features)
    cases, score = case_maxima(scores.score, rows.case)
    _, verdict = case_maxima(scores.verdict, rows.case)
    _, truth = case_maxima(rows.types, rows.case)
    honest = truth == 0
    figures = {
        "cases": len(cases),
        "honest_cases": int(honest.sum()),
        "auc": auc(score, ~honest),
        "ece": expected_calibration_error(score, ~honest),
        "honest_flagged": share(verdict[honest] == FLAG),
        "honest_watched_or_flagged": share(verdict[honest] >= WATCH),
        "honest_actors_flagged": actors_flagged(rows, scores.verdict),
    }
    log_odds = scorer.class_log_odds(scorer.encode(rows.features))
    for index, one in enumerate(scorer.bundle.card.classes):
        figures[one.fraud_type] = of_type(scores, log_odds[:, index], rows, BIT_OF[one.fraud_type])
    return figures


def of_type(scores: Scores, log_odds: np.ndarray, rows: Rows, bit: int) -> dict:
    """One fraud type against honest cases: `recall` as shipped, and what its own ranking could reach."""
    cases, highest = case_maxima(log_odds, rows.case)
    _, truth = case_maxima(rows.types, rows.case)
    _, verdict = case_maxima(scores.verdict, rows.case)
    _, named = case_maxima((scores.types & bit != 0).astype(np.uint8), rows.case)
    mine = truth & bit != 0
    honest = truth == 0
    if not mine.any():
        return {"cases": 0}
    bar = np.sort(highest[honest])[::-1][int(FALSE_POSITIVE_RATE * honest.sum())]
    return {
        "cases": int(mine.sum()),
        "auc": auc(np.concatenate([highest[mine], highest[honest]]), np.arange(mine.sum() + honest.sum()) < mine.sum()),
        "recall_at_fpr_0.001": share(highest[mine] > bar),
        "recall_flagged": share(verdict[mine] == FLAG),
        "recall_watched_or_flagged": share(verdict[mine] >= WATCH),
        "recall_named": share(named[mine] == 1),
        "recall_flagged_by_variant": {
            str(name): share(verdict[mine & np.isin(cases, rows.case[rows.population == name])] == FLAG)
            for name in np.unique(rows.population[rows.types & bit != 0])
        },
        **time_to_flag(rows[rows.types & bit != 0], scores.verdict[rows.types & bit != 0]),
    }


def time_to_flag(rows: Rows, verdict: np.ndarray) -> dict:
    """Over the actors of a fraud: how many are ever flagged, and how soon (medians over those that are)."""
    waits, counts, actors = [], [], np.unique(rows.actor)
    for actor in actors:
        own = np.flatnonzero(rows.actor == actor)
        own = own[np.argsort(rows.time_ns[own], kind="stable")]
        hits = np.flatnonzero(verdict[own] == FLAG)
        if len(hits):
            first = own[hits[0]]
            waits.append((rows.time_ns[first] - rows.time_ns[own[0]]) / 1e9)
            counts.append(len(np.unique(rows.case[own[: hits[0] + 1]])))
    return {
        "actors": len(actors),
        "actors_flagged": len(waits) / len(actors) if len(actors) else 0.0,
        "median_seconds_to_flag": float(np.median(waits)) if waits else float("nan"),
        "median_cases_to_flag": float(np.median(counts)) if counts else float("nan"),
    }


def actors_flagged(rows: Rows, verdict: np.ndarray) -> dict[str, float]:
    """Honest population -> share of its actors that were flagged at least once."""
    honest = rows.types == 0
    figures = {}
    for population in np.unique(rows.population[honest]):
        chosen = honest & (rows.population == population)
        _, worst = case_maxima(verdict[chosen], rows.actor[chosen])
        figures[str(population)] = share(worst == FLAG)
    return figures


def share(chosen: np.ndarray) -> float:
    return float(np.mean(chosen)) if len(chosen) else float("nan")
