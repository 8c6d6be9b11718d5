"""Tables of subscribers: their features, the figures that are said of scores, and the shipped bundle."""

import csv
from itertools import product
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.reference_subscriber import COLUMNS
from kernels.schema_subscriber import SUBSCRIBER_FEATURES, VOICE_COLUMNS, subscriber_rows
from models.bundle import Bundle
from models.errors import TableError
from models.measures import auc, average_precision, precision_at, recall_at
from models.scorer import Scorer
from models.subscriber import Table, evaluate, longest, read_table
from models.verdict import FLAG

NAMES = [feature.name for feature in SUBSCRIBER_FEATURES]
ROOT = Path(__file__).resolve().parent.parent
ORDINARY = dict(
    zip(COLUMNS, (300, 60, 0.5, 5, 2, 80, 400, 90, 8000, 80, 40, 1500, 1, 18, 40, 17, 12, 20, 30), strict=True)
)


def statistics_of(**changes: float) -> np.ndarray:
    return np.array([[(ORDINARY | changes)[name] for name in COLUMNS]], float)


def table_of(*rows: dict, header: tuple[str, ...] = VOICE_COLUMNS) -> Table:
    return read_table(header, [[str(row.get(name, "")) for name in header] for row in rows])


SCORED = st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=40).filter(
    lambda rows: 0 < sum(fraud for _, fraud in rows) < len(rows)
)


@given(SCORED)
def test_auc_is_the_share_of_pairs_in_the_right_order(rows):
    score, truth = np.array([r[0] for r in rows], float), np.array([r[1] for r in rows])
    pairs = [(f > h) + 0.5 * (f == h) for f, h in product(score[truth], score[~truth])]
    assert auc(score, truth) == pytest.approx(np.mean(pairs))


@given(SCORED, st.sampled_from([0.0, 0.1, 0.5, 1.0]))
def test_recall_is_that_of_the_best_threshold_with_so_few_false_alarms(rows, rate):
    score, truth = np.array([r[0] for r in rows], float), np.array([r[1] for r in rows])
    best = [(score[truth] >= bar).mean() for bar in range(8) if (score[~truth] >= bar).mean() <= rate]
    assert recall_at(score, truth, rate) == pytest.approx(max(best))


@given(SCORED)
def test_average_precision_sums_precision_over_the_recall_gained(rows):
    score, truth = np.array([r[0] for r in rows], float), np.array([r[1] for r in rows])
    total, before = 0.0, 0.0
    for bar in sorted(set(score), reverse=True):
        recall, precision = (score[truth] >= bar).mean(), truth[score >= bar].mean()
        total, before = total + (recall - before) * precision, recall
    assert average_precision(score, truth) == pytest.approx(total)


def test_figures_without_both_kinds_are_not_known():
    score = np.array([0.1, 0.9])
    for truth in (np.ones(2, bool), np.zeros(2, bool)):
        assert np.isnan(auc(score, truth))
        assert np.isnan(recall_at(score, truth, 0.1))


def test_precision_falls_with_the_prevalence_of_the_field():
    assert precision_at(0.7, 0.01, 0.5) == pytest.approx(70 / 71)
    assert precision_at(0.7, 0.01, 0.01) == pytest.approx(0.0070 / (0.0070 + 0.0099))


def test_a_row_has_the_features_of_the_schema_in_their_ranges():
    row = subscriber_rows(statistics_of())[0]
    assert row.dtype == np.float32
    assert len(row) == len(SUBSCRIBER_FEATURES)
    for value, feature in zip(row, SUBSCRIBER_FEATURES, strict=True):
        assert feature.low <= value <= feature.high, feature.name
        assert feature.sentence(value, value)


def test_features_are_what_their_names_say():
    row = dict(zip(NAMES, subscriber_rows(statistics_of())[0].tolist(), strict=True))
    assert row["distinct_ratio"] == pytest.approx(60 / 300)
    assert row["closest_calls_ratio"] == pytest.approx(80 / 300)
    assert row["closest_talk_ratio"] == pytest.approx(8000 / (300 * 80))
    assert row["busiest_hour_to_mean"] == pytest.approx(40 / (300 / 17))
    assert row["calls_per_day"] == 10
    assert row["counterparts_per_day"] == 2
    assert row["evidence"] == 32


def test_counts_that_grow_together_leave_every_feature_as_it_was():
    once = statistics_of()
    grown = ("opposite_count", "opposite_unique", "phone2opposite_max", "phone2oppo_sum_max", "voc_hour_mode_count")
    twice = once.copy()
    for name in (*grown, "voc_day_mode_count", "voc_day_nunique"):
        twice[0, COLUMNS.index(name)] *= 2
    np.testing.assert_allclose(subscriber_rows(twice), subscriber_rows(once), rtol=1e-6)


def test_no_feature_is_a_count_since_birth_a_number_of_days_or_billing():
    assert not {"opposite_count", "voc_day_nunique", "voc_day_mode_count", "opposite_unique"} & set(NAMES)
    assert not [name for name in VOICE_COLUMNS if name.startswith(("arpu", "flow", "month", "sms"))]


