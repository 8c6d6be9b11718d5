"""Ids of findings and calls: the second of arrival above, a count below.

    bits 20..48  seconds since 2025-01-01T00:00:00Z (until 2042)
    bits  0..19  count within the second

They rise, they fit in the 53 bits that a JavaScript number keeps exactly, and a moment can be turned into the
lowest id of that moment: time partitions and retention need no second key.
"""

import threading
import time

EPOCH_S = 1_735_689_600
COUNT_BITS = 20
# Nothing is stored as later than this after its arrival: what arrived before a moment is not of the days after it.
MAX_AHEAD_NS = 24 * 3600 * 10**9


def lowest_id(time_ns: int) -> int:
    """The lowest id that can be given out at or after `time_ns`."""
    return max(0, time_ns // 1_000_000_000 - EPOCH_S) << COUNT_BITS


def arrival_ns(row_id: int) -> int:
    """The second, in nanoseconds since the Unix epoch, in which `row_id` was given out."""
    return ((row_id >> COUNT_BITS) + EPOCH_S) * 1_000_000_000


class Ids:
    """Gives out rising ids, above `last`, the highest that is in the store.

    Two processes on one store may give out the same id: the primary key then fails, and the writer starts anew above.
    """

    def __init__(self, last: int) -> None:
        self._last = last
        self._lock = threading.Lock()

    def take(self, count: int) -> range:
        """The next `count` ids. A clock that was set back, or more than 2^20 in a second, borrow from the future."""
        with self._lock:
            first = max(lowest_id(time.time_ns()), self._last + 1)
            self._last = first + count - 1
            return range(first, first + count)
