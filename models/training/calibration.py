"""From the network's outputs to probabilities one may act on: Platt scaling, prior shift, thresholds."""

import numpy as np

from models.training.rows import case_maxima

# A watched call costs a look, as a missed one does.
FALSE_WATCH_COST = 1

# The most honest cases that may reach an action, whatever the costs say.
MAX_FALSE_FLAGS = 0.0005
MAX_FALSE_WATCHES = 0.005

NEWTON_STEPS = 50


def platt(outputs: np.ndarray, truth: np.ndarray, prevalence: float) -> tuple[float, float]:
    """(slope, intercept) of P = 1 / (1 + exp(-(slope * output + intercept))), shifted to the field's prevalence.

    float [n], bool [n]. Both classes weigh the same in the fit. Targets are drawn in as in Platt (1999),
    section 2.2, so that separable data does not run off to infinite slopes.
    """
    positives, negatives = int(truth.sum()), int((~truth).sum())
    if not positives or not negatives:
        raise ValueError("calibration needs cases of the type and cases without it")
    target = np.where(truth, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    weight = np.where(truth, 0.5 / positives, 0.5 / negatives)
    columns = np.stack([outputs, np.ones_like(outputs)])
    parameters = np.array([1.0, 0.0])
    # A weak pull towards the network's own log-odds; it keeps Newton's matrix regular.
    ridge = np.array([1e-6, 1e-8])
    for _ in range(NEWTON_STEPS):
        fitted = 1 / (1 + np.exp(-(parameters @ columns)))
        gradient = columns @ (weight * (fitted - target)) + ridge * (parameters - [1, 0])
        curvature = (columns * (weight * fitted * (1 - fitted))) @ columns.T + np.diag(ridge)
        step = np.linalg.solve(curvature, gradient)
        parameters = parameters - np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-9:
            break
    slope, intercept = parameters
    return float(slope), float(intercept + np.log(prevalence / (1 - prevalence)))


def thresholds(
    probability: np.ndarray, honest: np.ndarray, case: np.ndarray, false_flag_cost: float
) -> tuple[float, float]:
    """(watch, flag) for one fraud type: what the costs ask for, and no more false alarms than are allowed.

    Probabilities of rows, whether they are honest, and their cases: a case counts with its highest. Costs are in
    missed frauds.
    """
    _, highest = case_maxima(probability[honest], case[honest])
    limits = []
    for cost, most in ((FALSE_WATCH_COST, MAX_FALSE_WATCHES), (false_flag_cost, MAX_FALSE_FLAGS)):
        # Strictly above the honest case that just may not pass.
        allowed = int(most * len(highest))
        bar = np.nextafter(np.sort(highest)[::-1][allowed], 1) if len(highest) else 0.0
        limits.append(max(cost / (1 + cost), float(bar)))
    watch, flag = limits
    return min(watch, 1.0), min(max(watch, flag), 1.0)
