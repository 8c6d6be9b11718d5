"""The network itself: Keras in, int8 TFLite out. The only import of TensorFlow."""

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
import tensorflow as tf

TEACHER_HIDDEN = (96, 48)
TEACHERS_SHARE = 0.7  # of what a pupil learns; the rest are labels

# Of log-odds that are learnt: beyond these all is the same. Most are of the honest and far below any bar; with them
# learnt to the last digit, little of a small network is left for where verdicts change.
LEAST_TAUGHT_LOG_ODDS, MOST_TAUGHT_LOG_ODDS = -4.0, 12.0
TAUGHT_SCALE = 0.1  # of the squares of log-odds, beside the labels' cross-entropy
TRAIN_BATCH_ROWS = 1024
LEARNING_RATE = 4e-3
WEIGHT_DECAY = 1e-4

# Simulated populations are cleaner than the field. Noise of about half a knot's distance, and inputs that are
# swapped for anything at all, keep the network from leaning on one sharp edge, and from caring about an input that
# never changes in training.
INPUT_NOISE = 0.06
INPUT_SWAP_RATIO = 0.006
LABEL_SMOOTHING = 0.002

# A row of which all is forgotten that the caller, the callee, the address or the route would tell. In the towns that
# teach, each of them gives many a fraud away; the next town's may not, or a box may have been started just now.
FORGOTTEN_RATIO = 0.25

REPRESENTATIVE_ROWS = 2000


class SwapNoise(tf.keras.layers.Layer):
    """In training, replaces a share of the inputs by uniform noise over the encoding's range."""

    def __init__(self, ratio: float, seed: int):
        super().__init__()
        self.ratio = ratio
        self.generator = tf.random.Generator.from_seed(seed)

    def call(self, inputs, training=False):
        if not training:
            return inputs
        shape = tf.shape(inputs)
        noise = self.generator.uniform(shape, -1.0, 1.0)
        return tf.where(self.generator.uniform(shape) < self.ratio, noise, inputs)


class Forgetting(tf.keras.layers.Layer):
    """In training, puts all inputs of a group back to their typical values in a share of the rows, by chance."""

    def __init__(self, ratio: float, groups: np.ndarray, typical: np.ndarray, seed: int):
        """groups: int [features], -1 for what is always known; typical: float32 [features], as the network reads it."""
        super().__init__()
        self.ratio = ratio
        self.count = int(groups.max(initial=-1)) + 1
        # One more column, in which nothing is forgotten, for the group -1.
        self.columns = np.where(groups < 0, self.count, groups)
        self.typical = typical
        self.generator = tf.random.Generator.from_seed(seed)

    def call(self, inputs, training=False):
        if not training or not self.count:
            return inputs
        rows = tf.shape(inputs)[0]
        forgotten = self.generator.uniform((rows, self.count)) < self.ratio
        forgotten = tf.concat([forgotten, tf.zeros((rows, 1), tf.bool)], axis=1)
        return tf.where(tf.gather(forgotten, self.columns, axis=1), self.typical, inputs)


@dataclass(frozen=True, slots=True)
class Lesson:
    """What networks are taught."""

    encoded: np.ndarray  # int8 [n, features]
    targets: np.ndarray  # float32 [n, classes] of 0 and 1, NaN for what is not asked
    weights: np.ndarray  # float32 [n]
    groups: np.ndarray  # int [features]: what is forgotten together, -1 for what is not
    typical: np.ndarray  # int8 [features]
    epochs: int  # of the teachers
    pupil_epochs: int
    hidden: tuple[int, ...]  # of the pupil
    by_log_odds: bool  # the pupil learns its teachers' log-odds, and not their probabilities


class Pupil(tf.keras.Model):
    """A network in training: it learns from spoilt inputs, and from teachers, when it has any, beside the labels.

    Teachers are asked about the inputs as spoilt, so that the pupil learns what they say there, too, and not by heart.
    """

    def __init__(
        self,
        spoil: "tf.keras.Model",
        body: "tf.keras.Model",
        teachers: "list[tf.keras.Model]",
        unlikeness: "Callable[[tf.Tensor, tf.Tensor], tf.Tensor]",
    ):
        """unlikeness: of its log-odds to its teachers'."""
        super().__init__()
        self.spoil, self.body, self.unlikeness = spoil, body, unlikeness
        self._teachers = tuple(teachers)  # no part of what is trained

    def call(self, inputs, training=False):
        return self.body(inputs)

    def train_step(self, data):
        inputs, targets, weights = tf.keras.utils.unpack_x_y_sample_weight(data)
        inputs = self.spoil(inputs, training=True)
        asked = tf.logical_not(tf.math.is_nan(targets))
        targets = tf.where(asked, targets, 0.0) * (1 - LABEL_SMOOTHING) + LABEL_SMOOTHING / 2
        with tf.GradientTape() as tape:
            outputs = self.body(inputs)
            losses = tf.where(asked, tf.nn.sigmoid_cross_entropy_with_logits(targets, outputs), 0.0)
            if self._teachers:
                said = tf.add_n([teacher(inputs) for teacher in self._teachers]) / len(self._teachers)
                losses = TEACHERS_SHARE * self.unlikeness(outputs, said) + (1 - TEACHERS_SHARE) * losses
            loss = tf.reduce_mean(tf.reshape(weights, (-1, 1)) * losses)
        variables = self.body.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return {"loss": loss}


