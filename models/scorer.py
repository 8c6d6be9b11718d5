"""Feature rows -> calibrated scores, verdicts and fraud types, a batch at a time."""

from dataclasses import dataclass

import numpy as np

from kernels.encode import Encoder
from models.bundle import Bundle
from models.errors import BundleError
from models.fraud_types import BIT_OF
from models.interpreter import Interpreter
from models.verdict import FLAG, PASS, WATCH

# The encoding's int8 steps, as the network reads them: -128..127 is -1..127/128.
INPUT_SCALE, INPUT_ZERO = 1 / 128, 0


def encoder(knots: list[list[float]], typical: list[float]) -> Encoder:
    """The model's input encoding. What is not known (NaN) is read as the typical value; where honest rows never
    know it either, as the middle knot."""
    table = np.array(knots, np.float32)
    middle = Encoder(table, np.zeros(len(table), np.int8))
    return Encoder(table, middle.encode(np.array([typical], np.float32))[0])


@dataclass(frozen=True, slots=True)
class Scores:
    """Of n rows."""

    score: np.ndarray  # float32 [n], 0..1: the probability that any of the bundle's frauds is at work
    verdict: np.ndarray  # uint8 [n]: PASS, WATCH, FLAG
    types: np.ndarray  # uint32 [n]: mask of the fraud types watched or flagged (models/fraud_types.py)


class Scorer:
    """A bundle at work. Not thread-safe: the interpreter's memory is shared between calls."""

    def __init__(self, bundle: Bundle):
        """Raises BundleError when the model does not fit its own bundle.toml."""
        self.bundle = bundle
        card = bundle.card
        self.interpreter = Interpreter(bundle.model)
        shape = (self.interpreter.inputs, self.interpreter.outputs)
        if shape != (len(card.features), len(card.classes)):
            raise BundleError(
                f"{bundle.path}: model.tflite is {shape[0]} -> {shape[1]}, bundle.toml has "
                f"{len(card.features)} features and {len(card.classes)} classes"
            )
        if (self.interpreter.input_scale, self.interpreter.input_zero) != (INPUT_SCALE, INPUT_ZERO):
            raise BundleError(f"{bundle.path}: model.tflite reads its input at another scale than 1/128")
        self._encoder = encoder(card.knots, card.typical)
        self.typical_codes = self._encoder.missing
        self._log_odds = self._log_odds_table()
        probability = 1 / (1 + np.exp(-self._log_odds))
        self._probability = probability.astype(np.float32)
        self._level = np.full(probability.shape, PASS, np.uint8)
        for index, one in enumerate(card.classes):
            self._level[index, probability[index] >= one.watch] = WATCH
            self._level[index, probability[index] >= one.flag] = FLAG
        self._columns = np.arange(len(card.classes))
        self._bits = np.array([BIT_OF[one.fraud_type] for one in card.classes], np.uint32)
        asking = [(index, one.evidence) for index, one in enumerate(card.classes) if one.evidence is not None]
        self._asking = np.array([index for index, _ in asking], np.intp)
        self._evidence = np.array([card.features.index(evidence.feature) for _, evidence in asking], np.intp)
        self._minimum = np.array([evidence.minimum for _, evidence in asking])

    def _log_odds_table(self) -> np.ndarray:
        """float64 [classes, 256]: what each int8 output means, so that a batch needs no arithmetic for it."""
        steps = (np.arange(-128, 128) - self.interpreter.output_zero) * self.interpreter.output_scale
        return np.stack([one.slope * steps + one.intercept for one in self.bundle.card.classes])

    def encode(self, rows: np.ndarray) -> np.ndarray:
        """float32 [n, features], C order, NaN where a value is not known, -> network input: int8 alike."""
        return self._encoder.encode(rows)

    def score(self, rows: np.ndarray) -> Scores:
        """float32 [n, features], C order, NaN where a value is not known, -> Scores of n."""
        outputs = self._outputs(self.encode(rows))
        score = 1 - np.prod(1 - self._probability[self._columns, outputs], axis=1)
        level = self._level[self._columns, outputs]
        thin = ~(rows[:, self._evidence] >= self._minimum)  # NaN, too
        level[:, self._asking] = np.minimum(level[:, self._asking], np.where(thin, WATCH, FLAG))
        named = (level >= WATCH) * self._bits
        return Scores(score, level.max(axis=1, initial=PASS), named.sum(axis=1, dtype=np.uint32))

    def class_log_odds(self, codes: np.ndarray) -> np.ndarray:
        """Network input, int8 [n, features] -> float64 [n, classes]: calibrated log-odds of each fraud type."""
        return self._log_odds[self._columns, self._outputs(codes)]

    def log_odds(self, codes: np.ndarray) -> np.ndarray:
        """Network input, int8 [n, features] -> float64 [n]: log(score / (1 - score)), exact at both ends."""
        # score = 1 - prod(1 - p); -log(1 - p) is softplus of p's log-odds.
        return np.log(np.expm1(np.logaddexp(0, self.class_log_odds(codes)).sum(axis=1)))

    def _outputs(self, codes: np.ndarray) -> np.ndarray:
        """int8 [n, features] -> uint8 [n, classes]: for each output its column in the tables."""
        return self.interpreter.run(codes).view(np.uint8) ^ np.uint8(128)
