"""Whether a predictor answers like the original model, measured on stored rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray

from serinus_runtime.artifact.forest import FloatArray
from serinus_runtime.artifact.manifest import Equality
from serinus_runtime.artifact.model import NATIVE, TWO_CLASSES, Predictor, decided

ANSWER_BOUND = 1e-9
"""Largest accepted difference: of a probability, or of a value relative to max(1, |value|).

Sums run in the original's order and are equal bit by bit; what may differ in the last bit is the
exponential of the link and the order in which a dot product adds.
"""

SINGLE_ROWS = 100
"""Rows that are answered one by one before the others: alone, a row takes another way through a
compiled predictor, and that is how most requests come."""
NATIVE_SINGLE_ROWS = 5
"""The original's own library may take a hundredth of a second for one."""
NATIVE_SHARE = 1000
"""One row of so many may differ where the predictor is the original itself, saved and loaded.

Some estimators' answers depend on which rows are asked together: of neighbours at one distance, the
last bit of a product of matrices decides.
"""
_CHUNK_ROWS = 2000
_TIMED_ROWS = 200


@dataclass(frozen=True, slots=True, eq=False)
class EvaluationRows:
    """Encoded rows (n_rows, n_inputs) and what the original answered (n_rows, n_outputs)."""

    rows: FloatArray
    expected: FloatArray


def measured_equality(
    predictor: Predictor,
    evaluation: EvaluationRows,
    *,
    threshold: float | None,
    is_classification: bool,
    may_go_on: Callable[[int], bool] = lambda _rows: True,
) -> Equality:
    """Compare row by row, in chunks, for as long as `may_go_on(rows so far)` says so."""
    compared = mismatches = 0
    largest = 0.0
    for chunk in _chunks(len(evaluation.rows), predictor.kind):
        if not may_go_on(compared):
            break
        expected = evaluation.expected[chunk]
        answers = predictor.answers(evaluation.rows[chunk])
        differs = ~equal_rows(answers, expected)
        if is_classification and answers.shape == expected.shape:
            differs |= _decided_otherwise(answers, expected, threshold)
        mismatches += int(differs.sum())
        largest = max(largest, float(_differences(answers, expected).max()))
        compared += len(expected)
    return Equality(compared, mismatches, ANSWER_BOUND, min(largest, 1e300))


def tolerated(equality: Equality, kind: str) -> int:
    """Mismatches that a predictor of the kind may have: none if it was compiled."""
    return equality.rows // NATIVE_SHARE if kind == NATIVE else 0


def _chunks(n_rows: int, kind: str) -> Iterator[slice]:
    """Single rows first, then many at once."""
    singles = min(NATIVE_SINGLE_ROWS if kind == NATIVE else SINGLE_ROWS, n_rows)
    for start in range(singles):
        yield slice(start, start + 1)
    for start in range(singles, n_rows, _CHUNK_ROWS):
        yield slice(start, start + _CHUNK_ROWS)


def equal_rows(answers: FloatArray, expected: FloatArray) -> NDArray[np.bool_]:
    """Which rows (n_rows,) have the answers that are expected, within `ANSWER_BOUND`."""
    equal: NDArray[np.bool_] = _differences(answers, expected) <= ANSWER_BOUND
    return equal


def _differences(answers: FloatArray, expected: FloatArray) -> FloatArray:
    """Largest difference in each row (n_rows,).

    A value's is relative to max(1, |value|); a probability is at most 1, so one rule does. An
    infinity equals itself, as does not-a-number: the original says so, too.
    """
    if answers.shape != expected.shape:
        return np.full(len(expected), np.inf)
    with np.errstate(invalid="ignore"):
        difference = np.abs(answers - expected) / np.maximum(1.0, np.abs(expected))
    same = (answers == expected) | (np.isnan(answers) & np.isnan(expected))
    worst: FloatArray = np.where(same, 0.0, np.nan_to_num(difference, nan=np.inf)).max(axis=1)
    return worst


def _decided_otherwise(
    answers: FloatArray, expected: FloatArray, threshold: float | None
) -> NDArray[np.bool_]:
    """Which rows get another class, unless the original itself stands on the border.

    There the last bit decides, and two machines needn't agree on it.
    """
    otherwise: NDArray[np.bool_] = decided(answers, threshold) != decided(expected, threshold)
    return otherwise & (_distance_to_border(expected, threshold) > ANSWER_BOUND)


def _distance_to_border(probabilities: FloatArray, threshold: float | None) -> FloatArray:
    if probabilities.shape[1] == TWO_CLASSES and threshold is not None:
        return np.abs(probabilities[:, 1] - threshold)
    ordered = np.sort(probabilities, axis=1)
    gap: FloatArray = ordered[:, -1] - ordered[:, -2]
    return gap


def row_micros(predictor: Predictor, rows: FloatArray) -> int:
    """Median time of one row alone, in microseconds."""
    seconds = []
    for index in range(min(_TIMED_ROWS, len(rows))):
        start = time.perf_counter()
        predictor.answers(rows[index : index + 1])
        seconds.append(time.perf_counter() - start)
    return round(median(seconds) * 1e6) if seconds else 0
