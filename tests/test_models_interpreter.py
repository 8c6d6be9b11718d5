"""The interpreter against a second computation of the same network in NumPy integers."""

import math
import subprocess
import sys

import numpy as np
import pytest

from models import interpreter
from models.bundle import Bundle
from models.errors import BundleError, RuntimeMissingError
from models.interpreter import SIZES, Interpreter

BUNDLES = ("call", "source")

LARGEST = SIZES[-1]


@pytest.fixture(params=BUNDLES)
def bundle(request):
    return Bundle.shipped(request.param)


def codes(rows: int, width: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(-128, 128, (rows, width)).astype(np.int8)


def scaled(sums: np.ndarray, factor: float) -> np.ndarray:
    """`sums` times `factor` < 1 in TFLite's fixed point: a 31-bit multiplier, then a shift, each rounded up from the
    middle."""
    mantissa, exponent = math.frexp(factor)
    high = (sums * round(mantissa * 2**31) + 2**30) >> 31
    return (high + ((1 << -exponent) >> 1)) >> -exponent


def computed(machine: Interpreter, rows: np.ndarray) -> np.ndarray:
    """The network's int8 outputs, by the integer arithmetic of Jacob et al. 2018, section 2.2."""
    zero = machine.input_zero
    for layer in machine.layers():
        sums = (rows.astype(np.int64) - zero) @ layer.weights.T.astype(np.int64) + layer.bias
        rows = np.clip(scaled(sums, layer.factor) + layer.zero, -128, 127)
        zero = layer.zero
    return rows.astype(np.int8)


def test_outputs_are_those_of_the_same_integers_in_numpy(bundle):
    rows = codes(2000, len(bundle.card.features))
    machine = Interpreter(bundle.model)
    assert np.array_equal(machine.run(rows), computed(machine, rows))


def test_outputs_do_not_depend_on_how_rows_are_split(bundle):
    rows = codes(3 * LARGEST + 17, len(bundle.card.features))
    whole = Interpreter(bundle.model).run(rows)
    again = Interpreter(bundle.model)
    for size in (1, 7, LARGEST - 1, LARGEST, LARGEST + 1):
        parts = [again.run(rows[start : start + size]) for start in range(0, len(rows), size)]
        assert np.array_equal(np.concatenate(parts), whole), size


def test_no_rows_give_no_outputs(bundle):
    machine = Interpreter(bundle.model)
    assert machine.run(np.empty((0, machine.inputs), np.int8)).shape == (0, machine.outputs)


def test_rows_of_another_type_or_width_are_refused(bundle):
    machine = Interpreter(bundle.model)
    for wrong in (np.zeros((2, machine.inputs), np.float32), np.zeros((2, machine.inputs + 1), np.int8)):
        with pytest.raises(ValueError, match=f"int8 \\[n, {machine.inputs}\\]"):
            machine.run(wrong)


def test_bytes_that_are_no_model_are_refused():
    with pytest.raises(BundleError, match="not a TFLite model"):
        Interpreter(b"TFL3" + bytes(60))


def test_a_missing_runtime_is_named_with_the_way_to_get_it(monkeypatch):
    for name in interpreter.RUNTIMES:
        monkeypatch.setitem(sys.modules, name, None)
        monkeypatch.setitem(sys.modules, name.split(".", maxsplit=1)[0], None)
    with pytest.raises(RuntimeMissingError, match=r"pip install (tflite-runtime|ai-edge-litert)"):
        interpreter.load_runtime()


def test_the_runtime_is_not_imported_before_a_model_is_loaded():
    code = "import sys, models.scorer; print([name for name in sys.modules if 'tflite' in name or 'litert' in name])"
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert said.stdout == "[]\n"
