"""Tables of subscribers: voice statistics with or without the truth, and how well a bundle scores them."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from kernels.reference_subscriber import COLUMNS
from kernels.schema_subscriber import VOICE_COLUMNS, subscriber_rows
from models.errors import TableError
from models.measures import auc, average_precision, expected_calibration_error, precision_at, recall_at
from models.scorer import Scorer
from models.verdict import FLAG, WATCH

LABEL_COLUMN = "label"  # 1: fraud, 0: honest
# Billing months of a line. Only to tell which lines were seen longest: no model reads it.
LENGTH_COLUMN = "month_ids"

# Where recall is read, and the prevalences of the field at which precision is said.
FALSE_POSITIVE_RATES = (0.01, 0.001)
PREVALENCES = (0.01, 0.001)


class Table(NamedTuple):
    """n subscribers."""

    statistics: np.ndarray  # float64 [n, len(COLUMNS)] in the order of COLUMNS; NaN: not known
    fraud: np.ndarray | None  # bool [n]; None: not said
    length: np.ndarray | None  # float64 [n], of LENGTH_COLUMN

    @property
    def rows(self) -> np.ndarray:
        """float32 [n, features]: what a subscriber bundle scores."""
        return subscriber_rows(self.statistics)


def read_table(header: Sequence[str], records: Iterable[Sequence[str]]) -> Table:
    """A table from its texts; an empty text is a value that is not known. Raises TableError, which names the column."""
    missing = [name for name in VOICE_COLUMNS if name not in header]
    if missing:
        raise TableError(
            f"column {missing[0]!r} is missing" + (f", and {len(missing) - 1} more" if missing[1:] else "")
        )
    extra = [name for name in (LABEL_COLUMN, LENGTH_COLUMN) if name in header]
    places = {name: header.index(name) for name in (*VOICE_COLUMNS, *extra)}
    values: dict[str, list[float]] = {name: [] for name in places}
    for row, record in enumerate(records):
        if len(record) != len(header):
            raise TableError(f"row {row}: {len(record)} values for {len(header)} columns")
        for name, place in places.items():
            values[name].append(number(record[place], name, row))
    columns = {name: np.array(column, np.float64) for name, column in values.items()}
    count = len(columns[VOICE_COLUMNS[0]])
    columns["opposite_count"] = np.nan_to_num(columns["opposite_count"])
    not_read = np.full(count, np.nan)
    statistics = np.stack([columns.get(name, not_read) for name in COLUMNS], axis=1)
    return Table(statistics, labels(columns.get(LABEL_COLUMN)), columns.get(LENGTH_COLUMN))


def number(text: str, name: str, row: int) -> float:
    """The value of a cell, 0 or more as every statistic is; NaN for an empty one."""
    if not text.strip():
        return math.nan
    try:
        value = float(text)
    except ValueError:
        raise TableError(f"row {row}: column {name!r}: {text[:40]!r} is not a number") from None
    if math.isinf(value) or value < 0:
        raise TableError(f"row {row}: column {name!r}: {text[:40]!r} is out of range")
    return value


def labels(values: np.ndarray | None) -> np.ndarray | None:
    if values is None:
        return None
    wrong = np.flatnonzero(~np.isin(values, (0, 1)))
    if len(wrong):
        raise TableError(f"row {wrong[0]}: column {LABEL_COLUMN!r}: expected 0 or 1")
    return values == 1


def evaluate(scorer: Scorer, table: Table) -> dict:
    """Figures of a bundle on a labelled table; None where the table cannot say.

    `ece` is of the scores as they are, which hold at the prevalence that the bundle was calibrated for;
    `ece_at_prevalence_of_file` is after a shift to that of the table.
    """
    assert table.fraud is not None, "the table has no labels"
    scored, truth = scorer.score(table.rows), table.fraud
    score = scored.score.astype(float)
    full = longest(table)
    recalls = {rate: recall_at(score, truth, rate) for rate in FALSE_POSITIVE_RATES}
    figures: dict = {
        "rows": len(truth),
        "fraud": int(truth.sum()),
        "auc": auc(score, truth),
        "average_precision": average_precision(score, truth),
        **{f"tpr_at_fpr_{rate}": recall for rate, recall in recalls.items()},
        "ece": expected_calibration_error(score, truth) if len(truth) else math.nan,
        "ece_at_prevalence_of_file": shifted_error(score, truth),
        "rows_full_window": int(full.sum()),
        "auc_full_window": auc(score[full], truth[full]),
        "tpr_at_fpr_0.01_full_window": recall_at(score[full], truth[full], 0.01),
        **{
            f"precision_at_fpr_{rate}_prevalence_{prevalence}": precision_at(recall, rate, prevalence)
            for rate, recall in recalls.items()
            for prevalence in PREVALENCES
        },
    }
    for name, level in (("flagged", FLAG), ("watched_or_flagged", WATCH)):
        reached = scored.verdict >= level
        figures[f"fraud_{name}"] = float(reached[truth].mean()) if truth.any() else math.nan
        figures[f"honest_{name}"] = float(reached[~truth].mean()) if not truth.all() else math.nan
    figures = {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in figures.items()}
    return {**figures, "bundle": scorer.bundle.label}


def longest(table: Table) -> np.ndarray:
    """bool [n]: the lines that were seen longest; none when the table does not say."""
    if table.length is None or not len(table.length) or np.isnan(table.length).all():
        return np.zeros(len(table.statistics), bool)
    return table.length == np.nanmax(table.length)


def shifted_error(score: np.ndarray, truth: np.ndarray) -> float:
    """Calibration error with the prior put right: log-odds are shifted until probabilities sum to the frauds."""
    if truth.all() or not truth.any():
        return math.nan
    log_odds = np.log(np.clip(score, 1e-12, None)) - np.log(np.clip(1 - score, 1e-12, None))
    low, high = -40.0, 40.0
    for _ in range(60):
        middle = (low + high) / 2
        above = (1 / (1 + np.exp(-(log_odds + middle)))).sum() > truth.sum()
        low, high = (low, middle) if above else (middle, high)
    return expected_calibration_error(1 / (1 + np.exp(-(log_odds + high))), truth)
