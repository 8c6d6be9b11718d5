"""Received ranges: the same answers as a plain set of numbers, in little room."""

from hypothesis import given
from hypothesis import strategies as st

from collector.ranges import MAX_RANGES, Ranges

batches = st.lists(st.tuples(st.integers(1, 60), st.integers(0, 12)), max_size=40)


@given(batches)
def test_ranges_hold_what_a_set_would_hold(added: list[tuple[int, int]]) -> None:
    ranges, plain = Ranges(), set()
    for first, more in added:
        before = ranges.gaps()
        grown = ranges.add(first, first + more)
        plain |= set(range(first, first + more + 1))
        assert grown == ranges.gaps() - before
    assert {number for number in range(1, 80) if number in ranges} == plain
    assert ranges.last == max(plain, default=0)
    assert ranges.gaps() == ranges.last - len(plain)
    pairs = ranges.to_list()
    assert all(first <= last for first, last in pairs)
    assert all(pairs[n][1] + 1 < pairs[n + 1][0] for n in range(len(pairs) - 1)), "ranges touch"


@given(batches)
def test_ranges_are_the_same_when_they_were_stored_in_between(added: list[tuple[int, int]]) -> None:
    whole, stored = Ranges(), Ranges()
    for first, more in added:
        whole.add(first, first + more)
        stored = Ranges(stored.to_list())
        stored.add(first, first + more)
    assert whole.to_list() == stored.to_list()


def test_in_order_there_is_one_range() -> None:
    ranges = Ranges()
    assert [ranges.add(first, first + 9) for first in range(1, 1000, 10)] == [0] * 100
    assert ranges.to_list() == [[1, 1000]]


def test_the_oldest_gap_is_given_up_when_there_are_too_many_and_stays_counted() -> None:
    ranges = Ranges()
    lost = sum(ranges.add(first, first) for first in range(1, 4 * MAX_RANGES, 2))
    assert len(ranges.to_list()) == MAX_RANGES
    assert lost == 2 * MAX_RANGES - 1
    assert 2 in ranges, "what comes late of a gap that was given up is a duplicate"
    assert 4 * MAX_RANGES - 2 not in ranges
