"""Whose watched calls are flagged because nearly all of their address's newcomers are watched."""

import numpy as np
import pytest

from models.fraud_types import BIT_OF
from models.newcomers import CAMPAIGN_CALLS, flag_campaigns, where_counted
from models.verdict import FLAG, PASS, WATCH

ROBOCALL, IRSF = BIT_OF["robocall"], BIT_OF["irsf"]
SECOND, HOUR = 10**9, 3600 * 10**9
SETUP, END, BETWEEN = where_counted(np.array([1, 2, 1]), np.array([np.nan, 1, np.nan], np.float32)).tolist()


def watched(calls, *, of, types=ROBOCALL, every_ns=SECOND):
    """So many watched calls, each of a new number, where the address had `of` of them."""
    return [("trunk", SETUP, k * every_ns, WATCH, types, 1.0, of) for k in range(calls)]


def verdicts(*rows):
    """Of (address, where it is counted, time, verdict, types, evidence, newcomers' calls), in order of time."""
    address, where, time_ns, verdict, types, evidence, calls_hour = zip(*rows, strict=True)
    found = np.array(verdict, np.uint8)
    flag_campaigns(
        np.array(address), np.array(where, np.int32), np.array(time_ns), found, np.array(types, np.uint32),
        np.array(evidence, np.float32), np.array(calls_hour, np.float32),
    )  # fmt: skip
    return found.tolist()


def test_where_nearly_all_newcomers_are_watched_as_one_fraud_they_are_flagged():
    found = verdicts(
        *watched(CAMPAIGN_CALLS - 1, of=20.0),
        ("trunk", SETUP, 30 * SECOND, WATCH, ROBOCALL, 1.0, 21.0),
        ("trunk", SETUP, 31 * SECOND, WATCH, ROBOCALL, 1.0, 22.0),
        ("trunk", SETUP, 32 * SECOND, PASS, 0, 1.0, 23.0),
    )
    assert found == [WATCH] * CAMPAIGN_CALLS + [FLAG, PASS]


def test_who_is_known_at_the_address_is_judged_alone():
    found = verdicts(
        *watched(40, of=40.0),
        ("trunk", SETUP, 41 * SECOND, WATCH, ROBOCALL, 4.0, 41.0),
        ("another", SETUP, 42 * SECOND, WATCH, ROBOCALL, 1.0, 1.0),
    )
    assert found[-3:] == [FLAG, WATCH, WATCH]


def test_few_watched_among_many_newcomers_stay_watched():
    assert set(verdicts(*watched(40, of=400.0))) == {WATCH}


def test_a_call_that_is_watched_at_each_stage_is_one():
    stages = [("trunk", where, k * SECOND, WATCH, ROBOCALL, 1.0, 1.0) for k in range(19) for where in (0, 1, 2)]
    assert set(verdicts(*stages)) == {WATCH}


def test_calls_that_are_watched_only_when_they_are_over_count_in_whatever_order_they_end():
    assert verdicts(*((*row[:1], END, *row[2:]) for row in watched(CAMPAIGN_CALLS + 1, of=20.0)))[-1] == FLAG


def test_frauds_of_a_caller_are_none_of_the_crowd():
    assert set(verdicts(*watched(40, of=40.0, types=IRSF))) == {WATCH}


def test_calls_of_hours_ago_count_for_little():
    assert set(verdicts(*watched(40, of=10.0, every_ns=HOUR))) == {WATCH}


def test_rows_that_do_not_fit_one_another_are_refused():
    one, two = np.zeros(1, np.int64), np.zeros(2, np.int64)
    with pytest.raises(ValueError, match="differ in length"):
        flag_campaigns(
            one, np.zeros(1, np.int32), two, np.zeros(1, np.uint8), np.zeros(1, np.uint32), np.zeros(1, np.float32),
            np.zeros(1, np.float32),
        )  # fmt: skip
