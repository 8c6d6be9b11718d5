"""From the network's outputs to probabilities one may act on: Platt scaling, prior shift, thresholds."""

from dataclasses import dataclass
from math import ceil

import numpy as np

from models.training.rows import case_maxima

# A watched call costs a look, as a missed one does.
FALSE_WATCH_COST = 1

# The most honest cases that may reach an action, whatever the costs say: of all fraud types of a bundle together.
MAX_FALSE_FLAGS = 0.0005
MAX_FALSE_WATCHES = 0.01
# The most of the cases of one honest population: a desk that is shown every call to a hotline sees nothing else.
MAX_POPULATION_WATCHED = 0.2

# The most actors of one honest population, a household or an exchange, of whom one type may flag a call.
MAX_ACTORS_FLAGGED = 0.0025

# Honest calls of a number that a fraud calls from, too. Its calls may be stopped until the thief is out.
TAKEN_OVER = "taken_over"
# Honest calls that a fraud's population makes: of its victims, of who is in its way, and of its honest customers.
BYSTANDERS = ("wangiri_victim", "tdos_bystander", "honest_route")

NEWTON_STEPS = 200


def platt(outputs: np.ndarray, truth: np.ndarray, prevalence: float) -> tuple[float, float]:
    """(slope, intercept) of P = 1 / (1 + exp(-(slope * output + intercept))), shifted to the field's prevalence.

    float [n], bool [n]. Both classes weigh the same in the fit.
    """
    slope, intercept = sigmoid(outputs, truth, weighted(truth, 0.5), (1.0, 0.0))
    return slope, float(intercept + np.log(prevalence / (1 - prevalence)))


def tail_platt(outputs: np.ndarray, truth: np.ndarray, prevalence: float, tail: float) -> tuple[float, float]:
    """The same where verdicts change: of outputs above the quantile `tail` of the honest ones, weighted to what they
    are of the field's cases. What lies below is passed whatever its probability, and frauds that nobody could tell
    do not flatten the sigmoid of the others."""
    weight = weighted(truth, prevalence)
    weight[outputs < np.quantile(outputs[~truth], tail)] = 0
    return sigmoid(outputs, truth, weight, (1.0, float(np.log(prevalence / (1 - prevalence)))))


def weighted(truth: np.ndarray, share: float) -> np.ndarray:
    """float [n]: all frauds weigh `share` together, all others the rest."""
    if truth.all() or not truth.any():
        raise ValueError("calibration needs cases of the type and cases without it")
    return np.where(truth, share / truth.sum(), (1 - share) / (~truth).sum())


def sigmoid(
    outputs: np.ndarray, truth: np.ndarray, weight: np.ndarray, start: tuple[float, float]
) -> tuple[float, float]:
    """Weighted logistic regression by Newton's method from the network's own log-odds, `start`.

    Targets are drawn in as in Platt (1999), section 2.2, so that separable data does not run off to infinite slopes.
    """
    positives, negatives = int(truth.sum()), int((~truth).sum())
    target = np.where(truth, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    columns = np.stack([outputs, np.ones_like(outputs)])
    # A weak pull towards the start keeps Newton's matrix regular.
    ridge, parameters = np.array([1e-6, 1e-8]), np.array(start)
    for _ in range(NEWTON_STEPS):
        fitted = 1 / (1 + np.exp(-(parameters @ columns)))
        gradient = columns @ (weight * (fitted - target)) + ridge * (parameters - start)
        curvature = (columns * (weight * fitted * (1 - fitted))) @ columns.T + np.diag(ridge)
        step = np.linalg.solve(curvature, gradient)
        parameters = parameters - np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-9:
            break
    slope, intercept = parameters
    return float(slope), float(intercept)


@dataclass(frozen=True, slots=True)
class Honest:
    """The honest rows that thresholds are set on."""

    probability: np.ndarray  # float [n], of the fraud type at hand
    case: np.ndarray  # int64 [n]
    actor: np.ndarray  # int64 [n]
    population: np.ndarray  # str [n]


def watch_bar(honest: Honest, share: float) -> float:
    """From which probability on one fraud type is watched: what the costs ask for, and no more false alarms than are
    allowed, of which `share` is this type's, or of any one population. A case counts with its highest row."""
    allowed = int(MAX_FALSE_WATCHES * share * len(np.unique(honest.case)))
    found = max(cost_bar(FALSE_WATCH_COST), bar(honest.probability, honest.case, allowed))
    for name in np.unique(honest.population[~np.isin(honest.population, (TAKEN_OVER, *BYSTANDERS))]):
        own = honest.population == name
        allowed = ceil(MAX_POPULATION_WATCHED * len(np.unique(honest.case[own])))
        found = max(found, bar(honest.probability[own], honest.case[own], allowed))
    return min(found, 1.0)


def flag_bar(
    honest: Honest,
    evident: np.ndarray,
    watch: float,
    false_flag_cost: float,
    margin: float,
    share: float,
    bars: int = 1,
) -> float:
    """From which probability on it is flagged, among rows that have the evidence for it: bool [n].

    Not below `watch`. Costs are in missed frauds; `margin` is how far above the worst permitted row of a population it
    begins, as a factor of odds: the next town's is worse. `share` is the part of the allowed false flags that is this
    type's, of which each of its `bars` has an equal part.
    """
    allowed = int(MAX_FALSE_FLAGS * share / bars * len(np.unique(honest.case)))
    found = bar(honest.probability[evident], honest.case[evident], allowed)
    for name in np.unique(honest.population[honest.population != TAKEN_OVER]):
        own = honest.population == name
        allowed = int(MAX_ACTORS_FLAGGED / bars * len(np.unique(honest.actor[own])))
        own_bar = bar(honest.probability[own & evident], honest.actor[own & evident], allowed)
        found = max(found, raised(own_bar, margin))
    return min(max(cost_bar(false_flag_cost), found, watch), 1.0)


def raised(probability: float, factor: float) -> float:
    """The probability whose odds are so many times as high."""
    return min(factor * probability / (1 + (factor - 1) * probability), 1.0)


def cost_bar(cost: float) -> float:
    """The probability above which acting is cheaper, when acting on the innocent costs as many misses."""
    return cost / (1 + cost)


def bar(probability: np.ndarray, group: np.ndarray, allowed: int) -> float:
    """Strictly above the highest row of the group that just may not pass; 0 when as many as there are may."""
    _, highest = case_maxima(probability, group)
    return float(np.nextafter(np.sort(highest)[::-1][allowed], 1)) if len(highest) > allowed else 0.0
