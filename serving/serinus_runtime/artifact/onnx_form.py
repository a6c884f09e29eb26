"""Whether and how a fitted scikit-learn model that doesn't compile becomes ONNX.

The preparation of the columns is read as for a plan, and stays ours; only the estimator behind it
is converted, from and to 64-bit floats. Whether the converter and onnxruntime were right isn't
decided here but measured, on the rows that a plan is measured on (`equality`).

skl2onnx is imported here and nowhere else, and only where a model is converted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from serinus_runtime.artifact.compile import prepared_columns
from serinus_runtime.artifact.errors import FormatRefused
from serinus_runtime.artifact.manifest import Task
from serinus_runtime.artifact.not_compilable import NotCompilable, NotCompilableError
from serinus_runtime.artifact.onnx_file import OPERATOR_SETS, written_onnx
from serinus_runtime.artifact.plan import Operation
from serinus_runtime.artifact.signature import InputSpec
from serinus_runtime.artifact.symbolic_columns import plan_operations

_FAMILIES = (
    "CCA CalibratedClassifierCV GaussianNB GaussianProcessClassifier GaussianProcessRegressor "
    "KNeighborsClassifier KNeighborsRegressor MLPClassifier MLPRegressor NuSVC PLSCanonical "
    "PLSRegression QuadraticDiscriminantAnalysis RANSACRegressor SGDClassifier SVC TweedieRegressor"
)
ONNX_FAMILIES = frozenset(_FAMILIES.split())
"""Names of the estimators that are tried. Of others the converter is known to know nothing, to make
what onnxruntime refuses, or, of some ensembles, not to end."""
LEARNT_ROWS_MAX = 4000
"""Rows that an estimator may keep and compare each request with. A search in scikit-learn's trees
is as quick from about here on, and takes less memory."""
_INPUT = "columns"
_PROBABILITIES = "probabilities"
_REASON_CHARACTERS = 120


@dataclass(frozen=True, slots=True, eq=False)
class OnnxForm:
    """A converted model: `operations` prepare the columns, `content` is the estimator's file."""

    operations: tuple[Operation, ...]
    content: bytes


def onnx_form(pipeline: Any, inputs: Sequence[InputSpec], task: Task) -> OnnxForm | NotCompilable:
    """Convert a fitted pipeline or estimator whose columns are `inputs`, in order."""
    try:
        estimator, columns = prepared_columns(pipeline, inputs)
        _check_family(estimator)
        content = _converted(estimator, len(columns), task)
        return OnnxForm(plan_operations(columns), content)
    except (NotCompilableError, FormatRefused) as error:
        return NotCompilable(str(error))


def _check_family(estimator: Any) -> None:
    name = type(estimator).__name__
    if name not in ONNX_FAMILIES:
        raise NotCompilableError("it has no ONNX form")
    learnt = getattr(estimator, "_fit_X", getattr(estimator, "X_train_", ()))
    if hasattr(learnt, "toarray"):
        raise NotCompilableError("it keeps rows as a sparse matrix, which has no ONNX form")
    rows = len(learnt)
    if rows > LEARNT_ROWS_MAX:
        raise NotCompilableError(
            f"as ONNX it would compare each request with {rows} rows, more than {LEARNT_ROWS_MAX}"
        )


def _converted(estimator: Any, width: int, task: Task) -> bytes:
    """Bytes of the estimator as ONNX; raises `NotCompilableError`, `FormatRefused`."""
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import DoubleTensorType

    is_classification = task is Task.CLASSIFICATION
    options = {id(estimator): {"zipmap": False}} if is_classification else None
    try:
        model = convert_sklearn(
            estimator,
            initial_types=[(_INPUT, DoubleTensorType([None, width]))],
            options=options,
            target_opset=OPERATOR_SETS,
        )
    except MemoryError:
        raise
    except Exception as error:  # the converter's own, of whatever kind
        raise NotCompilableError(f"it can't be converted to ONNX: {told(error)}") from error
    output = _PROBABILITIES if is_classification else model.graph.output[0].name
    return written_onnx(model.SerializeToString(), output)


def told(error: Exception) -> str:
    """The first sentence of what a library says, which may be pages."""
    first = " ".join(str(error).split()).partition(". ")[0]
    return f"{type(error).__name__}: {first}"[:_REASON_CHARACTERS]
