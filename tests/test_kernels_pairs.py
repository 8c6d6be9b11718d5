"""Recent pairs against their twin, and what a table of fixed size forgets."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import pairs, reference_behaviour
from kernels.pairs import MEMORY_S, Pairs

SECOND = 10**9
START = 1_700_000_000 * SECOND
KEYS = np.random.default_rng(1).integers(1, 2**64, 6, dtype=np.uint64)
CALLS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 100_000)), max_size=40)


def calls(steps):
    callers = np.array([KEYS[a] for a, _, _ in steps], np.uint64)
    callees = np.array([KEYS[b] for _, b, _ in steps], np.uint64)
    return callers, callees, START + np.cumsum(np.array([s * SECOND for *_, s in steps], np.int64))


@given(CALLS)
def test_call_backs_are_those_of_the_twin(steps):
    # 36 pairs in 512 buckets: none is given up
    np.testing.assert_array_equal(Pairs(4096).call_backs(*calls(steps)), reference_behaviour.call_backs(*calls(steps)))


@given(CALLS, st.integers(0, 40))
def test_answers_do_not_depend_on_where_a_block_ends(steps, cut):
    whole, table = calls(steps), Pairs(64)
    parts = [table.call_backs(*(x[:cut] for x in whole)), table.call_backs(*(x[cut:] for x in whole))]
    np.testing.assert_array_equal(np.concatenate(parts), Pairs(64).call_backs(*whole))


def test_a_call_back_is_one_within_a_day_and_in_the_other_direction():
    day = round(MEMORY_S)
    assert day == pytest.approx(86400, abs=5)
    assert Pairs().call_backs(*calls([(0, 1, 0), (0, 1, 5), (1, 0, day - 10)])).tolist() == [False, False, True]
    assert Pairs().call_backs(*calls([(0, 1, 0), (1, 0, day + 10)])).tolist() == [False, False]


@pytest.mark.parametrize("days", [2, 100, 300, 500, 800])
def test_a_pair_of_long_ago_is_none(days):
    assert Pairs().call_backs(*calls([(0, 1, 0), (1, 0, days * 86400)])).tolist() == [False, False]


def test_the_time_of_a_pair_may_go_back_a_little():
    callers, callees, times_ns = calls([(0, 1, 100), (1, 0, 0)])
    times_ns[1] -= 50 * SECOND
    assert Pairs().call_backs(callers, callees, times_ns).tolist() == [False, True]


def test_a_full_bucket_gives_up_the_pair_heard_of_longest_ago():
    table = Pairs(1)  # one bucket
    keys = np.random.default_rng(2).integers(1, 2**64, (2, pairs.ENTRIES + 1), dtype=np.uint64)
    times_ns = START + np.arange(pairs.ENTRIES + 1) * 10 * SECOND
    table.call_backs(keys[0], keys[1], times_ns)
    later = np.full(1, START + 200 * SECOND)
    kept = [table.call_backs(keys[1, i : i + 1], keys[0, i : i + 1], later)[0] for i in (pairs.ENTRIES, 0)]
    assert kept == [True, False]


def test_strangers_are_not_found():
    keys = np.random.default_rng(3).integers(1, 2**64, (2, 200_000), dtype=np.uint64)
    assert not Pairs(4096).call_backs(keys[0], keys[1], np.full(200_000, START)).any()


def test_most_of_the_pairs_a_table_has_room_for_are_kept():
    n = 4096
    keys = np.random.default_rng(4).integers(1, 2**64, (2, n), dtype=np.uint64)
    table = Pairs(2 * n)
    table.call_backs(keys[0], keys[1], np.full(n, START))
    assert table.call_backs(keys[1], keys[0], np.full(n, START + SECOND)).mean() > 0.97


def test_other_shapes_sizes_and_dtypes_are_refused():
    for size in (0, 2**28 + 1):
        with pytest.raises(ValueError, match="pairs: expected"):
            Pairs(size)
    keys, times_ns = np.ones(2, np.uint64), np.zeros(2, np.int64)
    with pytest.raises(TypeError, match="uint64"):
        Pairs().call_backs(keys, np.ones(2), times_ns)
    with pytest.raises(ValueError, match="one length"):
        Pairs().call_backs(keys, keys, times_ns[:1])
