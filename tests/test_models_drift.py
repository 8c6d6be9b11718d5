"""Whether rows are still those that a bundle was calibrated on: told by counts that the bundle brings along."""

import msgspec
import numpy as np
import pytest

from models.bundle import Bundle
from models.drift import ENOUGH_ROWS, FADING_ROWS, MOST_ROWS, RowDrift, reference_of
from models.scorer import Scorer

RNG = np.random.default_rng(5)


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    """The shipped bundle for subscribers with a reference of rows as `rows_of` makes them."""
    shipped = Scorer(Bundle.shipped("subscriber"))
    shipped.bundle.numbers = msgspec.structs.replace(
        shipped.bundle.numbers, reference=reference_of(shipped, rows_of(shipped, 20_000))
    )
    return shipped


def rows_of(scorer: Scorer, count: int, moved: float = 1.0) -> np.ndarray:
    """Rows whose entries lie anywhere between the knots, `moved` times as high."""
    knots = np.array(scorer.bundle.numbers.knots, np.float32)
    return (RNG.uniform(0, 1, (count, len(knots))) * knots[:, -1] * moved).astype(np.float32)


def fed(scorer: Scorer, blocks: int, moved: float = 1.0) -> RowDrift:
    drift = RowDrift(scorer.bundle)
    for _ in range(blocks):
        rows = rows_of(scorer, MOST_ROWS, moved)
        drift.add(rows, scorer.score(rows))
    return drift


def test_rows_as_they_were_taught_are_stable(scorer: Scorer):
    found = fed(scorer, 40).report()
    assert found.state == "stable"
    assert max(found.ratio.values()) < 0.1
    assert set(found.ratio) == {"score", "caller"}


def test_rows_that_moved_have_drifted_and_the_feature_is_named(scorer: Scorer):
    found = fed(scorer, 40, moved=0.3).report()
    assert found.state == "drifted"
    assert found.feature in scorer.bundle.card.features
    assert found.feature_ratio > 0.25


def test_few_rows_say_nothing(scorer: Scorer):
    assert fed(scorer, ENOUGH_ROWS // MOST_ROWS - 1, moved=0.3).report().state == "settling"


def test_old_rows_fade(scorer: Scorer):
    drift = fed(scorer, 40, moved=0.3)
    for _ in range(6 * FADING_ROWS // MOST_ROWS):
        rows = rows_of(scorer, MOST_ROWS)
        drift.add(rows, scorer.score(rows))
    assert drift.report().state == "stable"
    assert drift.report().counted < FADING_ROWS


def test_of_a_large_block_some_rows_are_counted(scorer: Scorer):
    drift = RowDrift(scorer.bundle)
    rows = rows_of(scorer, 1000)
    drift.add(rows, scorer.score(rows))
    assert MOST_ROWS / 2 < drift.report().counted <= MOST_ROWS


def test_a_bundle_without_a_reference_cannot_tell(scorer: Scorer):
    bundle = scorer.bundle
    numbers = msgspec.structs.replace(bundle.numbers, reference=None)
    drift = RowDrift(Bundle(bundle.path, bundle.card, numbers, bundle.model))
    rows = rows_of(scorer, 10)
    drift.add(rows, scorer.score(rows))
    assert drift.report().state == "unknown"
