"""Models that don't compile: the fitted scikit-learn pipeline itself, written by skops.

skops writes JSON and arrays, no pickle, and asks which types may be made again. Ours is an
list: classes of scikit-learn and a few of NumPy's and SciPy's by name. Functions are refused, for a
pipeline would call them: code would come in by the back door. The check holds at packaging as at
loading. scikit-learn is imported here and nowhere else at serving time.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import skops.io
from numpy.typing import NDArray

from serinus_runtime.artifact.encoding import decoded_column
from serinus_runtime.artifact.errors import FormatRefused
from serinus_runtime.artifact.forest import FloatArray
from serinus_runtime.artifact.manifest import Manifest, Task
from serinus_runtime.artifact.signature import Datatype, InputSpec

_ALLOWED = frozenset(
    f"builtins.{name}"
    for name in ("bool", "bytes", "complex", "dict", "float", "int", "list", "set", "slice", "str")
) | {
    "numpy.dtype",
    "numpy.ndarray",
    "numpy.random.mtrand.RandomState",
    "numpy.random._generator.Generator",
    "numpy.random._pcg64.PCG64",
    "numpy.random._mt19937.MT19937",
    "scipy.sparse._csr.csr_matrix",
    "scipy.sparse._csr.csr_array",
    "scipy.sparse._csc.csc_matrix",
    "scipy.sparse._csc.csc_array",
}
_REFUSED_MODULES = ("sklearn.utils._mocking", "sklearn.externals", "sklearn.datasets")
_REFUSED = frozenset({"sklearn.preprocessing._function_transformer.FunctionTransformer"})
"""They call whatever function the file names."""


class NativePredictor:
    """Answers with the pipeline itself."""

    kind = "native"

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


def native_bytes(pipeline: Any) -> bytes:
    """The pipeline in skops' format; raises `FormatRefused` where it holds foreign types."""
    content: bytes = skops.io.dumps(pipeline)
    _check_types(skops.io.get_untrusted_types(data=content))
    return content


def load_native(path: Path, manifest: Manifest) -> NativePredictor:
    """The predictor of a file that was checked by digest; raises `FormatRefused`."""
    try:
        untrusted = skops.io.get_untrusted_types(file=path)
        _check_types(untrusted)
        pipeline = skops.io.load(path, trusted=untrusted)
    except (KeyError, TypeError, ValueError) as error:
        raise FormatRefused(f"{path.name}: skops can't read it: {error}") from error
    return NativePredictor(pipeline, manifest.signature.inputs, manifest.task)


def _check_types(types: Sequence[str]) -> None:
    refused = [name for name in types if not _is_allowed(name)]
    if refused:
        raise FormatRefused(
            f"the model holds types that aren't allowed in an artifact: {', '.join(refused[:5])}. "
            "Use estimators of scikit-learn itself"
        )


def _is_allowed(name: str) -> bool:
    """Whether it is a listed type, or a class of scikit-learn; a function is never allowed."""
    if name in _ALLOWED:
        return True
    if not name.startswith("sklearn.") or name.startswith(_REFUSED_MODULES) or name in _REFUSED:
        return False
    module, _, attribute = name.rpartition(".")
    try:
        return isinstance(getattr(importlib.import_module(module), attribute, None), type)
    except ImportError:
        return False
