"""Whether a predictor answers like the original model, measured on stored rows."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import numpy as np

from serinus_runtime.artifact.forest import FloatArray
from serinus_runtime.artifact.manifest import Equality
from serinus_runtime.artifact.model import Predictor, decided

ANSWER_BOUND = 1e-9
"""Largest accepted difference: of a probability, or of a value relative to max(1, |value|).

Sums run in the original's order and are equal bit by bit; what may differ in the last bit is the
exponential of the link and the order in which a dot product adds.
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
    while compared < len(evaluation.rows) and may_go_on(compared):
        chunk = slice(compared, compared + _CHUNK_ROWS)
        expected = evaluation.expected[chunk]
        answers = predictor.answers(evaluation.rows[chunk])
        difference = _difference(answers, expected, is_classification=is_classification)
        differs = ~(difference <= ANSWER_BOUND)  # also where it is NaN
        if is_classification:
            differs |= decided(answers, threshold) != decided(expected, threshold)
        mismatches += int(differs.sum())
        largest = max(largest, float(np.nan_to_num(difference, nan=np.inf).max()))
        compared += len(expected)
    return Equality(compared, mismatches, ANSWER_BOUND, min(largest, 1e300))


def _difference(
    answers: FloatArray, expected: FloatArray, *, is_classification: bool
) -> FloatArray:
    if answers.shape != expected.shape:
        return np.full(len(expected), np.inf)
    difference = np.abs(answers - expected)
    if not is_classification:
        difference = difference / np.maximum(1.0, np.abs(expected))
    worst: FloatArray = difference.max(axis=1)
    return worst


def row_micros(predictor: Predictor, rows: FloatArray) -> int:
    """Median time of one row alone, in microseconds."""
    seconds = []
    for index in range(min(_TIMED_ROWS, len(rows))):
        start = time.perf_counter()
        predictor.answers(rows[index : index + 1])
        seconds.append(time.perf_counter() - start)
    return round(median(seconds) * 1e6) if seconds else 0
