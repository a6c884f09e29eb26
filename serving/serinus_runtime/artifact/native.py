"""Models that don't compile: the fitted scikit-learn pipeline itself answers.

scikit-learn is imported here, and by what is imported from here, and nowhere else at serving time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serinus_runtime.artifact.encoding import decoded_column
from serinus_runtime.artifact.forest import FloatArray
from serinus_runtime.artifact.manifest import Manifest, Task
from serinus_runtime.artifact.model import NATIVE
from serinus_runtime.artifact.native_file import read_pipeline
from serinus_runtime.artifact.signature import Datatype, InputSpec


class NativePredictor:
    """Answers with the pipeline itself."""

    kind = NATIVE

    def __init__(self, pipeline: Any, inputs: Sequence[InputSpec], task: Task) -> None:
        self._pipeline = pipeline
        self._inputs = tuple(inputs)
        self._classification = task is Task.CLASSIFICATION

    def answers(self, rows: FloatArray) -> FloatArray:
        """Probabilities (n_rows, n_classes) or values (n_rows, 1)."""
        matrix = native_matrix(self._inputs, rows)
        if self._classification:
            return np.asarray(self._pipeline.predict_proba(matrix), dtype=np.float64)
        return np.asarray(self._pipeline.predict(matrix), dtype=np.float64).reshape(-1, 1)


def native_matrix(inputs: Sequence[InputSpec], rows: FloatArray) -> NDArray[Any]:
    """Encoded rows as the pipeline was fitted on them, (n_rows, n_inputs).

    Floats with NaN for missing where all inputs are numbers; else objects, with None for a missing
    text.
    """
    if not any(spec.datatype is Datatype.BYTES for spec in inputs):
        return rows
    matrix = np.empty(rows.shape, dtype=object)
    for index, spec in enumerate(inputs):
        column = rows[:, index]
        is_text = spec.datatype is Datatype.BYTES
        matrix[:, index] = decoded_column(spec, column) if is_text else column
    return matrix


def load_native(content: bytes, manifest: Manifest) -> NativePredictor:
    """The predictor of a `model.skops` that was checked by digest; raises `FormatRefused`."""
    return NativePredictor(read_pipeline(content), manifest.signature.inputs, manifest.task)