def test_a_line_without_calls_has_no_rate_and_no_evidence_and_nothing_else_is_known():
    row = subscriber_rows(np.array([[0.0] + [np.nan] * (len(COLUMNS) - 1)]))[0]
    known = {name for name, value in zip(NAMES, row, strict=True) if not np.isnan(value)}
    assert known == {"calls_per_day", "counterparts_per_day", "evidence"}
    assert np.nansum(row) == 0


def test_a_line_that_only_answers_makes_none_of_its_calls():
    row = subscriber_rows(statistics_of(voc_calltype1=np.nan))[0]
    assert row[NAMES.index("outgoing_ratio")] == 0


def test_columns_are_found_by_name_in_any_order_among_others():
    header = ("arpu_sum", *reversed(VOICE_COLUMNS), "label", "month_ids")
    table = table_of(ORDINARY | {"arpu_sum": "x", "label": 1, "month_ids": 8}, header=header)
    assert table.fraud.tolist() == [True]
    assert table.length.tolist() == [8]
    np.testing.assert_array_equal(table.rows, table_of(ORDINARY).rows)
    assert table_of(ORDINARY).fraud is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"call_dur_mean": "ten"}, "row 0: column 'call_dur_mean': 'ten' is not a number"),
        ({"call_dur_mean": "-1"}, "out of range"),
        ({"call_dur_mean": "inf"}, "out of range"),
        ({"label": "2"}, "row 0: column 'label': expected 0 or 1"),
        ({"label": ""}, "row 0: column 'label': expected 0 or 1"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_row_and_column(change, message):
    with pytest.raises(TableError, match=message):
        table_of(ORDINARY | {"label": 0} | change, header=(*VOICE_COLUMNS, "label"))


def test_a_missing_column_is_refused_by_name():
    with pytest.raises(TableError, match=r"column 'opposite_unique' is missing$"):
        table_of(ORDINARY, header=tuple(name for name in VOICE_COLUMNS if name != "opposite_unique"))


def test_the_full_window_is_that_of_the_lines_seen_longest():
    rows = [ORDINARY | {"month_ids": months} for months in (8, 3, 8, "")]
    assert longest(table_of(*rows, header=(*VOICE_COLUMNS, "month_ids"))).tolist() == [True, False, True, False]
    assert not longest(table_of(ORDINARY)).any()


@pytest.fixture(scope="module")
def shipped() -> Scorer:
    return Scorer(Bundle.shipped("subscriber"))


def test_the_shipped_bundle_was_taught_on_simulated_lines_only(shipped):
    assert shipped.bundle.card.training.data == "simulated only"
    assert shipped.bundle.card.rows == "subscriber"


def test_less_than_20_calls_are_never_flagged(shipped):
    # a bundle that flags whatever reaches its lowest score
    bundle = shipped.bundle
    classes = [msgspec.structs.replace(one, watch=0.0, flag=0.0) for one in bundle.card.classes]
    eager = Scorer(
        Bundle(bundle.path, msgspec.structs.replace(bundle.card, classes=classes), bundle.numbers, bundle.model)
    )
    rows = np.repeat(subscriber_rows(statistics_of()), 2, axis=0)
    rows[:, NAMES.index("evidence")] = (19, 20)
    assert (eager.score(rows).verdict == FLAG).tolist() == [False, True]


def test_the_network_does_not_see_how_many_calls_there_are(shipped):
    rows = np.repeat(subscriber_rows(statistics_of()), 2, axis=0)
    rows[:, NAMES.index("evidence")] = (0, 32)
    assert len(set(shipped.score(rows).score.tolist())) == 1


def test_one_who_calls_many_strangers_once_ranks_above_one_who_calls_friends(shipped):
    # 400 counterparts in 420 calls over three days
    caller = statistics_of(
        opposite_count=420,
        opposite_unique=400,
        voc_calltype1=0.97,
        phone2opposite_mean=1.05,
        phone2opposite_median=1,
        phone2opposite_max=3,
        phone2oppo_sum_mean=40,
        phone2oppo_sum_max=700,
        call_dur_mean=38,
        voc_hour_nunique=9,
        voc_day_mode_count=180,
        voc_day_nunique=3,
    )
    friend, stranger = shipped.score(subscriber_rows(np.concatenate([statistics_of(), caller]))).score
    assert friend < 0.1 < stranger


def test_the_shipped_bundle_holds_up_on_real_subscribers_it_was_not_taught_on(corpus, shipped):
    path = corpus / "cdr_fraud" / "sichuan" / "dev60.csv"
    with path.open(newline="") as file:
        records = csv.reader(file)
        figures = evaluate(shipped, read_table(next(records), records))
    assert figures["auc"] >= 0.90
    assert figures["honest_flagged"] <= 0.001
    assert figures["rows"] == 3705


def test_every_feature_is_in_the_documentation():
    text = (ROOT / "docs" / "SUBSCRIBERS.md").read_text()
    assert [name for name in NAMES if f"`{name}`" not in text] == []
