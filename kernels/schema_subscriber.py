"""Rows of subscribers: what each entry is, and how it comes from the voice statistics of a line.

None is a counter since birth, a number of days or anything of billing: how long a line was observed would give it
away, and would say nothing of a line seen for a day. `evidence` is only for the rule that asks for calls before a
flag; the input encoding of a subscriber bundle hides it from the network.
"""

import numpy as np

from kernels.reference_subscriber import COLUMNS
from kernels.schema import Feature, schema_hash

GROUP = "subscriber"
MOST_EVIDENCE = 32.0

# What a row is computed from.
VOICE_COLUMNS = tuple(name for name in COLUMNS if name != "voc_day_mode")


def _feature(name: str, unit: str, high: float, meaning: str, reason: str, unseen: float = np.nan) -> Feature:
    return Feature(
        name=name, unit=unit, high=high, meaning=meaning, reason=reason, unseen=unseen, group=GROUP, source="caller"
    )


SUBSCRIBER_FEATURES = (
    _feature(
        "outgoing_ratio",
        "ratio",
        1.0,
        "Share of the calls that the subscriber made.",
        "{value} of its calls are outgoing; typical is {typical}",
    ),
    _feature(
        "calls_per_counterpart",
        "calls",
        1e6,
        "Calls per counterpart, mean.",
        "{value} calls with each counterpart on average; typical is {typical}",
    ),
    _feature(
        "calls_per_counterpart_median",
        "calls",
        1e6,
        "Calls per counterpart, median.",
        "{value} calls with the middle counterpart; typical is {typical}",
    ),
    _feature(
        "closest_calls_ratio",
        "ratio",
        1.0,
        "Share of the calls with the counterpart that has most.",
        "{value} of its calls are with one counterpart; typical is {typical}",
    ),
    _feature(
        "distinct_ratio",
        "ratio",
        1.0,
        "Different counterparts per call.",
        "a new counterpart in {value} of the calls; typical is {typical}",
    ),
    _feature(
        "talk_per_counterpart_s",
        "s",
        1e7,
        "Seconds per counterpart, mean.",
        "talked {value} with each counterpart in all; typical is {typical}",
    ),
    _feature(
        "talk_per_counterpart_median_s",
        "s",
        1e7,
        "Seconds per counterpart, median.",
        "talked {value} with the middle counterpart in all; typical is {typical}",
    ),
    _feature(
        "closest_talk_ratio",
        "ratio",
        1.0,
        "Share of the seconds with the counterpart that has most.",
        "{value} of its talk is with one counterpart; typical is {typical}",
    ),
    _feature(
        "duration_mean_s",
        "s",
        1e6,
        "Seconds per call, mean.",
        "its calls last {value} on average; typical is {typical}",
    ),
    _feature(
        "duration_median_s",
        "s",
        1e6,
        "Seconds per call, median.",
        "its middle call lasts {value}; typical is {typical}",
    ),
    _feature(
        "duration_min_s",
        "s",
        1e6,
        "Seconds of the shortest call.",
        "its shortest call lasted {value}; typical is {typical}",
    ),
    _feature(
        "duration_max_s",
        "s",
        1e6,
        "Seconds of the longest call.",
        "its longest call lasted {value}; typical is {typical}",
    ),
    _feature(
        "duration_mean_to_median",
        "",
        1e6,
        "Mean by median of the seconds per call: how long the tail is.",
        "mean by median length of its calls is {value}; typical is {typical}",
    ),
    _feature(
        "duration_max_to_mean",
        "",
        1e6,
        "Longest call by the mean.",
        "its longest call is {value} times the mean; typical is {typical}",
    ),
    _feature(
        "busiest_hour",
        "",
        23.0,
        "Hour of the day with most calls, local time.",
        "calls most in hour {value} of the day; typical is {typical}",
    ),
    _feature(
        "busiest_hour_ratio",
        "ratio",
        1.0,
        "Share of the calls in the busiest hour of the day.",
        "{value} of its calls are in one hour of the day; typical is {typical}",
    ),
    _feature(
        "busiest_hour_to_mean",
        "",
        24.0,
        "Calls in the busiest hour by the mean of the hours with calls.",
        "the busiest hour has {value} times the mean; typical is {typical}",
    ),
    _feature(
        "hours_of_day",
        "hours",
        24.0,
        "Hours of the day in which there were calls.",
        "called in {value} different hours of the day; typical is {typical}",
    ),
    _feature(
        "busiest_day_ratio",
        "ratio",
        1.0,
        "Share of the calls on the busiest day of the month.",
        "{value} of its calls are on one day; typical is {typical}",
    ),
    _feature(
        "calls_per_day",
        "calls",
        1e6,
        "Calls per day of the month that had any; 0 without calls.",
        "{value} calls on a day with any; typical is {typical}",
        unseen=0.0,
    ),
    _feature(
        "counterparts_per_day",
        "numbers",
        1e6,
        "Different counterparts per day of the month that had calls; 0 without calls.",
        "{value} counterparts on a day with calls; typical is {typical}",
        unseen=0.0,
    ),
    _feature(
        "evidence",
        "calls",
        MOST_EVIDENCE,
        "Calls that the row rests on, at most 32; for the evidence rule, hidden from the network.",
        "{value} calls were seen; typical is {typical}",
        unseen=0.0,
    ),
)

SUBSCRIBER_SCHEMA_HASH = schema_hash(SUBSCRIBER_FEATURES)


def subscriber_rows(statistics: np.ndarray) -> np.ndarray:
    """float [n, len(COLUMNS)] in the order of COLUMNS -> float32 [n, len(SUBSCRIBER_FEATURES)].

    NaN is what is not known, in and out; rates per day and evidence are 0 where there were no calls.
    """
    of = dict(zip(COLUMNS, np.asarray(statistics, np.float64).T, strict=True))
    calls = of["opposite_count"]
    none = ~(calls > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        rows = [
            # A line that only answered has calls, and none of them outgoing.
            np.where(np.isnan(of["voc_calltype1"]) & ~none, 0.0, of["voc_calltype1"]),
            of["phone2opposite_mean"],
            of["phone2opposite_median"],
            of["phone2opposite_max"] / calls,
            of["opposite_unique"] / calls,
            of["phone2oppo_sum_mean"],
            of["phone2oppo_sum_median"],
            of["phone2oppo_sum_max"] / (calls * of["call_dur_mean"]),
            of["call_dur_mean"],
            of["call_dur_median"],
            of["call_dur_min"],
            of["call_dur_max"],
            of["call_dur_mean"] / of["call_dur_median"],
            of["call_dur_max"] / of["call_dur_mean"],
            of["voc_hour_mode"],
            of["voc_hour_mode_count"] / calls,
            of["voc_hour_mode_count"] / calls * of["voc_hour_nunique"],
            of["voc_hour_nunique"],
            of["voc_day_mode_count"] / calls,
            np.where(none, 0.0, calls / of["voc_day_nunique"]),
            np.where(none, 0.0, of["opposite_unique"] / of["voc_day_nunique"]),
            np.where(none, 0.0, np.minimum(calls, MOST_EVIDENCE)),
        ]
    table = np.stack(rows, axis=1)
    high = np.array([feature.high for feature in SUBSCRIBER_FEATURES])
    table[np.isinf(table)] = np.nan  # a mean of 0 s has no ratio
    return np.ascontiguousarray(np.clip(table, 0.0, high), np.float32)
