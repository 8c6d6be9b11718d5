"""How long the oldest record of the spool has waited: when some of them were put.

Records leave in the order of their sequences, so a few moments are enough: one in FIRST_GAP_NS, and one in twice that
when they become too many. A record is never said to be younger than it is, and at most a gap older.
"""

from collections import deque

MOST = 512
FIRST_GAP_NS = 10**9


class Ages:
    """Of the records of one epoch."""

    def __init__(self) -> None:
        self._gap_ns = FIRST_GAP_NS
        self._gone = 0  # records up to this sequence wait no longer
        self._moments: deque[tuple[int, int]] = deque()  # (sequence, wall clock ns), rising

    def put(self, sequence: int, now_ns: int) -> None:
        """A record was put."""
        if self._moments and now_ns - self._moments[-1][1] < self._gap_ns:
            return
        self._moments.append((sequence, now_ns))
        if len(self._moments) > MOST:
            self._moments = deque(list(self._moments)[::2])
            self._gap_ns *= 2
        self.gone(self._gone)

    def gone(self, sequence: int) -> None:
        """The records up to `sequence` wait no longer."""
        self._gone = sequence
        while len(self._moments) > 1 and self._moments[1][0] <= sequence + 1:
            self._moments.popleft()
        if len(self._moments) == 1:
            self._gap_ns = FIRST_GAP_NS

    @property
    def oldest_ns(self) -> int | None:
        """When the first record that still waits was put, as long as any does."""
        return self._moments[0][1] if self._moments else None
