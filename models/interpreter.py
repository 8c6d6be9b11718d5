"""The TFLite runtime: the only import of one, and batched int8 inference on it.

tflite-runtime has no wheels above Python 3.11; its successor there is ai-edge-litert. Both have the same
interpreter class. The import costs about a tenth of a second, so it waits until a model is loaded.
"""

import importlib
import sys
from types import ModuleType

import numpy as np

from models.errors import BundleError, RuntimeMissingError

# Rows in one invocation. Measured on 40-32-16-3 (x86-64): 16 rows cost 0.30 us a row, 256 cost 0.10,
# 1024 cost 0.08; 256 rows fill in at most 26 us when only a few are asked for.
BATCH_ROWS = 256

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


class Interpreter:
    """One int8 model with one input [rows, inputs] and one output [rows, outputs], on one thread.

    Memory is allocated once, for BATCH_ROWS rows; longer inputs go through in chunks. Each row is computed by
    itself, so scores do not depend on how rows are split into calls. Not thread-safe.
    """

    def __init__(self, model: bytes):
        """Raises BundleError when `model` is not such a model, RuntimeMissingError without a runtime."""
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
            self._runtime.resize_tensor_input(source["index"], [BATCH_ROWS, int(source["shape"][1])])
            self._runtime.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise BundleError(f"not a TFLite model that this runtime can run: {error}") from error
        self.inputs = int(source["shape"][1])
        self.outputs = int(target["shape"][1])
        self.input_scale, self.input_zero = source["quantization"]
        self.output_scale, self.output_zero = target["quantization"]
        self._input = self._runtime.tensor(source["index"])
        self._output = self._runtime.tensor(target["index"])

    @staticmethod
    def _only(details: list[dict], what: str) -> dict:
        if len(details) != 1 or len(details[0]["shape"]) != 2 or details[0]["dtype"] != np.int8:
            raise BundleError(f"the model must have one {what}, an int8 matrix")
        return details[0]

    def run(self, rows: np.ndarray) -> np.ndarray:
        """int8 [n, inputs] -> int8 [n, outputs]; real value = (int8 - output_zero) * output_scale."""
        if rows.dtype != np.int8 or rows.ndim != 2 or rows.shape[1] != self.inputs:
            raise ValueError(f"rows must be int8 [n, {self.inputs}], not {rows.dtype} {list(rows.shape)}")
        outputs = np.empty((len(rows), self.outputs), np.int8)
        for start in range(0, len(rows), BATCH_ROWS):
            chunk = rows[start : start + BATCH_ROWS]
            # The views must be gone when the runtime is invoked; it refuses otherwise. Rows past the chunk
            # keep what they held: nobody reads them.
            self._input()[: len(chunk)] = chunk
            self._runtime.invoke()
            outputs[start : start + len(chunk)] = self._output()[: len(chunk)]
        return outputs
