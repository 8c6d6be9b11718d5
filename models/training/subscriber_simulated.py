"""The shipped `subscriber` bundle: taught on simulated subscribers only, so that its rights are clean.

Simulated lines are told apart far too easily, and a network that leans on what makes it easy fails in the field. So the
teachers are kept plain: one weighs each feature by itself, the others see half of their inputs replaced by anything at
all and must make do with what is left. What the network reads is kept to the few features that say how calls are spread
over counterparts and time.
"""

from pathlib import Path

import msgspec
import numpy as np
from sklearn.linear_model import LogisticRegression

from kernels.schema_subscriber import subscriber_rows
from models.bundle import Bundle, TrainingCard
from models.drift import reference_of
from models.scorer import Scorer
from models.subscriber import Table, evaluate
from models.training.card import write_bundle
from models.training.distillation import Lesson, LogOdds, inputs_of, learn, log_odds_of
from models.training.subscriber import NAMES, SEED, calibrate, card_of, numbers_of, teach
from models.training.subscriber_population import simulate

# Subscribers of each kind.
TRAINING_SUBSCRIBERS, CALIBRATION_SUBSCRIBERS, HELD_OUT_SUBSCRIBERS = 8000, 4000, 4000
TRAINING_SEED, CALIBRATION_SEED, HELD_OUT_SEED = 1, 2, 3

PREVALENCE = 0.01  # of fraud lines in the field

# Left out: whatever depends more on a country's tariffs and on where the capture stands than on who calls. That goes
# for the share of outgoing calls too: a mirror may see one direction, and victims call back.
READ_FEATURES = (
    "calls_per_counterpart",
    "closest_calls_ratio",
    "distinct_ratio",
    "talk_per_counterpart_s",
    "closest_talk_ratio",
    "hours_of_day",
    "busiest_day_ratio",
    "calls_per_day",
    "counterparts_per_day",
)
UNREAD_FEATURES = tuple(name for name in NAMES if name not in READ_FEATURES)

# On real lines its scores are too low or too high by a quarter: it watches, and flags nobody. No probability is 1.
NEVER = 1.0

ADDITIVE_STRENGTH = 0.1  # inverse of the pull towards 0
SWAPPED_TEACHER = Lesson(hidden=(48, 24), epochs=20, batch_rows=512, noise=0.05, swap_ratio=0.5)
SWAPPED_TEACHERS = 3


def simulated_teacher(codes: np.ndarray, fraud: np.ndarray) -> LogOdds:
    additive = LogisticRegression(C=ADDITIVE_STRENGTH, max_iter=1000).fit(inputs_of(codes), fraud)
    swapped = [learn(codes, fraud, SWAPPED_TEACHER, SEED + index) for index in range(SWAPPED_TEACHERS)]

    def log_odds(rows: np.ndarray) -> np.ndarray:
        return (
            additive.decision_function(inputs_of(rows)) + np.mean([log_odds_of(one, rows) for one in swapped], axis=0)
        ) / 2

    return log_odds


def train_simulated(path: Path) -> Bundle:
    """The bundle `subscriber` in the folder `path`, from nothing but this source tree."""
    table, fraud, _ = simulate(TRAINING_SEED, TRAINING_SUBSCRIBERS)
    taught = teach(subscriber_rows(table), fraud, simulated_teacher, UNREAD_FEATURES)
    table, fraud, _ = simulate(CALIBRATION_SEED, CALIBRATION_SUBSCRIBERS)
    rows = subscriber_rows(table)
    calibrated = msgspec.structs.replace(calibrate(taught.outputs(rows), fraud, rows, PREVALENCE), flag=NEVER)
    training = TrainingCard(
        data="simulated only",
        command="make model",
        seed=SEED,
        scenarios=[
            f"subscribers.toml: {2 * TRAINING_SUBSCRIBERS} subscribers drawn from seed {TRAINING_SEED}",
            f"calibration: {2 * CALIBRATION_SUBSCRIBERS} subscribers drawn from seed {CALIBRATION_SEED}",
        ],
        held_out=[f"{2 * HELD_OUT_SUBSCRIBERS} subscribers drawn from seed {HELD_OUT_SEED}"],
        rows={"training": 2 * TRAINING_SUBSCRIBERS, "calibration": 2 * CALIBRATION_SUBSCRIBERS},
    )
    card, numbers = card_of("subscriber", calibrated, training), numbers_of(taught)
    scorer = Scorer(write_bundle(path, card, numbers, taught.model))
    numbers = msgspec.structs.replace(
        numbers, metrics={"held-out": held_out(scorer)}, reference=reference_of(scorer, rows[~fraud])
    )
    return write_bundle(path, card, numbers, taught.model)


def held_out(scorer: Scorer) -> dict:
    """Figures on subscribers of another seed, and the share of each honest population that is flagged."""
    statistics, fraud, population = simulate(HELD_OUT_SEED, HELD_OUT_SUBSCRIBERS)
    table = Table(statistics, fraud, None)
    verdict = scorer.score(table.rows).verdict
    figures = {key: value for key, value in evaluate(scorer, table).items() if isinstance(value, float)}
    flagged = {str(name): float((verdict[population == name] == 2).mean()) for name in np.unique(population)}
    return {**figures, "flagged_by_population": flagged}
