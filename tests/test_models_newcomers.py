"""Whose watched calls are flagged because nearly all of their address's newcomers are watched."""

from models.fraud_types import BIT_OF
from models.newcomers import CAMPAIGN_CALLS, HALF_LIFE_NS, Newcomers
from models.verdict import FLAG, PASS, WATCH

ROBOCALL, IRSF = BIT_OF["robocall"], BIT_OF["irsf"]
SECOND = 10**9


def watched(newcomers: Newcomers, calls: int, *, of: float, types: int = ROBOCALL, every_ns: int = SECOND) -> int:
    """The verdict of the last of so many watched calls, each of a new number, where the address had `of` of them."""
    return [newcomers.verdict("trunk", k, k * every_ns, WATCH, types, 1.0, of) for k in range(calls)][-1]


def test_where_nearly_all_newcomers_are_watched_as_one_fraud_they_are_flagged():
    newcomers = Newcomers(10)
    assert watched(newcomers, CAMPAIGN_CALLS - 1, of=20) == WATCH
    assert newcomers.verdict("trunk", 30, 30 * SECOND, WATCH, ROBOCALL, 1.0, 21.0) == WATCH
    assert newcomers.verdict("trunk", 31, 31 * SECOND, WATCH, ROBOCALL, 1.0, 22.0) == FLAG
    assert newcomers.verdict("trunk", 32, 32 * SECOND, PASS, 0, 1.0, 23.0) == PASS


def test_who_is_known_at_the_address_is_judged_alone():
    newcomers = Newcomers(10)
    watched(newcomers, 40, of=40)
    assert newcomers.verdict("trunk", 41, 41 * SECOND, WATCH, ROBOCALL, 4.0, 41.0) == WATCH
    assert newcomers.verdict("another", 42, 42 * SECOND, WATCH, ROBOCALL, 1.0, 1.0) == WATCH


def test_few_watched_among_many_newcomers_stay_watched():
    assert watched(Newcomers(10), 40, of=400) == WATCH


def test_a_call_that_is_watched_at_each_stage_is_one():
    newcomers = Newcomers(10)
    for k in range(CAMPAIGN_CALLS - 1):
        for stage in range(3):
            newcomers.verdict("trunk", k, k * SECOND + stage, WATCH, ROBOCALL, 1.0, 1.0)
    assert newcomers.verdict("trunk", 3, 100 * SECOND, WATCH, ROBOCALL, 1.0, 1.0) == WATCH


def test_frauds_of_a_caller_are_none_of_the_crowd():
    assert watched(Newcomers(10), 40, of=40, types=IRSF) == WATCH


def test_calls_of_hours_ago_count_for_little():
    assert watched(Newcomers(10), 40, of=10, every_ns=HALF_LIFE_NS) == WATCH


def test_the_addresses_longest_without_a_watched_call_make_room():
    newcomers = Newcomers(1)
    watched(newcomers, 40, of=40)
    newcomers.verdict("another", 41, 41 * SECOND, WATCH, ROBOCALL, 1.0, 1.0)
    assert newcomers.verdict("trunk", 42, 42 * SECOND, WATCH, ROBOCALL, 1.0, 1.0) == WATCH


def test_what_is_kept_can_be_put_back():
    newcomers, again = Newcomers(10), Newcomers(10)
    watched(newcomers, 40, of=40)
    again.restore(newcomers.kept())
    assert again.verdict("trunk", 41, 41 * SECOND, WATCH, ROBOCALL, 1.0, 41.0) == FLAG
