"""How good scores are, given the truth: ranking, recall at few false alarms, precision in the field, calibration."""

import numpy as np

CALIBRATION_BINS = 10


def auc(score: np.ndarray, truth: np.ndarray) -> float:
    """Area under the ROC curve: the chance that a fraud ranks above an honest case, ties counted half.

    NaN without both kinds.
    """
    _, ranks, counts = np.unique(score, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts - 1) / 2
    positives = int(truth.sum())
    negatives = len(truth) - positives
    if not positives or not negatives:
        return float("nan")
    return float((middle[ranks][truth].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def operating_points(score: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(frauds, honest cases) at or above each distinct score, from the highest down: int64 [k] each."""
    levels, ranks = np.unique(-score, return_inverse=True)
    frauds = np.bincount(ranks[truth], minlength=len(levels))
    return np.cumsum(frauds), np.cumsum(np.bincount(ranks, minlength=len(levels)) - frauds)


def average_precision(score: np.ndarray, truth: np.ndarray) -> float:
    """Precision at each distinct score, weighted by the recall gained there. NaN without fraud."""
    if not truth.any():
        return float("nan")
    hits, alarms = operating_points(score, truth)
    gained = np.diff(hits, prepend=0) / hits[-1]
    return float(np.sum(gained * hits / (hits + alarms)))


def recall_at(score: np.ndarray, truth: np.ndarray, false_positive_rate: float) -> float:
    """The highest recall of a threshold that at most this share of honest cases reaches. NaN without both kinds."""
    if truth.all() or not truth.any():
        return float("nan")
    hits, alarms = operating_points(score, truth)
    allowed = alarms <= false_positive_rate * alarms[-1]
    return float(hits[allowed].max(initial=0) / hits[-1])


def precision_at(recall: float, false_positive_rate: float, prevalence: float) -> float:
    """Share of alarms that are fraud, where `prevalence` of the cases are."""
    hits, alarms = recall * prevalence, false_positive_rate * (1 - prevalence)
    return hits / (hits + alarms) if hits + alarms else float("nan")


def expected_calibration_error(score: np.ndarray, truth: np.ndarray) -> float:
    """Mean distance of score and frequency over equal-width bins, at the prevalence of these cases."""
    bins = np.minimum((score * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gaps = [abs(score[bins == b].mean() - truth[bins == b].mean()) * (bins == b).sum() for b in np.unique(bins)]
    return float(np.sum(gaps) / len(score))
