"""The streaming statistics of a subscriber against those of all its calls at once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.reference_subscriber import COLUMNS, DAY_S, statistics
from kernels.subscriber import SIZE_BYTES, SubscriberProfile
from models.training.subscriber_population import POPULATIONS, calls_of, drawn_habits

EXACT = (
    "opposite_count",
    "voc_calltype1",
    "call_dur_mean",
    "call_dur_max",
    "call_dur_min",
    "voc_hour_mode",
    "voc_hour_mode_count",
    "voc_hour_nunique",
    "voc_day_mode",
    "voc_day_mode_count",
    "voc_day_nunique",
)
FEW = (
    "opposite_unique",
    "phone2opposite_mean",
    "phone2oppo_sum_mean",
    "phone2opposite_median",
    "phone2oppo_sum_median",
)

# key, outgoing, seconds, local time over three years
CALL = st.tuples(st.integers(0, 8), st.booleans(), st.integers(0, 9000), st.integers(1_700_000_000, 1_800_000_000))


def hashed(counterparts) -> np.ndarray:
    """Uniform 64-bit keys, as the tables of the engine have them: splitmix64."""
    keys = np.asarray(counterparts).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        keys = (keys ^ (keys >> np.uint64(shift))) * np.uint64(factor)
    return keys ^ (keys >> np.uint64(31))


def streamed(counterparts, outgoing, durations_s, times_s) -> np.ndarray:
    profile = SubscriberProfile()
    order = np.argsort(times_s, kind="stable")
    profile.add(
        hashed(counterparts)[order],
        np.asarray(outgoing, bool)[order],
        np.asarray(durations_s, np.float64)[order],
        np.asarray(times_s, np.int64)[order],
    )
    return profile.statistics()


def of(values: np.ndarray, name: str) -> float:
    return values[COLUMNS.index(name)]


@pytest.fixture(scope="module")
def replayed() -> tuple[np.ndarray, np.ndarray]:
    """Streamed and exact statistics of simulated subscribers, eight of each population."""
    got, want = [], []
    for seed in range(8):
        for side in ("honest", "fraud"):
            for part in POPULATIONS[side]:
                calls = calls_of(drawn_habits(part, seed), np.random.default_rng(seed))
                got.append(streamed(*calls))
                want.append(statistics(*calls))
    return np.array(got), np.array(want)


def errors(replayed, name: str) -> np.ndarray:
    """Relative errors of one statistic over the subscribers; absolute where it is 0."""
    got, want = (values[:, COLUMNS.index(name)] for values in replayed)
    return (got - want) / np.where(want == 0, 1, want)


@given(st.lists(CALL, max_size=60))
def test_with_few_counterparts_all_but_the_median_duration_is_exact(calls):
    counterparts, outgoing, durations, times = (
        (list(column) for column in zip(*calls, strict=True)) if calls else [[]] * 4
    )
    got, want = (f(np.array(counterparts, int), outgoing, durations, times) for f in (streamed, statistics))
    exact = [name != "call_dur_median" for name in COLUMNS]
    np.testing.assert_allclose(got[exact], want[exact], rtol=1e-5)


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=200))
def test_the_median_duration_is_within_a_bin_of_the_calls_in_the_middle(durations):
    count = len(durations)
    got = of(streamed(np.zeros(count, int), [True] * count, durations, np.arange(count)), "call_dur_median")
    low, high = np.sort(durations)[[(count - 1) // 2, count // 2]]
    assert low / 1.12 - 1 <= got <= high * 1.12 + 1


def test_counts_extremes_hours_and_days_of_simulated_subscribers_are_exact(replayed):
    for name in EXACT:
        assert abs(errors(replayed, name)).max() < 1e-5, name


def test_a_subscriber_with_at_most_40_counterparts_has_exact_values_per_counterpart(replayed):
    few = replayed[1][:, COLUMNS.index("opposite_unique")] <= 40
    assert few.sum() > 20
    for name in FEW:
        assert abs(errors(replayed, name)[few]).max() < 1e-5, name


def test_the_median_duration_is_within_6_percent_or_a_second(replayed):
    got, want = (values[:, COLUMNS.index("call_dur_median")] for values in replayed)
    many = replayed[1][:, 0] >= 100
    assert many.sum() > 50
    assert (abs(got - want)[many] <= np.maximum(0.06 * want, 1.0)[many]).all()


def test_counterparts_beyond_the_sample_are_estimated_with_16_percent_standard_error(replayed):
    many = replayed[1][:, COLUMNS.index("opposite_unique")] > 100
    found = errors(replayed, "opposite_unique")[many]
    assert many.sum() > 50
    assert np.sqrt(np.mean(found**2)) < 0.19  # of a sample of 50 or more: 16 % and its own spread
    assert abs(np.mean(found)) < 0.06


def test_medians_per_counterpart_are_those_of_a_sample(replayed):
    many = replayed[1][:, COLUMNS.index("opposite_unique")] > 100
    calls, seconds = (errors(replayed, f"phone2{name}_median")[many] for name in ("opposite", "oppo_sum"))
    assert np.median(abs(calls)) == 0
    assert np.sqrt(np.mean(seconds**2)) < 0.35


def test_the_most_with_one_counterpart_is_never_too_high_and_short_by_a_tenth_at_most(replayed):
    got, want = replayed
    for name, whole in (
        ("phone2opposite_max", want[:, 0]),
        ("phone2oppo_sum_max", want[:, 0] * of(want.T, "call_dur_mean")),
    ):
        short = of(want.T, name) - of(got.T, name)
        assert (short >= -1e-3 * of(want.T, name)).all(), name
        assert (short <= whole / 10 + 1).all(), name


def test_one_who_calls_ten_thousand_strangers_has_no_closest_counterpart():
    count = 10_000
    got = streamed(np.arange(count), [True] * count, [30.0] * count, np.arange(count) * 60)
    assert of(got, "phone2opposite_max") == 1
    assert of(got, "phone2opposite_median") == 1
    assert of(got, "opposite_unique") == pytest.approx(count, rel=0.5)


def test_a_subscriber_takes_no_more_than_a_kilobyte():
    assert SIZE_BYTES <= 1024


def test_without_calls_only_their_number_is_known():
    got = SubscriberProfile().statistics()
    assert got[0] == 0
    assert np.isnan(got[1:]).all()


def test_fading_halves_counts_and_keeps_shares():
    calls = [np.arange(64) % 4, np.arange(64) % 2 == 0, np.full(64, 30.0), np.arange(64) * DAY_S]
    profile = SubscriberProfile()
    profile.add(hashed(calls[0]), calls[1], calls[2], calls[3])
    before = profile.statistics()
    profile.fade()
    after = profile.statistics()
    for name in ("opposite_count", "phone2opposite_mean", "phone2opposite_max", "phone2oppo_sum_max"):
        assert of(after, name) == of(before, name) / 2
    for name in ("voc_calltype1", "opposite_unique", "call_dur_mean", "call_dur_median"):
        assert of(after, name) == of(before, name)


def test_what_has_faded_is_forgotten_and_new_ways_take_its_place():
    profile = SubscriberProfile()
    many = 5000
    profile.add(hashed(np.arange(many)), np.ones(many, bool), np.full(many, 600.0), np.arange(many))
    for _ in range(20):
        profile.fade()
    assert profile.statistics()[0] == 0
    profile.add(hashed([1, 1, 2]), np.zeros(3, bool), np.array([5.0, 6.0, 7.0]), np.array([0, 1, 2]))
    got = profile.statistics()
    assert of(got, "opposite_unique") == 2
    assert (of(got, "call_dur_max"), of(got, "voc_calltype1")) == (7, 0)


def test_after_partial_fading_the_longest_call_is_no_longer_than_what_is_left():
    profile = SubscriberProfile()
    profile.add(hashed([1]), np.array([True]), np.array([3000.0]), np.array([0]))
    profile.add(hashed([2] * 9), np.ones(9, bool), np.full(9, 10.0), np.arange(9))
    profile.fade()
    assert of(profile.statistics(), "call_dur_max") < 12


def test_days_of_the_month_follow_the_calendar():
    for date, day in (("2024-02-29", 29), ("2023-12-31", 31), ("1969-07-20", 20), ("2100-03-01", 1)):
        second = np.datetime64(f"{date}T23:30:00", "s").astype(np.int64)
        got = streamed([1], [True], [1.0], [second])
        assert of(got, "voc_day_mode") == day
        assert of(got, "voc_hour_mode") == 23


def test_other_dtypes_and_shapes_are_refused():
    good = [np.zeros(2, np.uint64), np.zeros(2, bool), np.zeros(2), np.zeros(2, np.int64)]
    with pytest.raises(TypeError, match="uint64, bool, float64 and int64"):
        SubscriberProfile().add(good[0].astype(np.int64), *good[1:])
    with pytest.raises(ValueError, match="one length"):
        SubscriberProfile().add(good[0][:1], *good[1:])
