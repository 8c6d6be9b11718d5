"""The highest rate that a contender keeps up with: looked for by halves, in short runs."""

from collections.abc import Callable

FIRST_RATE = 100_000
LAST_RATE = 1_600_000
# The rate that is named is at most so far below one at which something was lost.
PRECISION = 1.05


def highest(keeps_up: Callable[[int], bool]) -> int:
    """The highest rate tried, in packets/s, that `keeps_up` with; 0 when it does not with the first.

    A rate at which something was lost is tried once more: the machine may have stood still for a moment.
    """
    below, above = 0, FIRST_RATE
    while above <= LAST_RATE and _either(keeps_up, above):
        below, above = above, 2 * above
    if not below:
        return 0
    above = min(above, LAST_RATE)
    while above > PRECISION * below:
        middle = round((below * above) ** 0.5)
        if _either(keeps_up, middle):
            below = middle
        else:
            above = middle
    return below


def _either(keeps_up: Callable[[int], bool], rate: int) -> bool:
    return keeps_up(rate) or keeps_up(rate)
