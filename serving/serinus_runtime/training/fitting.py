"""Fitting: the pipeline on the training rows, and the decision threshold after it."""

from __future__ import annotations

import logging
import time
import warnings as python_warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline

from serinus.api.trainingjob import DecisionRule, ThresholdObjective
from serinus_runtime.artifact.forest import FloatArray
from serinus_runtime.training.examples import Examples
from serinus_runtime.training.pipeline import make_pipeline
from serinus_runtime.training.threshold import decision_threshold
from serinus_runtime.user_error import TrainerError

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A fitted pipeline; `threshold` is None unless there are two classes."""

    pipeline: Pipeline
    threshold: float | None
    stop_reason: str
    warnings: tuple[str, ...]


def fitted(estimator: Any, examples: Examples, rule: DecisionRule | None) -> Fitted:
    """Fit preprocessing and estimator; raises `TrainerError` with what scikit-learn says."""
    with _told("make a pipeline"):
        pipeline = make_pipeline(estimator, examples.inputs)
    rows, classes = examples.training, examples.classes
    target = np.array(classes)[rows.truth] if classes else rows.truth
    started = time.monotonic()
    with python_warnings.catch_warnings(record=True) as caught:
        python_warnings.simplefilter("ignore")
        python_warnings.simplefilter("always", ConvergenceWarning)
        with _told("fit"):
            pipeline.fit(rows.matrix, target)
    _log.info("model fitted", extra={"duration_seconds": round(time.monotonic() - started, 3)})
    converged = not any(issubclass(item.category, ConvergenceWarning) for item in caught)
    warnings = () if converged else ("the estimator stopped before it converged; allow it more",)
    return Fitted(
        pipeline=pipeline,
        threshold=_threshold(pipeline, examples, rule),
        stop_reason=_stop_reason(pipeline[-1], converged=converged),
        warnings=warnings,
    )


def scores(pipeline: Pipeline, matrix: NDArray[Any], *, classes: int) -> FloatArray:
    """Probabilities (n_rows, n_classes), or values (n_rows, 1) where there is no class."""
    with _told("predict"):
        if classes:
            return np.asarray(pipeline.predict_proba(matrix), dtype=np.float64)
        return np.asarray(pipeline.predict(matrix), dtype=np.float64).reshape(-1, 1)


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Turn what scikit-learn says into a `TrainerError`: trying again says the same.

    Estimators raise whatever comes: `AttributeError` where an inner one is missing,
    `NotImplementedError` for two options that exclude each other.
    """
    try:
        yield
    except (MemoryError, OSError):
        raise
    except Exception as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise TrainerError(f"trainer.sklearn: can't {what}: {first}") from error


def _threshold(pipeline: Pipeline, examples: Examples, rule: DecisionRule | None) -> float | None:
    rows, classes = examples.training, len(examples.classes)
    if not classes:
        if rule is not None:
            raise TrainerError("decision: a threshold is for `task: classification`")
        return None
    positive = np.empty(0)
    if rule is not None and isinstance(rule.optimize, ThresholdObjective):
        positive = scores(pipeline, rows.matrix, classes=classes)[:, 1]
    return decision_threshold(rule, classes, rows.truth, positive)


def _stop_reason(estimator: Any, *, converged: bool) -> str:
    if not converged:
        return "MaxIterationsReached"
    if getattr(estimator, "do_early_stopping_", False) and estimator.n_iter_ < estimator.max_iter:
        return "EarlyStopping"
    return "Completed"
