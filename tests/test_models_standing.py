"""Whose watched calls are flagged because calls before them were."""

import pytest

from models.fraud_types import BIT_OF
from models.standing import STANDING_NS, Standing
from models.verdict import FLAG, PASS, WATCH

ROBOCALL, TDOS = BIT_OF["robocall"], BIT_OF["tdos"]


@pytest.fixture
def standing() -> Standing:
    """Three calls of alice, 1 to 3, were flagged as robocalls."""
    known = Standing(10)
    for call in (1, 2, 3):
        assert known.verdict("alice", call, call, FLAG, ROBOCALL) == FLAG
    return known


def test_behind_three_flagged_calls_the_watched_ones_of_the_same_caller_are_flagged(standing):
    assert standing.verdict("alice", 4, 4, WATCH, ROBOCALL | TDOS) == FLAG
    assert standing.verdict("bob", 5, 5, WATCH, ROBOCALL) == WATCH


def test_one_call_that_is_flagged_again_and_again_is_one():
    standing = Standing(10)
    for time_ns, call in enumerate((1, 2, 1, 2, 2)):
        standing.verdict("alice", call, time_ns, FLAG, ROBOCALL)
    assert standing.verdict("alice", 3, 5, WATCH, ROBOCALL) == WATCH


def test_what_passes_and_what_is_watched_as_something_else_stays_what_it_is(standing):
    assert standing.verdict("alice", 4, 4, PASS, 0) == PASS
    assert standing.verdict("alice", 4, 4, WATCH, TDOS) == WATCH


def test_who_is_falsely_answered_calls_honestly():
    standing = Standing(10)
    for call in (1, 2, 3):
        standing.verdict("alice", call, call, FLAG, BIT_OF["false_answer"])
    assert standing.verdict("alice", 4, 4, WATCH, BIT_OF["false_answer"]) == WATCH


def test_an_hour_after_three_flags_of_the_model_a_caller_begins_anew(standing):
    assert standing.verdict("alice", 4, STANDING_NS + 1, WATCH, ROBOCALL) == FLAG  # which does not count as one
    assert standing.verdict("alice", 5, STANDING_NS + 2, WATCH, ROBOCALL) == WATCH


def test_the_parties_longest_without_a_flag_make_room():
    standing = Standing(2)
    for time_ns, party in enumerate(("bob", "alice") * 3 + ("carol",)):
        standing.verdict(party, time_ns, time_ns, FLAG, ROBOCALL)
    assert standing.verdict("alice", 9, 9, WATCH, ROBOCALL) == FLAG
    assert standing.verdict("bob", 9, 9, WATCH, ROBOCALL) == WATCH
