"""Which sequence numbers of a box were committed: what makes a batch that comes twice count once.

A batch speaks for everything from its first to its last number, so in order, without loss, there is one range. A box
whose spool overflowed leaves a gap; batches that overtook each other leave one until the slower arrives. There are at
most MAX_RANGES ranges: beyond, the oldest gap is given up and what should come of it later is taken for a duplicate.
"""

from bisect import bisect_left, bisect_right

MAX_RANGES = 64


class Ranges:
    """Rising, disjoint, not adjacent [first, last] pairs. `lost` counts numbers that were never seen below the last."""

    def __init__(self, ranges: list[list[int]] | None = None) -> None:
        self._ranges = [list(pair) for pair in ranges or []]

    def to_list(self) -> list[list[int]]:
        """As it is stored."""
        return self._ranges

    def __contains__(self, sequence: int) -> bool:
        position = bisect_right(self._ranges, sequence, key=lambda pair: pair[0]) - 1
        return position >= 0 and sequence <= self._ranges[position][1]

    @property
    def last(self) -> int:
        """The highest number, 0 when there is none."""
        return self._ranges[-1][1] if self._ranges else 0

    def gaps(self) -> int:
        """Numbers from 1 to the last one that are in no range."""
        return self.last - sum(last - first + 1 for first, last in self._ranges)

    def add(self, first: int, last: int) -> int:
        """Adds a range; by how much the gaps grew (below 0: a late batch closed one). A gap that is given up was
        counted when it opened and stays counted."""
        before = self.gaps()
        # those that overlap [first, last] or touch it become one with it
        start = bisect_left(self._ranges, first - 1, key=lambda pair: pair[1])
        end = bisect_right(self._ranges, last + 1, key=lambda pair: pair[0])
        touched = self._ranges[start:end]
        if touched:
            first, last = min(first, touched[0][0]), max(last, touched[-1][1])
        self._ranges[start:end] = [[first, last]]
        grown = self.gaps() - before
        while len(self._ranges) > MAX_RANGES:
            self._ranges[0:2] = [[self._ranges[0][0], self._ranges[1][1]]]
        return grown