def of_probabilities(outputs: "tf.Tensor", said: "tf.Tensor") -> "tf.Tensor":
    """How far log-odds are from those that are to be learnt, in probability."""
    return tf.nn.sigmoid_cross_entropy_with_logits(tf.sigmoid(said), outputs)


def of_log_odds(outputs: "tf.Tensor", said: "tf.Tensor") -> "tf.Tensor":
    """The same in log-odds. That a case is at 0.9999 rather than 0.99 decides whether it is flagged, and is nothing to
    a probability."""
    kept = tf.clip_by_value(said, LEAST_TAUGHT_LOG_ODDS, MOST_TAUGHT_LOG_ODDS)
    below = tf.logical_and(said < LEAST_TAUGHT_LOG_ODDS, outputs < LEAST_TAUGHT_LOG_ODDS)
    above = tf.logical_and(said > MOST_TAUGHT_LOG_ODDS, outputs > MOST_TAUGHT_LOG_ODDS)
    return TAUGHT_SCALE * tf.where(below | above, 0.0, tf.square(outputs - kept))


def train(lesson: Lesson, seed: int, tries: int) -> bytes:
    """The bytes of model.tflite: `tries` larger networks from different seeds, and a small one that learns from them.

    What single networks learn differs by several points for types with few campaigns; their mean does not.
    The same lesson gives the same bytes on the same TensorFlow build and kind of processor. What repeats is one thread,
    so teachers are taught side by side, in a process each.
    """
    with ProcessPoolExecutor(min(tries, os.cpu_count() or 1), get_context("spawn")) as pool:
        learnt = list(pool.map(teacher_weights, [lesson] * tries, [seed + 1 + one for one in range(tries)]))
    repeatable(seed)
    teachers = [of_weights(lesson, TEACHER_HIDDEN, weights) for weights in learnt]
    pupil = taught(lesson, lesson.hidden, lesson.pupil_epochs, seed, teachers)
    return convert(pupil, inputs_of(lesson.encoded), seed)


def teacher_weights(lesson: Lesson, seed: int) -> list[np.ndarray]:
    repeatable(seed)
    return taught(lesson, TEACHER_HIDDEN, lesson.epochs, seed, []).get_weights()


def of_weights(lesson: Lesson, hidden: tuple[int, ...], weights: list[np.ndarray]) -> "tf.keras.Model":
    body = build(lesson.encoded.shape[1], lesson.targets.shape[1], hidden)
    body.set_weights(weights)
    return body


def taught(
    lesson: Lesson, hidden: tuple[int, ...], epochs: int, seed: int, teachers: "list[tf.keras.Model]"
) -> "tf.keras.Model":
    """A network that gives log-odds [n, classes] of inputs in -1..1."""
    tf.keras.utils.set_random_seed(seed)
    inputs = inputs_of(lesson.encoded)
    body = build(inputs.shape[1], lesson.targets.shape[1], hidden)
    spoil = tf.keras.Sequential(
        [
            Forgetting(FORGOTTEN_RATIO, lesson.groups, inputs_of(lesson.typical), seed),
            tf.keras.layers.GaussianNoise(INPUT_NOISE, seed=seed),
            SwapNoise(INPUT_SWAP_RATIO, seed),
        ]
    )
    pupil = Pupil(spoil, body, teachers, of_log_odds if lesson.by_log_odds else of_probabilities)
    steps = epochs * -(-len(inputs) // TRAIN_BATCH_ROWS)
    pupil.compile(
        optimizer=tf.keras.optimizers.AdamW(
            tf.keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps), weight_decay=WEIGHT_DECAY
        ),
    )
    pupil.fit(
        inputs,
        lesson.targets,
        sample_weight=lesson.weights,
        batch_size=TRAIN_BATCH_ROWS,
        epochs=epochs,
        verbose=0,
    )
    return body


def inputs_of(codes: np.ndarray) -> np.ndarray:
    """Codes as the network reads them."""
    return codes.astype(np.float32) / 128


def repeatable(seed: int) -> None:
    """From here on TensorFlow does the same on every run."""
    tf.keras.backend.clear_session()  # layers are numbered from one again, and their names are in the model
    tf.keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    if tf.config.threading.get_intra_op_parallelism_threads() != 1:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)


def build(features: int, classes: int, hidden: tuple[int, ...]) -> "tf.keras.Model":
    layers = [tf.keras.layers.Input((features,))]
    layers += [tf.keras.layers.Dense(width, activation="relu") for width in hidden]
    return tf.keras.Sequential([*layers, tf.keras.layers.Dense(classes)])


def convert(body: "tf.keras.Model", inputs: np.ndarray, seed: int) -> bytes:
    """Full-integer quantisation. The inputs' ends, -1 and 127/128, are shown to the converter, so that its
    input scale is exactly the encoding's step and encoded rows are fed as they are."""
    chosen = np.random.default_rng(seed).permutation(len(inputs))[:REPRESENTATIVE_ROWS]
    ends = np.full((2, inputs.shape[1]), -1, np.float32)
    ends[1] = 127 / 128
    converter = tf.lite.TFLiteConverter.from_keras_model(body)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([row[None]] for row in np.concatenate([ends, inputs[chosen]]))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter.convert()
