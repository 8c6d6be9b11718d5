"""Whose watched calls are flagged because nearly all of their address's newcomers are watched."""

import numpy as np

from kernels.schema import CALL_FEATURES
from models.fraud_types import BIT_OF
from models.newcomers import CAMPAIGN_CALLS, EVIDENCE, HALF_LIFE_NS, Newcomers, of_newcomers
from models.verdict import FLAG, PASS, WATCH

ROBOCALL, IRSF = BIT_OF["robocall"], BIT_OF["irsf"]
SECOND = 10**9


def watched(newcomers: Newcomers, calls: int, *, of: float, types: int = ROBOCALL, every_ns: int = SECOND) -> int:
    """The verdict of the last of so many watched calls, each of a new number, where the address had `of` of them."""
    return [newcomers.verdict("trunk", k, k * every_ns, WATCH, types, of) for k in range(calls)][-1]


def test_where_nearly_all_newcomers_are_watched_as_one_fraud_they_are_flagged():
    newcomers = Newcomers(10)
    assert watched(newcomers, CAMPAIGN_CALLS - 1, of=20) == WATCH
    assert newcomers.verdict("trunk", 30, 30 * SECOND, WATCH, ROBOCALL, 21.0) == WATCH
    assert newcomers.verdict("trunk", 31, 31 * SECOND, WATCH, ROBOCALL, 22.0) == FLAG


def test_who_is_known_at_the_address_and_what_passes_are_judged_alone():
    rows = np.zeros((4, len(CALL_FEATURES)), np.float32)
    rows[:, EVIDENCE] = 1, 3, 4, 1
    assert of_newcomers(rows, np.array([WATCH, FLAG, WATCH, PASS], np.uint8)) == [0, 1]


def test_another_address_has_newcomers_of_its_own():
    newcomers = Newcomers(10)
    watched(newcomers, 40, of=40)
    assert newcomers.verdict("another", 42, 42 * SECOND, WATCH, ROBOCALL, 1.0) == WATCH


def test_few_watched_among_many_newcomers_stay_watched():
    assert watched(Newcomers(10), 40, of=400) == WATCH


def test_a_call_that_is_watched_at_each_stage_is_one():
    newcomers = Newcomers(10)
    for k in range(CAMPAIGN_CALLS - 1):
        for stage in range(3):
            newcomers.verdict("trunk", k, k * SECOND + stage, WATCH, ROBOCALL, 1.0)
    assert newcomers.verdict("trunk", 3, 100 * SECOND, WATCH, ROBOCALL, 1.0) == WATCH


def test_frauds_of_a_caller_are_none_of_the_crowd():
    assert watched(Newcomers(10), 40, of=40, types=IRSF) == WATCH


def test_calls_of_hours_ago_count_for_little():
    assert watched(Newcomers(10), 40, of=10, every_ns=HALF_LIFE_NS) == WATCH


def test_the_addresses_longest_without_a_watched_call_make_room():
    newcomers = Newcomers(1)
    watched(newcomers, 40, of=40)
    newcomers.verdict("another", 41, 41 * SECOND, WATCH, ROBOCALL, 1.0)
    assert newcomers.verdict("trunk", 42, 42 * SECOND, WATCH, ROBOCALL, 1.0) == WATCH


def test_what_is_kept_can_be_put_back():
    newcomers, again = Newcomers(10), Newcomers(10)
    watched(newcomers, 40, of=40)
    again.restore(newcomers.kept())
    assert again.verdict("trunk", 41, 41 * SECOND, WATCH, ROBOCALL, 41.0) == FLAG
