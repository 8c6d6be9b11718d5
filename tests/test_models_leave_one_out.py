"""The variants of rows without one feature: what the kernel says of them is what the runtime says."""

import dataclasses

import numpy as np
import pytest

from models.bundle import Bundle
from models.errors import BundleError
from models.interpreter import Interpreter, Layer
from models.leave_one_out import LeaveOneOut
from models.scorer import Scorer

EXTREMES = np.array([-128, 127], np.int8)


@pytest.fixture(scope="module", params=("call", "source", "subscriber"))
def scorer(request) -> Scorer:
    return Scorer(Bundle.shipped(request.param))


def any_codes(typical: np.ndarray, count: int) -> np.ndarray:
    """A third of any codes, a third of the extremes, a third as typical as not."""
    rng = np.random.default_rng(7)
    codes = rng.integers(-128, 128, (3 * count, len(typical))).astype(np.int8)
    codes[:count] = rng.choice(EXTREMES, (count, len(typical)))
    return np.where((rng.random(codes.shape) < 0.5) & (np.arange(3 * count) < 2 * count)[:, None], typical, codes)


def test_every_variant_has_the_outputs_of_the_runtime_bit_for_bit(scorer):
    typical = scorer.typical_codes
    codes = any_codes(typical, 300)
    alone, without, column, first = LeaveOneOut(scorer.interpreter.layers(), typical).outputs(codes)
    assert np.array_equal(alone, scorer.interpreter.run(codes))
    variants = np.repeat(codes, np.diff(first), axis=0)
    variants[np.arange(len(variants)), column] = typical[column]
    assert np.array_equal(without, scorer.interpreter.run(variants))


def computed(layers: list[Layer], codes: np.ndarray) -> np.ndarray:
    """The fixed point of Jacob et al. 2018, 2.2, in whole numbers: int8 [n, inputs] -> int8 [n, outputs]."""
    values = codes.astype(np.int64)
    for layer in layers:
        mantissa, exponent = np.frexp(layer.factor)
        product = (values @ layer.weights.T.astype(np.int64) + layer.bias) * round(mantissa * 2**31)
        rounded = (product + 2**30) >> 31
        values = np.clip((rounded + (2**-exponent >> 1)) >> -exponent, -128 - layer.zero, 127 - layer.zero)
    return (values + layers[-1].zero).astype(np.int8)


@pytest.mark.parametrize("zero", [-128, -40, 0])
def test_a_layer_need_not_have_a_rectifier(scorer, zero):
    typical = scorer.typical_codes
    codes = any_codes(typical, 20)
    layers = scorer.interpreter.layers()
    layers[0] = dataclasses.replace(layers[0], zero=zero)
    alone, without, column, first = LeaveOneOut(layers, typical).outputs(codes)
    variants = np.repeat(codes, np.diff(first), axis=0)
    variants[np.arange(len(variants)), column] = typical[column]
    assert np.array_equal(alone, computed(layers, codes))
    assert np.array_equal(without, computed(layers, variants))


def test_what_is_typical_already_has_no_variant_and_all_else_has_one(scorer):
    typical = scorer.typical_codes
    codes = np.array([typical, any_codes(typical, 1)[2], typical, any_codes(typical, 1)[0]])
    _, without, column, first = LeaveOneOut(scorer.interpreter.layers(), typical).outputs(codes)
    row, expected = (codes != typical).nonzero()
    assert column.tolist() == expected.tolist()
    assert first.tolist() == [0, *np.cumsum(np.bincount(row, minlength=4)).tolist()]
    assert len(without) == len(column)


def test_rows_that_are_all_typical_and_no_rows_have_no_variants(scorer):
    machine = LeaveOneOut(scorer.interpreter.layers(), scorer.typical_codes)
    for codes in (scorer.typical_codes[None].repeat(3, axis=0), scorer.typical_codes[None][:0]):
        alone, without, column, _ = machine.outputs(codes)
        assert (len(alone), len(without), len(column)) == (len(codes), 0, 0)


def test_rows_of_another_width_are_refused(scorer):
    machine = LeaveOneOut(scorer.interpreter.layers(), scorer.typical_codes)
    with pytest.raises(ValueError, match=f"expected {len(scorer.typical_codes)} features"):
        machine.outputs(np.zeros((2, len(scorer.typical_codes) + 1), np.int8))


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda layer: {"bias": layer.bias + 2**21},
        lambda layer: {"factor": 1.5},
        lambda layer: {"weights": np.ones((300, layer.weights.shape[1]), np.int8), "bias": np.zeros(300, np.int32)},
    ],
)
def test_a_layer_outside_the_arithmetic_of_the_kernel_is_refused(scorer, spoilt):
    layers = scorer.interpreter.layers()
    layers[1] = dataclasses.replace(layers[1], **spoilt(layers[1]))
    with pytest.raises(BundleError, match="layer 2 of the model"):
        LeaveOneOut(layers, scorer.typical_codes)


def test_layers_that_do_not_fit_each_other_are_refused(scorer):
    layers = scorer.interpreter.layers()
    for wrong in ([], layers[1:], [layers[0], layers[2]]):
        with pytest.raises(BundleError, match="layer"):
            LeaveOneOut(wrong, scorer.typical_codes)


def test_a_network_that_is_not_of_dense_layers_is_refused(monkeypatch):
    machine = Interpreter(Bundle.shipped("call").model)
    monkeypatch.setattr(machine._batches[0]._runtime, "_get_ops_details", lambda: [{"op_name": "CONV_2D"}])
    with pytest.raises(BundleError, match="CONV_2D"):
        machine.layers()
