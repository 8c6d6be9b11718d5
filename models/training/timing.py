"""How soon a fraud is noticed: over its callers and over its campaigns, in calls and in seconds."""

import numpy as np

from models.training.rows import Rows

# Rows of different towns are further apart than this; within one there is no such silence.
TOWN_GAP_NS = 12 * 3600 * 10**9

# After so many calls it is asked whether a campaign was named, and whether a caller's call of that number was.
CALL_NUMBERS = (1, 2, 3, 5, 10, 20, 50)


def towns(rows: Rows) -> np.ndarray:
    """int64 [n]: which town a row is of. Towns follow one another, each at a date of its own."""
    return np.concatenate([[0], np.cumsum(np.abs(np.diff(rows.time_ns)) > TOWN_GAP_NS)]).astype(np.int64)


def campaigns(rows: Rows) -> np.ndarray:
    """int64 [n]: rows of one fraud variant in one town are one campaign, whatever numbers it shows."""
    _, variant = np.unique(rows.population, return_inverse=True)
    return towns(rows) * (variant.max(initial=0) + 1) + variant


def case_numbers(rows: Rows, group: np.ndarray) -> np.ndarray:
    """int64 [n]: which case of its group a row is of, 1 for the first, by the time of their first rows."""
    order = np.argsort(rows.time_ns, kind="stable")
    number = np.zeros(len(rows), np.int64)
    seen: dict[int, dict[int, int]] = {}
    for i in order.tolist():
        cases = seen.setdefault(int(group[i]), {})
        number[i] = cases.setdefault(int(rows.case[i]), len(cases) + 1)
    return number


def timing(rows: Rows, hit: np.ndarray, group: np.ndarray) -> dict[str, float]:
    """How many groups have a hit, and after how many cases and seconds (medians over those that have): bool [n]."""
    number = case_numbers(rows, group)
    waits, counts, groups = [], [], np.unique(group)
    for one in groups:
        own = np.flatnonzero(group == one)
        hits = own[hit[own]]
        if len(hits):
            first = hits[np.argmin(rows.time_ns[hits])]
            waits.append((rows.time_ns[first] - rows.time_ns[own].min()) / 1e9)
            counts.append(number[first])
    return {
        "count": len(groups),
        "share": len(waits) / len(groups) if len(groups) else 0.0,
        "median_seconds": float(np.median(waits)) if waits else float("nan"),
        "median_cases": float(np.median(counts)) if counts else float("nan"),
    }


def by_case_number(rows: Rows, hit: np.ndarray, group: np.ndarray) -> dict[str, float]:
    """The share of groups that have a hit by their n-th case, of those that have so many; by n."""
    number = case_numbers(rows, group)
    first = {int(one): np.inf for one in np.unique(group)}
    most = dict.fromkeys(first, 0)
    for one, at, is_hit in zip(group.tolist(), number.tolist(), hit.tolist(), strict=True):
        most[one] = max(most[one], at)
        if is_hit:
            first[one] = min(first[one], at)
    shares = {}
    for n in CALL_NUMBERS:
        long = [one for one in first if most[one] >= n]
        if long:
            shares[str(n)] = float(np.mean([first[one] <= n for one in long]))
    return shares
