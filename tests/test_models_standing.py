"""Whose watched calls are flagged because calls before them were."""

import numpy as np

from models.fraud_types import BIT_OF
from models.standing import STANDING_NS, flag_known
from models.verdict import FLAG, PASS, WATCH

ROBOCALL, TDOS = BIT_OF["robocall"], BIT_OF["tdos"]
# Three calls of alice, 1 to 3, were flagged as robocalls.
KNOWN = [("alice", call, call, FLAG, ROBOCALL) for call in (1, 2, 3)]


def verdicts(*rows):
    """Of (party, call, time, verdict, types), in order of time."""
    party, call, time_ns, verdict, types = zip(*rows, strict=True)
    found = np.array(verdict, np.uint8)
    flag_known(np.array(party), np.array(call), np.array(time_ns), found, np.array(types, np.uint32))
    return found.tolist()


def test_behind_three_flagged_calls_the_watched_ones_of_the_same_caller_are_flagged():
    found = verdicts(*KNOWN, ("alice", 4, 4, WATCH, ROBOCALL | TDOS), ("bob", 5, 5, WATCH, ROBOCALL))
    assert found == [FLAG, FLAG, FLAG, FLAG, WATCH]


def test_one_call_that_is_flagged_again_and_again_is_one():
    again = [("alice", call, time_ns, FLAG, ROBOCALL) for time_ns, call in enumerate((1, 2, 1, 2, 2))]
    assert verdicts(*again, ("alice", 3, 5, WATCH, ROBOCALL))[-1] == WATCH


def test_what_passes_and_what_is_watched_as_something_else_stays_what_it_is():
    assert verdicts(*KNOWN, ("alice", 4, 4, PASS, 0), ("alice", 4, 4, WATCH, TDOS))[3:] == [PASS, WATCH]


def test_who_is_falsely_answered_calls_honestly():
    flagged = [("alice", call, call, FLAG, BIT_OF["false_answer"]) for call in (1, 2, 3)]
    assert verdicts(*flagged, ("alice", 4, 4, WATCH, BIT_OF["false_answer"]))[-1] == WATCH


def test_an_hour_after_three_flags_of_the_model_a_caller_begins_anew():
    found = verdicts(
        *KNOWN,
        ("alice", 4, STANDING_NS + 1, WATCH, ROBOCALL),  # is flagged, which does not count as one of the model's
        ("alice", 5, STANDING_NS + 2, WATCH, ROBOCALL),
    )
    assert found[3:] == [FLAG, WATCH]


def test_of_many_flagged_calls_the_latest_three_count():
    many = [("alice", call, call, FLAG, TDOS if call < 2 else ROBOCALL) for call in range(5)]
    assert verdicts(*many, ("alice", 9, 9, WATCH, ROBOCALL))[-1] == FLAG
