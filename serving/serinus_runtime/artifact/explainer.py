"""Why a compiled model answers a row as it does: what each input adds to what it says on average.

Contributions are Shapley values of the columns that the model sees, summed for each input, so that
all columns of a one-hot encoding count for their category. `base` and the contributions sum to
what is explained: the margin where a link makes probabilities of it (log-odds, for two classes),
else the probability or the value itself.

A linear model's average is taken over the evaluation rows of its package, a forest's over the
training rows, whose weights at each node stand beside the plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, assert_never

import numpy as np

from serinus_runtime.artifact import plan_codec, proof
from serinus_runtime.artifact.archive import read_arrays
from serinus_runtime.artifact.forest import FloatArray, Forest
from serinus_runtime.artifact.manifest import ARRAYS_FILE, EVALUATION_FILE, ClassLabel
from serinus_runtime.artifact.model import TWO_CLASSES, Model
from serinus_runtime.artifact.package import Package
from serinus_runtime.artifact.plan import (
    Cast,
    Concatenate,
    Impute,
    Linear,
    Link,
    MissingIndicator,
    OneHot,
    Operation,
    Ordinal,
    Plan,
    Scale,
    Select,
    transformed,
)
from serinus_runtime.artifact.tree_contributions import TreeContributions


class NotExplainable(Exception):
    """The model can't be explained; the text says why and what to do."""


class Explained(StrEnum):
    """What base and contributions sum to."""

    MARGIN = "margin"
    PROBABILITY = "probability"
    VALUE = "value"


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """Of some rows: `total` (n_rows, n_outputs) is `base` (n_outputs,) and all contributions.

    `contributions`: (n_rows, n_inputs, n_outputs).
    """

    total: FloatArray
    base: FloatArray
    contributions: FloatArray


class ColumnContributions(Protocol):
    """What the columns of a transformed matrix add to a model's raw outputs."""

    @property
    def base(self) -> FloatArray:
        """(n_outputs,): what the model says on average."""

    def of(self, columns: FloatArray) -> FloatArray:
        """Contributions (n_rows, n_columns, n_outputs)."""


@dataclass(frozen=True, slots=True, eq=False)
class LinearContributions:
    """Of a linear model: its weights times how far a row is from the `mean` (n_columns,)."""

    model: Linear
    mean: FloatArray

    @property
    def base(self) -> FloatArray:
        """(n_outputs,): the output of the mean, which is the mean of the outputs."""
        base: FloatArray = self.mean @ self.model.weights + self.model.intercept
        return base

    def of(self, columns: FloatArray) -> FloatArray:
        """Contributions (n_rows, n_columns, n_outputs)."""
        contributions: FloatArray = (columns - self.mean)[:, :, np.newaxis] * self.model.weights
        return contributions


@dataclass(frozen=True, slots=True, eq=False)
class Explainer:
    """Explains encoded rows.

    `sources` are the inputs that the columns come from. `outputs` are the raw outputs
    that are told, `classes` their labels; None for values.
    """

    plan: Plan
    columns: ColumnContributions
    sources: tuple[int, ...]
    n_inputs: int
    explained: Explained
    outputs: slice
    classes: tuple[ClassLabel, ...] | None

    def explanation(self, rows: FloatArray) -> Explanation:
        """What each input of the rows (n_rows, n_inputs) adds."""
        matrix = _through(self.plan.operations, rows)
        by_column = self.columns.of(matrix)[:, :, self.outputs]
        by_input = np.zeros((len(rows), self.n_inputs, by_column.shape[2]))
        for column, source in enumerate(self.sources):
            by_input[:, source] += by_column[:, column]
        base = self.columns.base[self.outputs]
        return Explanation(base + by_input.sum(axis=1), base, by_input)


def explainer_of(model: Model, package: Package) -> Explainer:
    """The explainer of a loaded model, of what its package holds besides.

    Raises
    ------
    NotExplainable
        Nothing of it can be explained here.
    ArtifactError
        The package was changed, or isn't ours.
    """
    document = model.manifest.plan
    if document is None:
        raise NotExplainable(
            f"model `{model.manifest.model_name}` isn't compiled "
            f"({model.manifest.native_reason}); explain it where it was trained, with a library as "
            "`shap`"
        )
    arrays = read_arrays(package.content(ARRAYS_FILE), name=ARRAYS_FILE)
    plan, n_inputs = plan_codec.parse(document, arrays), len(model.manifest.signature.inputs)
    explained = _explained(plan, model)
    two = explained is Explained.PROBABILITY and len(model.classes) == TWO_CLASSES
    return Explainer(
        plan=plan,
        columns=_contributions(plan, plan_codec.cover_of(document, arrays), model, package),
        sources=tuple(sources_after(plan.operations, range(n_inputs))),
        n_inputs=n_inputs,
        explained=explained,
        outputs=slice(1, None) if two else slice(None),
        classes=_classes(model),
    )


def _explained(plan: Plan, model: Model) -> Explained:
    if plan.link is not Link.IDENTITY:
        return Explained.MARGIN
    return Explained.PROBABILITY if model.is_classification else Explained.VALUE


def _classes(model: Model) -> tuple[ClassLabel, ...] | None:
    """Of two classes the second is told of, as its probability is."""
    if not model.is_classification:
        return None
    return model.classes[1:] if len(model.classes) == TWO_CLASSES else model.classes


def _contributions(
    plan: Plan, cover: FloatArray | None, model: Model, package: Package
) -> ColumnContributions:
    if isinstance(plan.model, Linear):
        rows = proof.parse(
            package.content(EVALUATION_FILE),
            n_inputs=len(model.manifest.signature.inputs),
            n_answers=model.manifest.n_answers,
        ).evaluation.rows
        return LinearContributions(plan.model, _through(plan.operations, rows).mean(axis=0))
    return _of_forest(plan.model, cover, model)


def _of_forest(forest: Forest, cover: FloatArray | None, model: Model) -> TreeContributions:
    if cover is None:
        raise NotExplainable(
            f"version `{model.version}` of model `{model.manifest.model_name}` was packaged "
            "without the weights of its training rows; train it again"
        )
    return TreeContributions(forest, cover)


def _through(operations: Sequence[Operation], rows: FloatArray) -> FloatArray:
    for operation in operations:
        rows = transformed(operation, rows)
    return rows


def sources_after(operations: Sequence[Operation], sources: Sequence[int]) -> list[int]:
    """The input that each column comes from, after the operations."""
    now = list(sources)
    for operation in operations:
        now = _sources(operation, now)
    return now


def _sources(operation: Operation, sources: list[int]) -> list[int]:
    match operation:
        case Select(columns):
            return [sources[column] for column in columns.tolist()]
        case MissingIndicator(columns):
            return sources + [sources[column] for column in columns.tolist()]
        case OneHot(start, position, width):
            hot = [0] * width
            for column, source in enumerate(sources):
                for place in position[start[column] : start[column + 1]].tolist():
                    if place >= 0:
                        hot[place] = source
            return hot
        case Concatenate(branches):
            return [one for branch in branches for one in sources_after(branch, sources)]
        case Cast() | Impute() | Scale() | Ordinal():
            return sources
        case _:
            assert_never(operation)
