"""How often the box was right, by what people found out afterwards: the figures of its shadow mode.

A finding that was labelled counts as the box had judged it when it was labelled. What is missing here is what the box
did not find, and the findings that nobody looked at: the figures hold for the rest only when those that are looked at
are drawn by chance.
"""

from collections import Counter
from collections.abc import Iterable
from math import sqrt

import msgspec

from appliance.store_labels import FindingLabel
from models.fraud_types import FRAUD_TYPES, FraudType
from models.verdict import Verdict

Z_95 = 1.959964  # two-sided
NO_BUNDLE = "parties"  # findings about parties add up calls and requests, of whatever bundles


class Precision(msgspec.Struct, frozen=True):
    """Of the labelled findings of one bundle and verdict; of all fraud types, or of those that name one."""

    bundle: str  # name@version, or NO_BUNDLE
    verdict: Verdict
    fraud_type: FraudType | None
    labelled: int
    fraud: int
    precision: float
    low: float  # of the 95 % interval
    high: float


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927), which few trials and shares near 0 and 1 do not mislead.

    trials: at least 1.
    """
    share = successes / trials
    spread = Z_95 * sqrt(share * (1 - share) / trials + Z_95**2 / (4 * trials**2))
    middle = share + Z_95**2 / (2 * trials)
    scale = 1 + Z_95**2 / trials
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


def precisions(labels: Iterable[FindingLabel]) -> list[Precision]:
    """By bundle and verdict: all fraud types together first, then each, in the order of FRAUD_TYPES."""
    labelled: Counter[tuple[str, Verdict, FraudType | None]] = Counter()
    fraud: Counter[tuple[str, Verdict, FraudType | None]] = Counter()
    for label in labels:
        for fraud_type in (None, *label.fraud_types):
            group = (label.bundle or NO_BUNDLE, label.verdict, fraud_type)
            labelled[group] += 1
            fraud[group] += label.label == "fraud"
    order: dict[FraudType | None, int] = {name: place for place, name in enumerate((None, *FRAUD_TYPES))}
    return [
        Precision(*group, trials, fraud[group], fraud[group] / trials, *wilson(fraud[group], trials))
        for group, trials in sorted(labelled.items(), key=lambda item: (*item[0][:2], order[item[0][2]]))
    ]
