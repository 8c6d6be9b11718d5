"""The plain twin of `kernels/subscriber.pyx`: the voice statistics of one subscriber from all of its calls at once.

Names and units are those of the columns of the labelled set of Sichuan (2020), which define them. Whoever is at the
other end of a call is its counterpart; days are days of the month, as that set counts them.
"""

import numpy as np

HOUR_S = 3600
DAY_S = 86400

COLUMNS = (
    "opposite_count",  # calls, both directions
    "opposite_unique",  # different counterparts
    "voc_calltype1",  # share of calls that the subscriber made, 0..1
    "phone2opposite_mean",  # calls per counterpart
    "phone2opposite_median",
    "phone2opposite_max",
    "phone2oppo_sum_mean",  # seconds per counterpart
    "phone2oppo_sum_median",
    "phone2oppo_sum_max",
    "call_dur_mean",  # seconds per call
    "call_dur_median",
    "call_dur_max",
    "call_dur_min",
    "voc_hour_mode",  # hour of the day with most calls, 0..23; the earliest of equals
    "voc_hour_mode_count",  # calls in that hour
    "voc_hour_nunique",  # hours of the day with calls
    "voc_day_mode",  # day of the month with most calls, 1..31; the earliest of equals
    "voc_day_mode_count",  # calls on that day
    "voc_day_nunique",  # days of the month with calls
)


def statistics(counterparts, outgoing, durations_s, times_s):
    """float64 [len(COLUMNS)]; all but `opposite_count` are NaN without a call.

    counterparts: [n], any keys. outgoing: bool [n]. durations_s: [n], seconds. times_s: int64 [n], seconds of local
    time since the Unix epoch.
    """
    if not len(counterparts):
        return np.array([0.0] + [np.nan] * (len(COLUMNS) - 1))
    _, index, calls = np.unique(counterparts, return_inverse=True, return_counts=True)
    seconds = np.bincount(index, weights=durations_s)
    dates = np.asarray(times_s, np.int64).astype("datetime64[s]")
    days = (dates.astype("datetime64[D]") - dates.astype("datetime64[M]")).astype(int)
    by_hour = np.bincount(np.asarray(times_s, np.int64) // HOUR_S % 24, minlength=24)
    by_day = np.bincount(days, minlength=31)
    found = [len(counterparts), len(calls), np.mean(outgoing)]
    found += [np.mean(calls), np.median(calls), np.max(calls)]
    found += [np.mean(seconds), np.median(seconds), np.max(seconds)]
    found += [np.mean(durations_s), np.median(durations_s), np.max(durations_s), np.min(durations_s)]
    found += [np.argmax(by_hour), np.max(by_hour), np.count_nonzero(by_hour)]
    found += [np.argmax(by_day) + 1, np.max(by_day), np.count_nonzero(by_day)]
    return np.array(found, np.float64)
