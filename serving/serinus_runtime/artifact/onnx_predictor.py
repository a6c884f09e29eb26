"""Models that run as ONNX: our own preparation of the columns, then the estimator in onnxruntime.

onnxruntime is imported here and nowhere else, and this module only where a model needs it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnxruntime

from serinus_runtime.artifact.errors import refusing
from serinus_runtime.artifact.forest import FloatArray
from serinus_runtime.artifact.manifest import ONNX_FILE
from serinus_runtime.artifact.model import ONNX
from serinus_runtime.artifact.onnx_file import checked_onnx
from serinus_runtime.artifact.plan import Operation, transformed

ROWS_AT_ONCE = 256
"""A neighbour search holds a distance for each of these and each row that it has learnt."""

_FATAL = 4

onnxruntime.disable_telemetry_events()
# What goes wrong is an exception, told where it is caught: a log of JSON has no room for both.
onnxruntime.set_default_logger_severity(_FATAL)


class OnnxPredictor:
    """Answers encoded rows: `operations`, then the model of `content`; raises `FormatRefused`."""

    kind = ONNX

    def __init__(self, operations: Sequence[Operation], content: bytes) -> None:
        self._operations = tuple(operations)
        with refusing(ONNX_FILE):
            self._session = onnxruntime.InferenceSession(
                checked_onnx(content), _options(), providers=["CPUExecutionProvider"]
            )
        self._input = self._session.get_inputs()[0].name
        self._outputs = [self._session.get_outputs()[0].name]

    def answers(self, rows: FloatArray) -> FloatArray:
        """Probabilities (n_rows, n_classes) or values (n_rows, 1)."""
        if len(rows) <= ROWS_AT_ONCE:
            return self._of_some(rows)
        parts = range(0, len(rows), ROWS_AT_ONCE)
        return np.concatenate([self._of_some(rows[at : at + ROWS_AT_ONCE]) for at in parts])

    def _of_some(self, rows: FloatArray) -> FloatArray:
        columns = rows
        for operation in self._operations:
            columns = transformed(operation, columns)
        given = {self._input: np.ascontiguousarray(columns)}
        answers = np.asarray(self._session.run(self._outputs, given)[0], dtype=np.float64)
        return answers.reshape(len(rows), -1)


def _options() -> onnxruntime.SessionOptions:
    """One thread, which is the caller's, and memory that is given back.

    The server has its own threads and workers, and a pod's limit counts what an arena keeps.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    options.log_severity_level = _FATAL
    return options
