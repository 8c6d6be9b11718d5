"""Subscriber bundles: from an operator's labelled statistics, or from simulated subscribers.

Both ways are the same: an encoding, teachers that may be of any kind and size, a small network distilled from them
and converted to int8, calibration of the converted network on rows that it was not taught on, thresholds by cost.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from kernels.schema_subscriber import SUBSCRIBER_FEATURES, SUBSCRIBER_SCHEMA_HASH
from models.bundle import Bundle, Card, Evidence, FraudClass, Numbers, TrainingCard
from models.drift import reference_of
from models.interpreter import Interpreter
from models.measures import auc, expected_calibration_error, recall_at
from models.scorer import Scorer, encoder
from models.subscriber import Table
from models.training.calibration import Honest, flag_bar, platt, watch_bar
from models.training.card import known, short, write_bundle
from models.training.distillation import Lesson, LogOdds, distil, inputs_of, learn, log_odds_of
from models.training.network import convert

VERSION = "0.1.0"
SEED = 20260101
LICENCE = "Apache-2.0"
KNOTS = 16
POPULATION_MARGIN = 2.7  # how far above the worst honest lines a flag begins, as a factor of odds
FALSE_FLAG_COST = 20  # in missed frauds
FOLDS = 4

# The labelled sets name no kind of fraud; people who call people for their money are what they are made of.
FRAUD_TYPE = "vishing"
# Less than this many calls is at most watched.
EVIDENCE = Evidence("evidence", 20)
HIDDEN_FEATURES = ("evidence",)

BOOSTED_TEACHERS = 5
NETWORK_TEACHERS = 4
NETWORK_TEACHER = Lesson(dropout=0.15)

NAMES = [feature.name for feature in SUBSCRIBER_FEATURES]

Teach = Callable[[np.ndarray, np.ndarray], LogOdds]  # codes int8 [n, features], fraud bool [n]


@dataclass(frozen=True, slots=True)
class Encoding:
    """The input encoding: what a bundle says of its features."""

    typical: np.ndarray  # float32 [features]
    knots: np.ndarray  # float32 [features, KNOTS]

    def codes(self, rows: np.ndarray) -> np.ndarray:
        return encoder(self.knots.tolist(), self.typical.tolist()).encode(rows)


def encoding_of(rows: np.ndarray, fraud: np.ndarray, hidden: tuple[str, ...]) -> Encoding:
    """Quantiles of a mixture in which fraud is one half; features that the network must not read get a single code."""
    weight = np.where(fraud, 0.5 / max(fraud.sum(), 1), 0.5 / max((~fraud).sum(), 1))
    knots = np.stack([quantiles(column, weight) for column in rows.T]).astype(np.float32)
    knots[[NAMES.index(name) for name in hidden]] = 0.0
    honest = [column[~np.isnan(column)] for column in rows[~fraud].T]
    typical = np.array([np.median(column) if len(column) else np.nan for column in honest], np.float32)
    return Encoding(typical, knots)


def quantiles(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    known = ~np.isnan(values)
    order = np.argsort(values[known], kind="stable")
    if not len(order):
        return np.zeros(KNOTS)
    total = np.cumsum(weight[known][order])
    at = np.searchsorted(total, np.linspace(0, 1, KNOTS) * total[-1])
    return values[known][order][np.minimum(at, len(order) - 1)]


def labelled_teacher(codes: np.ndarray, fraud: np.ndarray) -> LogOdds:
    """Boosted trees and networks, half and half: they err differently, and few rows make each unsteady."""
    trees = [
        HistGradientBoostingClassifier(
            max_iter=300,
            learning_rate=0.03,
            max_leaf_nodes=10,
            min_samples_leaf=15,
            l2_regularization=1.0,
            max_features=0.4,
            random_state=seed,
        ).fit(codes, fraud)
        for seed in range(BOOSTED_TEACHERS)
    ]
    networks = [learn(codes, fraud, NETWORK_TEACHER, SEED + seed) for seed in range(NETWORK_TEACHERS)]

    def log_odds(rows: np.ndarray) -> np.ndarray:
        boosted = np.mean([tree.decision_function(rows) for tree in trees], axis=0)
        return (boosted + np.mean([log_odds_of(network, rows) for network in networks], axis=0)) / 2

    return log_odds


@dataclass(frozen=True, slots=True)
class Taught:
    """A network made from some rows."""

    encoding: Encoding
    model: bytes  # int8 TFLite
    float_log_odds: LogOdds  # the network before conversion

    def outputs(self, rows: np.ndarray) -> np.ndarray:
        """float64 [n]: what the converted network says, not calibrated."""
        interpreter = Interpreter(self.model)
        steps = interpreter.run(self.encoding.codes(rows))[:, 0].astype(float)
        return (steps - interpreter.output_zero) * interpreter.output_scale


def teach(rows: np.ndarray, fraud: np.ndarray, teacher: Teach, hidden: tuple[str, ...]) -> Taught:
    encoding = encoding_of(rows, fraud, hidden)
    codes = encoding.codes(rows)
    student = distil(codes, teacher(codes, fraud), SEED)
    model = convert(student, inputs_of(codes), SEED)
    return Taught(encoding, model, lambda more: log_odds_of(student, encoding.codes(more)))


def train_labelled(table: Table, path: Path, command: str) -> Bundle:
    """A bundle from an operator's own labelled table, calibrated to its prevalence.

    Calibration, thresholds and the figures in the card come from cross-validation: networks taught in the same way
    on the other folds. Raises ValueError when there are too few lines of either kind.
    """
    rows, fraud = table.rows, table.fraud
    if fraud is None or min(fraud.sum(), (~fraud).sum()) < 10 * FOLDS:
        raise ValueError(f"training needs {10 * FOLDS} honest and {10 * FOLDS} fraud rows at least")
    fold = folds_of(fraud)
    outputs, whole = np.empty(len(rows)), np.empty(len(rows))
    for one in range(FOLDS):
        taught = teach(rows[fold != one], fraud[fold != one], labelled_teacher, HIDDEN_FEATURES)
        outputs[fold == one] = taught.outputs(rows[fold == one])
        whole[fold == one] = taught.float_log_odds(rows[fold == one])
    calibrated = calibrate(outputs, fraud, rows, float(fraud.mean()))
    score = 1 / (1 + np.exp(-(calibrated.slope * outputs + calibrated.intercept)))
    metrics = {
        "cross-validation": {
            "folds": FOLDS,
            "auc": auc(score, fraud),
            "auc_float": auc(whole, fraud),
            "recall_at_fpr_0.01": recall_at(score, fraud, 0.01),
            "ece": expected_calibration_error(score, fraud),
        }
    }
    training = TrainingCard(
        data="labelled statistics of real subscribers",
        command=command,
        seed=SEED,
        scenarios=[],
        held_out=[f"{FOLDS} folds"],
        rows={"honest": int((~fraud).sum()), "fraud": int(fraud.sum())},
    )
    final = teach(rows, fraud, labelled_teacher, HIDDEN_FEATURES)
    card, numbers = card_of(path.resolve().name, calibrated, training), numbers_of(final)
    scorer = Scorer(write_bundle(path, card, numbers, final.model))
    numbers = msgspec.structs.replace(numbers, metrics=metrics, reference=reference_of(scorer, rows[~fraud]))
    return write_bundle(path, card, numbers, final.model)


def folds_of(fraud: np.ndarray) -> np.ndarray:
    """int64 [n]: a fold for each row, of honest and of fraud rows alike."""
    fold = np.empty(len(fraud), int)
    rng = np.random.default_rng(SEED)
    for kind in (False, True):
        chosen = np.flatnonzero(fraud == kind)
        fold[rng.permutation(chosen)] = np.arange(len(chosen)) % FOLDS
    return fold


def calibrate(outputs: np.ndarray, fraud: np.ndarray, rows: np.ndarray, prevalence: float) -> FraudClass:
    """Probabilities and thresholds, from outputs for rows that the network was not taught on."""
    slope, intercept = platt(outputs, fraud, prevalence)
    probability = 1 / (1 + np.exp(-(slope * outputs + intercept)))
    # Lines with less evidence are never flagged, so they do not raise the bar for the others.
    ripe = rows[:, NAMES.index(EVIDENCE.feature)] >= EVIDENCE.minimum
    lines = np.flatnonzero(ripe & ~fraud)
    honest = Honest(probability[lines], lines, lines, np.full(len(lines), "line"))
    watch = watch_bar(honest, share=1)
    flag = flag_bar(honest, np.ones(len(lines), bool), watch, FALSE_FLAG_COST, POPULATION_MARGIN, share=1)
    return FraudClass(FRAUD_TYPE, slope, intercept, watch, flag, EVIDENCE)


def numbers_of(taught: Taught) -> Numbers:
    return Numbers(
        typical=known(taught.encoding.typical),
        knots=[short(row) for row in taught.encoding.knots],
    )


def card_of(name: str, calibrated: FraudClass, training: TrainingCard) -> Card:
    return Card(
        name=re.sub(r"[^\w.-]", "-", name) or "subscriber",
        version=VERSION,
        rows="subscriber",
        licence=LICENCE,
        schema_hash=SUBSCRIBER_SCHEMA_HASH,
        model_sha256="0" * 64,
        model_bytes=1,
        numbers_sha256="0" * 64,
        features=NAMES,
        classes=[calibrated],
        training=training,
    )
