"""A small network that has learnt from stronger teachers: what a bundle can hold, near what they know."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from models.training.network import SwapNoise, build, inputs_of, repeatable

HIDDEN = (64, 32)

# Rows made up for the teachers to judge: between two real ones, some values swapped, a little noise. They fill the
# space that few labelled rows leave open, and a teacher says of them what it would say of a real one.
MADE_UP_ROWS = 40_000
REAL_REPEATS = 4
MIXED_RATIO, MOST_MIXED = 0.7, 0.5
SWAPPED_RATIO = 0.1
MADE_UP_NOISE = 0.03

LogOdds = Callable[[np.ndarray], np.ndarray]  # int8 [n, features] -> float64 [n]


@dataclass(frozen=True, slots=True)
class Lesson:
    """How a network is taught."""

    hidden: tuple[int, ...] = HIDDEN
    epochs: int = 60
    batch_rows: int = 256
    learning_rate: float = 3e-3
    weight_decay: float = 1e-3
    noise: float = 0.07  # of the inputs, whose range is -1..1
    swap_ratio: float = 0.0  # of inputs replaced by anything at all
    dropout: float = 0.0


STUDENT = Lesson(batch_rows=512, weight_decay=1e-4, noise=0.01)


def learn(codes: np.ndarray, targets: np.ndarray, lesson: Lesson, seed: int) -> "tf.keras.Model":
    """int8 [n, features], float [n] in 0..1 -> a network that gives log-odds [n, 1]. The same for the same seed."""
    repeatable(seed)
    body = build(codes.shape[1], 1, lesson.hidden)
    layers = [tf.keras.layers.GaussianNoise(lesson.noise, seed=seed), SwapNoise(lesson.swap_ratio, seed)]
    if lesson.dropout:
        layers += [
            layer for one in body.layers[:-1] for layer in (one, tf.keras.layers.Dropout(lesson.dropout, seed=seed))
        ]
        layers.append(body.layers[-1])
    else:
        layers.append(body)
    learner = tf.keras.Sequential(layers)
    steps = lesson.epochs * -(-len(codes) // lesson.batch_rows)
    learner.compile(
        optimizer=tf.keras.optimizers.AdamW(
            tf.keras.optimizers.schedules.CosineDecay(lesson.learning_rate, steps), weight_decay=lesson.weight_decay
        ),
        loss=tf.keras.losses.BinaryCrossentropy(from_logits=True),
    )
    learner.fit(
        inputs_of(codes), targets.astype(np.float32), batch_size=lesson.batch_rows, epochs=lesson.epochs, verbose=0
    )
    return body


def distil(codes: np.ndarray, teacher: LogOdds, seed: int) -> "tf.keras.Model":
    """A student of HIDDEN that says what the teacher says, of real and of made-up rows."""
    rows = np.concatenate([made_up(codes, np.random.default_rng(seed)), *[codes] * REAL_REPEATS])
    return learn(rows, 1 / (1 + np.exp(-teacher(rows))), STUDENT, seed)


def made_up(codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """int8 [n, features] -> int8 [MADE_UP_ROWS, features]."""
    one, other = (codes[rng.integers(len(codes), size=MADE_UP_ROWS)].astype(float) for _ in range(2))
    share = rng.uniform(0, MOST_MIXED, (MADE_UP_ROWS, 1)) * (rng.random((MADE_UP_ROWS, 1)) < MIXED_RATIO)
    mixed = one + share * (other - one)
    mixed = np.where(rng.random(mixed.shape) < SWAPPED_RATIO, other, mixed)
    return np.clip(np.round(mixed + rng.normal(0, 128 * MADE_UP_NOISE, mixed.shape)), -128, 127).astype(np.int8)


def log_odds_of(model: "tf.keras.Model", codes: np.ndarray) -> np.ndarray:
    """int8 [n, features] -> float64 [n]."""
    return model(inputs_of(codes)).numpy()[:, 0].astype(float)
