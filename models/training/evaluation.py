"""How good a bundle is on labelled rows it was not taught on. One case is one call or one source."""

import numpy as np

from models.fraud_types import BIT_OF
from models.measures import auc, expected_calibration_error
from models.newcomers import flag_campaigns, where_counted
from models.scorer import Scorer, Scores
from models.standing import flag_known
from models.training.rows import Rows, case_maxima
from models.training.timing import by_case_number, campaigns, timing
from models.verdict import FLAG, WATCH

FALSE_POSITIVE_RATE = 0.001  # at which recall is reported
PREVALENCES = (0.01, 0.001)  # of fraud among cases, at which precision is


def evaluate(scorer: Scorer, rows: Rows) -> dict:
    """Figures for numbers.json and docs/MODELS.md. Shares are of cases, each with its highest score."""
    scores = scorer.score(rows.features)
    stand(scorer, rows, scores)
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
        "fraud_flagged": share(verdict[~honest] == FLAG),
        "fraud_watched_or_flagged": share(verdict[~honest] >= WATCH),
        "precision_at_prevalence": {
            f"{prevalence:g}": precision(prevalence, share(verdict[~honest] == FLAG), share(verdict[honest] == FLAG))
            for prevalence in PREVALENCES
        },
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
    own = rows.types & bit != 0
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
        **noticed(rows[own], scores.verdict[own] == FLAG, scores.types[own] & bit != 0),
        "actors_named_by_second_case_by_variant": {
            str(name): by_case_number(rows[variant], scores.types[variant] & bit != 0, rows.actor[variant]).get("2")
            for name, variant in ((name, own & (rows.population == name)) for name in np.unique(rows.population[own]))
        },
    }


def noticed(rows: Rows, flagged: np.ndarray, named: np.ndarray) -> dict:
    """How soon, bool [n] each: by the actors of a fraud, who are callers or campaigns (models/training/collect.py), and
    by its campaigns as a whole."""
    flags, campaign = timing(rows, flagged, rows.actor), campaigns(rows)
    whole = timing(rows, flagged, campaign)
    return {
        "actors": flags["count"],
        "actors_flagged": flags["share"],
        "median_seconds_to_flag": flags["median_seconds"],
        "median_cases_to_flag": flags["median_cases"],
        "median_cases_to_name": timing(rows, named, rows.actor)["median_cases"],
        "actors_named_by_case": by_case_number(rows, named, rows.actor),
        "campaigns": whole["count"],
        "campaigns_flagged": whole["share"],
        "campaigns_flagged_by_case": by_case_number(rows, flagged, campaign),
        "campaigns_named_by_case": by_case_number(rows, named, campaign),
    }


def stand(scorer: Scorer, rows: Rows, scores: Scores) -> None:
    """Flags the watched calls of callers that were flagged, and of newcomers that are a campaign's, as the box does."""
    features = scorer.bundle.card.features
    if scorer.bundle.card.rows != "call":
        return
    of_campaigns = scores.verdict.copy()
    cancelled, evidence, calls_hour = (
        rows.features[:, features.index(name)] for name in ("cancelled", "caller_evidence", "newcomer_calls_hour")
    )
    where = where_counted(rows.case, cancelled)
    flag_campaigns(rows.address, where, rows.time_ns, of_campaigns, scores.types, evidence, calls_hour)
    flag_known(rows.party, rows.case, rows.time_ns, scores.verdict, scores.types)
    np.maximum(scores.verdict, of_campaigns, out=scores.verdict)


def precision(prevalence: float, recall: float, false_positives: float) -> float:
    """Of those that are flagged, the share that is fraud, when fraud is so common."""
    caught, wrong = prevalence * recall, (1 - prevalence) * false_positives
    return caught / (caught + wrong) if caught + wrong else float("nan")


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
