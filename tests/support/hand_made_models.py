"""Models of each task that nobody trained, with all kinds of inputs: plans of a few numbers."""

import numpy as np

from serinus_runtime.artifact.manifest import Equality, Manifest, Task
from serinus_runtime.artifact.model import Model
from serinus_runtime.artifact.plan import (
    Concatenate,
    Impute,
    Linear,
    Link,
    OneHot,
    Operation,
    Plan,
    Select,
)
from serinus_runtime.artifact.plan_check import check_plan
from serinus_runtime.artifact.plan_predictor import PlanPredictor
from serinus_runtime.artifact.signature import Datatype, InputSpec, OutputSpec, Signature
from serinus_runtime.kernel.tensor_kernel import TensorKernel
from serinus_runtime.server.prediction_bins import bins_of
from serinus_runtime.server.prediction_id import PredictionIds
from serinus_runtime.server.usual_tensors import usual_tensors
from tests.support.random_forests import Shape, random_forest

INPUTS = (
    InputSpec("distance", Datatype.FP64, minimum=0, maximum=6000, nullable=False),
    InputSpec("delay", Datatype.FP32),
    InputSpec("hour", Datatype.INT64),
    InputSpec("holiday", Datatype.BOOL),
    InputSpec("carrier", Datatype.BYTES, categories=("", "AA", "DL")),
    InputSpec("load", Datatype.FP64),
)
NAMES = tuple(spec.name for spec in INPUTS)
CLASSES: dict[str, tuple[str, ...]] = {
    "two classes": ("early", "late"),
    "three classes": ("early", "late", "a name that is longer than any number may be written"),
    "regression": (),
}
REVISION = "0123456789"
_COLUMNS = 8


def _whole(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype=np.int32)


def _operations() -> tuple[Operation, ...]:
    numbers = (Select(_whole(0, 1, 2, 3, 5)), Impute(np.array([1.0, 2.0, 3.0, 0.0, 5.0])))
    carrier = (Select(_whole(4)), OneHot(_whole(0, 5), _whole(0, 1, 2, -1, -1), 3))
    return (Concatenate((numbers, carrier)),)


def plan_of(classes: tuple[str, ...]) -> Plan:
    """A forest for values, else weights."""
    if not classes:
        return Plan(_operations(), random_forest(Shape(n_features=_COLUMNS), seed=1), Link.IDENTITY)
    outputs = 1 if len(classes) == 2 else len(classes)
    weights = np.linspace(-1e-3, 1e-3, _COLUMNS * outputs).reshape(_COLUMNS, outputs)
    link = Link.SIGMOID if outputs == 1 else Link.SOFTMAX
    return Plan(_operations(), Linear(weights, np.linspace(0, 1, outputs)), link)


def model_of(kind: str) -> Model:
    """The model of that kind, of `CLASSES`."""
    classes = CLASSES[kind]
    label = Datatype.BYTES if classes else Datatype.FP64
    outputs = (OutputSpec("late", label), OutputSpec("probability", Datatype.FP64))
    signature, plan = Signature(INPUTS, outputs), plan_of(classes)
    check_plan(plan, signature, n_answers=len(classes) or 1)
    manifest = Manifest(
        model_name="flight-delay",
        task=Task.CLASSIFICATION if classes else Task.REGRESSION,
        label="late",
        classes=classes,
        decision_threshold=0.5 if len(classes) == 2 else None,
        signature=signature,
        plan={},
        native_reason=None,
        equality=Equality(rows=0, mismatches=0, bound=0.0, largest_difference=0.0),
        environment={},
        estimator="none",
    )
    return Model(manifest, "sha256:" + 64 * "0", PlanPredictor(plan, len(INPUTS)))


def kernel_of(model: Model, rows_max: int = 10_000) -> TensorKernel:
    """What answers the model's usual requests in C."""
    ids = PredictionIds(b"a key", revision=REVISION, tag=b"pods")
    kernel = usual_tensors(model, ids, bins_of(model), rows_max)
    assert kernel is not None
    return kernel
