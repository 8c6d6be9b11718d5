"""Where the input encoding has its knots: between which values of a feature the network can tell rows apart."""

import numpy as np

from kernels.feature import MOST_EVENTS, Feature
from models.training.rows import Rows

# Features that the shipped networks do not read: their knots lie above all values. In simulation they tell how large
# the town is, or how a variant that teaches was written (no flood that teaches calls twice from one number), and not
# what a fraud is. They are in the rows for bundles that are taught on an operator's own traffic.
UNREAD = (
    "call_again",
    "style_addresses_day",
    "route_calls_hour",
    "route_answered_ratio",
    "route_short_ratio",
    "route_talk_mean_s",
    # The beat is the scanner's to choose, and each variant that teaches has one of its own.
    "source_interval_mean_s",
    "source_interval_cv",
)

# What is read evenly over its range, by its unit or its name.
EVENED_UNITS = ("flag", "class", "signs", "spellings")
EVENED = (
    "call_run",
    "source_respelled_ratio",
    "source_high_cost_ratio",
    "route_hasty_ratio",
    "caller_recorded_ratio_day",
    "source_recorded_ratio",
    "route_recorded_ratio",
)

# Knots of the input encoding: enough to follow a distribution, few enough to count without branches.
KNOTS = 16

# What is read by its order of magnitude: counts, by unit, in bundles that read all of them so; in every one those that
# most calls have none or one of, by name; and the least and the most that is told apart.
COUNTED = ("requests", "users", "numbers", "calls", "servers", "dialogs", "responses", "packets", "styles")
COUNTED_ANYWHERE = (
    "callee_calls_minute",
    "caller_calls_minute",
    "caller_high_cost_hour",
    "source_asserted_abroad_day",
    "recording_callees_day",
    "recording_callers_day",
    "answer_recording_callees_day",
)
LEAST_COUNT, MOST_COUNT = 0.25, 8192.0


def quantile_knots(rows: Rows, commonest_share: float) -> np.ndarray:
    """float32 [features, KNOTS]: quantiles of a mixture in which fraud is one half, its types in equal parts.

    Where a value is very common its quantiles coincide, and the encoding spends no codes beside it; so it counts as
    `commonest_share` of all at most.
    """
    share = np.zeros(len(rows))
    for types in np.unique(rows.types):
        chosen = rows.types == types
        share[chosen] = (len(np.unique(rows.types)) - 1 if types == 0 else 1) / chosen.sum()
    knots = [weighted_quantiles(column, evener(column, share, commonest_share)) for column in rows.features.T]
    return np.array(knots, np.float32)


def evened(knots: np.ndarray, features: tuple[Feature, ...]) -> np.ndarray:
    """The knots, evenly spread for flags, classes and what is nothing for nearly all: quantiles would give a value that
    is rare, as a telling one is, hardly another code than the usual one."""
    knots = knots.copy()
    for row, feature in zip(knots, features, strict=True):
        if feature.unit in EVENED_UNITS or feature.name in EVENED:
            row[:] = np.linspace(feature.low, feature.high, KNOTS)
    return knots


def by_magnitude(knots: np.ndarray, features: tuple[Feature, ...], units: tuple[str, ...]) -> np.ndarray:
    """The knots, those of counts in these units, and of COUNTED_ANYWHERE, at nothing and from a quarter on by factors
    of about two."""
    knots = knots.copy()
    for row, feature in zip(knots, features, strict=True):
        if feature.unit in units or feature.name in COUNTED_ANYWHERE:
            row[:] = [0.0, *np.geomspace(LEAST_COUNT, min(feature.high, MOST_COUNT), KNOTS - 1)]
    return knots


def unread(knots: np.ndarray, names: list[str]) -> np.ndarray:
    """The knots, with one code for all values of what is not to be read."""
    knots = knots.copy()
    for name in UNREAD:
        if name in names:
            knots[names.index(name)] = 2 * MOST_EVENTS
    return knots


def evener(values: np.ndarray, weight: np.ndarray, most: float) -> np.ndarray:
    """The weights, those of the value that has the most cut down to a share of all; NaN is no value."""
    known = ~np.isnan(values)
    _, inverse = np.unique(values[known], return_inverse=True)
    sums = np.bincount(inverse, weight[known]) if known.any() else np.ones(1)
    rest = sums.sum() - sums.max()
    if sums.max() <= most * sums.sum() or rest == 0:
        return weight
    weight = weight.copy()
    weight[np.flatnonzero(known)[inverse == np.argmax(sums)]] *= most / (1 - most) * rest / sums.max()
    return weight


def weighted_quantiles(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    known = ~np.isnan(values)
    order = np.argsort(values[known], kind="stable")
    if not len(order):
        return np.linspace(0, 1, KNOTS)
    total = np.cumsum(weight[known][order])
    at = np.searchsorted(total, np.linspace(0, 1, KNOTS) * total[-1])
    return values[known][order][np.minimum(at, len(order) - 1)]
