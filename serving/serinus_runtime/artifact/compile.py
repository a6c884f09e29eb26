"""Whether and how a fitted scikit-learn model becomes a plan.

Compiling is reading: transformers column by column, then the estimator's fitted arrays. Whether
the reading was right isn't decided here but measured, on the evaluation rows (`equality`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from serinus_runtime.artifact.compile_linear import LINEAR_FAMILIES, compile_linear
from serinus_runtime.artifact.compile_preprocessing import Columns, transformed_columns
from serinus_runtime.artifact.compile_trees import TREE_FAMILIES, compile_trees
from serinus_runtime.artifact.not_compilable import NotCompilable, NotCompilableError
from serinus_runtime.artifact.plan import Plan, Select
from serinus_runtime.artifact.signature import Datatype, InputSpec
from serinus_runtime.artifact.symbolic_columns import (
    MISSING,
    UNSEEN,
    Number,
    Slots,
    plan_operations,
)


def compile_model(pipeline: Any, inputs: Sequence[InputSpec]) -> Plan | NotCompilable:
    """Compile a fitted pipeline or estimator whose columns are `inputs`, in order."""
    try:
        estimator, columns = prepared_columns(pipeline, inputs)
        return _without_idle_step(_plan(estimator, columns), len(inputs))
    except NotCompilableError as error:
        return NotCompilable(str(error))


def prepared_columns(pipeline: Any, inputs: Sequence[InputSpec]) -> tuple[Any, Columns]:
    """The estimator of a pipeline, and the columns that it gets; raises `NotCompilableError`."""
    columns: Columns = [input_column(position, spec) for position, spec in enumerate(inputs)]
    names = [spec.name for spec in inputs]
    *transformers, estimator = _steps(pipeline)
    for transformer in transformers:
        columns = transformed_columns(transformer, columns, names)
        names = [str(position) for position in range(len(columns))]
    return estimator, columns


def input_column(position: int, spec: InputSpec) -> Number | Slots:
    """An input as the encoder delivers it."""
    if spec.datatype is Datatype.BYTES:
        return Slots(position, (*(spec.categories or ()), UNSEEN, MISSING))
    return Number(position)


def _steps(pipeline: Any) -> list[Any]:
    if type(pipeline).__name__ == "Pipeline":
        return [step for _, step in pipeline.steps]
    return [pipeline]


def _plan(estimator: Any, columns: Columns) -> Plan:
    name = type(estimator).__name__
    if name in LINEAR_FAMILIES:
        model, link = compile_linear(estimator)
        return Plan(plan_operations(columns), model, link)
    if name in TREE_FAMILIES:
        trees = compile_trees(estimator)
        return Plan(plan_operations(_category_first(estimator, columns)), trees.forest, trees.link)
    raise NotCompilableError(f"the estimator {name} has no compiled form")


def _without_idle_step(plan: Plan, n_inputs: int) -> Plan:
    """Without a first step that takes all inputs as they are: it would copy each request's rows."""
    match plan.operations:
        case (Select(columns), *rest) if np.array_equal(columns, np.arange(n_inputs)):
            return replace(plan, operations=tuple(rest))
    return plan


def _category_first(estimator: Any, columns: Columns) -> Columns:
    """Columns as HistGradientBoosting's own preprocessor arranges them, where it has one."""
    preprocessor = getattr(estimator, "_preprocessor", None)
    if preprocessor is None:
        return columns
    encoder = preprocessor.named_transformers_["encoder"]
    is_category = list(estimator.is_categorical_)
    categorical = [column for column, yes in zip(columns, is_category, strict=True) if yes]
    numeric = [column for column, yes in zip(columns, is_category, strict=True) if not yes]
    names = [str(position) for position in range(len(categorical))]
    return transformed_columns(encoder, categorical, names) + numeric
