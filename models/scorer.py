"""Feature rows -> calibrated scores, verdicts and fraud types, a batch at a time."""

import msgspec
import numpy as np

from kernels.encode import Encoder
from models.bundle import Bundle
from models.errors import BundleError
from models.fraud_types import BIT_OF
from models.interpreter import Interpreter
from models.judge import Judge
from models.leave_one_out import LeaveOneOut

# The encoding's int8 steps, as the network reads them: -128..127 is -1..127/128.
INPUT_SCALE, INPUT_ZERO = 1 / 128, 0


def firsts(counts: list[int]) -> np.ndarray:
    """int32 [n + 1]: where parts of such lengths begin, and where the last one ends."""
    return np.cumsum([0, *counts]).astype(np.int32)


def encoder(knots: list[list[float]], typical: list[float]) -> Encoder:
    """The model's input encoding. What is not known (NaN) is read as the typical value; where honest rows never
    know it either, as the middle knot."""
    table = np.array(knots, np.float32)
    middle = Encoder(table, np.zeros(len(table), np.int8))
    return Encoder(table, middle.encode(np.array([typical], np.float32))[0])


class Scores(msgspec.Struct, frozen=True):
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
        self._encoder = encoder(bundle.numbers.knots, bundle.typical)
        self.typical_codes = self._encoder.missing
        self._leave_one_out = LeaveOneOut(self.interpreter.layers(), self.typical_codes)
        self._log_odds = self._log_odds_table()
        self._judge = self._judge_of(self._log_odds)

    def _judge_of(self, log_odds: np.ndarray) -> Judge:
        card = self.bundle.card
        probability = 1 / (1 + np.exp(-log_odds))
        bars = [(index, *bar) for index, one in enumerate(card.classes) for bar in one.bars()]
        asked = [one for _, _, evidence in bars for one in evidence]
        return Judge(
            log_odds,
            np.stack([probability[i] >= one.watch for i, one in enumerate(card.classes)]).astype(np.uint8),
            np.array([BIT_OF[one.fraud_type] for one in card.classes], np.uint32),
            firsts([len(one.bars()) for one in card.classes]),
            np.stack([probability[index] >= flag for index, flag, _ in bars]).astype(np.uint8),
            firsts([len(evidence) for _, _, evidence in bars]),
            np.array([card.features.index(one.feature) for one in asked], np.int32),
            np.array([one.minimum for one in asked], float),
        )

    def _log_odds_table(self) -> np.ndarray:
        """float64 [classes, 256]: what each int8 output means, so that a batch needs no arithmetic for it."""
        steps = (np.arange(-128, 128) - self.interpreter.output_zero) * self.interpreter.output_scale
        return np.stack([one.slope * steps + one.intercept for one in self.bundle.card.classes])

    def encode(self, rows: np.ndarray) -> np.ndarray:
        """float32 [n, features], C order, NaN where a value is not known, -> network input: int8 alike."""
        return self._encoder.encode(rows)

    def score(self, rows: np.ndarray) -> Scores:
        """float32 [n, features], C order, NaN where a value is not known, -> Scores of n."""
        return Scores(*self._judge.judge(self.interpreter.run(self.encode(rows)), rows))

    def class_log_odds(self, codes: np.ndarray) -> np.ndarray:
        """Network input, int8 [n, features] -> float64 [n, classes]: calibrated log-odds of each fraud type."""
        columns = np.arange(len(self._log_odds))
        return self._log_odds[columns, self.interpreter.run(codes).astype(np.intp) + 128]

    def leave_one_out(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Network input, int8 [n, features] -> (alone float64 [n], without float64 [m], column int32 [m], first int64
        [n + 1]): log(score / (1 - score)), exact at both ends, of each row, and of row `i` with one column put back to
        typical, from first[i] to first[i + 1]."""
        alone, without, column, first = self._leave_one_out.outputs(codes)
        return self._judge.log_odds(alone), self._judge.log_odds(without), column, first
