"""The time of the live box: one that never steps, and how far the wall clock is from it.

Ages, deadlines and rates are counted in time that never steps; what is reported is in wall clock time. Both are the
same when the service starts. When the wall clock is set later (NTP after a boot without a battery, a person, a virtual
machine that was moved), only the distance between the two changes.
"""

import time
from collections.abc import Callable

# A clock that is kept by NTP is slewed, not set, for less than this (chrony's `makestep 1`).
STEP_NS = 1_000_000_000
# Between looking at one clock and at the other the process may lie still: then the comparison says nothing.
PAUSE_NS = 10_000_000


def steady_ns() -> int:
    """Since the boot, sleep included: a box that was suspended has grown older by as much."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class Clock:
    """Of one thread. `offset_ns` is the distance that a snapshot was taken with, 0 without one."""

    def __init__(
        self,
        offset_ns: int = 0,
        *,
        wall_ns: Callable[[], int] = time.time_ns,
        steady_ns: Callable[[], int] = steady_ns,
    ) -> None:
        self._wall_ns = wall_ns
        self._steady_ns = steady_ns
        self.offset_ns = offset_ns
        self.steps = 0  # times that the wall clock was set
        self._start_ns = wall_ns() - offset_ns - steady_ns()

    def now_ns(self) -> int:
        """The time that never steps. Looks after `offset_ns`, by which the wall clock says more."""
        before_ns = self._steady_ns()
        wall_ns = self._wall_ns()
        after_ns = self._steady_ns()
        now_ns = self._start_ns + after_ns
        step_ns = wall_ns - now_ns - self.offset_ns
        if abs(step_ns) > STEP_NS and after_ns - before_ns < PAUSE_NS:
            self.offset_ns += step_ns
            self.steps += 1
        return now_ns

    def wall_ns(self) -> int:
        """As packets are stamped, and findings reported."""
        return self.now_ns() + self.offset_ns
