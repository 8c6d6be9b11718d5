"""The TFLite runtime: the only import of one, and batched int8 inference on it.

tflite-runtime has no wheels above Python 3.11; its successor there is ai-edge-litert. Both have the same
interpreter class. The import costs about a tenth of a second, so it waits until a model is loaded.
"""

import importlib
import sys
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from models.errors import BundleError, RuntimeMissingError

# Rows in one invocation: the runtime computes all that it has memory for. A replay brings hundreds at once, a live link
# a dozen, which would pay for 256. Measured on 112-48-32-11 (x86-64): 16 rows 7 us, 64 rows 18, 256 rows 60, and then
# no less a row.
SIZES = (16, 64, 256)

RUNTIMES = ("tflite_runtime.interpreter", "ai_edge_litert.interpreter")


def load_runtime() -> ModuleType:
    """The module of the installed TFLite runtime, the one meant for this Python first.

    Raises RuntimeMissingError when neither is installed.
    """
    preferred = RUNTIMES if sys.version_info < (3, 12) else RUNTIMES[::-1]
    for name in preferred:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not name.startswith(error.name):
                raise  # the runtime is there and something of its own is missing: say that
    package = "tflite-runtime" if sys.version_info < (3, 12) else "ai-edge-litert"
    raise RuntimeMissingError(f"no TFLite runtime is installed: pip install {package}")


@dataclass(frozen=True, slots=True)
class Layer:
    """A dense layer. With inputs counted from what stands for zero, outputs are (weights @ inputs + bias) * factor,
    rounded, + zero; the rectifier is where an output of -128 stands for zero."""

    weights: np.ndarray  # int8 [outputs, inputs]
    bias: np.ndarray  # int32 [outputs]
    factor: float
    zero: int


class Interpreter:
    """One int8 model with one input [rows, inputs] and one output [rows, outputs], on one thread.

    Memory is allocated once, for each of SIZES; longer inputs go through in chunks. Each row is
    computed by itself, so scores do not depend on how rows are split into calls. Not thread-safe.
    """

    def __init__(self, model: bytes):
        """Raises BundleError when `model` is not such a model, RuntimeMissingError without a runtime."""
        self._batches = [_Batch(model, rows) for rows in SIZES]
        any_of_them = self._batches[0]
        self.inputs, self.outputs = any_of_them.inputs, any_of_them.outputs
        self.input_scale, self.input_zero = any_of_them.input_quantization
        self.output_scale, self.output_zero = any_of_them.output_quantization

    def layers(self) -> list[Layer]:
        """The network, if it is one of dense layers, each with one scale of its weights. Raises BundleError if not."""
        return self._batches[0].layers()

    def run(self, rows: np.ndarray) -> np.ndarray:
        """int8 [n, inputs] -> int8 [n, outputs]; real value = (int8 - output_zero) * output_scale."""
        if rows.dtype != np.int8 or rows.ndim != 2 or rows.shape[1] != self.inputs:
            raise ValueError(f"rows must be int8 [n, {self.inputs}], not {rows.dtype} {list(rows.shape)}")
        outputs = np.empty((len(rows), self.outputs), np.int8)
        start = 0
        while start < len(rows):
            # two of a size cost less than one of the next
            batch = next((one for one in self._batches if len(rows) - start <= 2 * one.rows), self._batches[-1])
            chunk = rows[start : start + batch.rows]
            batch.run(chunk, outputs[start : start + len(chunk)])
            start += len(chunk)
        return outputs


class _Batch:
    """The model with memory for `rows` rows."""

    def __init__(self, model: bytes, rows: int):
        self.rows = rows
        runtime = load_runtime()
        # The default delegate (XNNPACK) was no faster on models this small, and prints to stderr.
        resolver = runtime.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        try:
            self._runtime = runtime.Interpreter(
                model_content=model, num_threads=1, experimental_op_resolver_type=resolver
            )
            source, target = (
                self._only(self._runtime.get_input_details(), "input"),
                self._only(self._runtime.get_output_details(), "output"),
            )
            self._runtime.resize_tensor_input(source["index"], [rows, int(source["shape"][1])])
            self._runtime.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise BundleError(f"not a TFLite model that this runtime can run: {error}") from error
        self.inputs = int(source["shape"][1])
        self.outputs = int(target["shape"][1])
        self.input_quantization = source["quantization"]
        self.output_quantization = target["quantization"]
        self._input = self._runtime.tensor(source["index"])
        self._output = self._runtime.tensor(target["index"])

    def run(self, chunk: np.ndarray, outputs: np.ndarray) -> None:
        """Fills `outputs` with what comes of `chunk`, which are at most as many rows as there is memory for."""
        # The views must be gone when the runtime is invoked; it refuses otherwise. Rows past the chunk keep what they
        # held: nobody reads them.
        self._input()[: len(chunk)] = chunk
        self._runtime.invoke()
        outputs[:] = self._output()[: len(chunk)]

    def layers(self) -> list[Layer]:
        tensors = {tensor["index"]: tensor for tensor in self._runtime.get_tensor_details()}
        layers = []
        for operation in self._runtime._get_ops_details():
            if operation["op_name"] != "FULLY_CONNECTED":
                raise BundleError(f"the model has a layer that is not dense: {operation['op_name']}")
            source, weights, bias = operation["inputs"]
            target = operation["outputs"][0]
            scales = [tensors[index]["quantization_parameters"]["scales"] for index in (source, weights, target)]
            if any(len(one) != 1 for one in scales):
                raise BundleError("the model has a layer with more than one scale")
            in_scale, weight_scale, out_scale = (one[0] for one in scales)
            factor = float(in_scale * weight_scale) / float(out_scale)  # the product is of float32 there, too
            zero = tensors[target]["quantization"][1]
            layers.append(Layer(self._runtime.get_tensor(weights), self._runtime.get_tensor(bias), factor, zero))
        return layers

    @staticmethod
    def _only(details: list[dict], what: str) -> dict:
        if len(details) != 1 or len(details[0]["shape"]) != 2 or details[0]["dtype"] != np.int8:
            raise BundleError(f"the model must have one {what}, an int8 matrix")
        return details[0]
