"""What vouches for a predictor: rows, and what the original model answered on them.

Evaluation rows with the answers that training got for them, rows derived from the signature with
answers asked here, and golden requests from both. All of it goes into the package, so that the
verification, on another machine and without the original, compares the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serinus_runtime.artifact.archive import array_bytes, read_arrays
from serinus_runtime.artifact.derived_rows import derived_rows
from serinus_runtime.artifact.encoding import RowEncoder, ValueRefused
from serinus_runtime.artifact.equality import EvaluationRows, measured_equality
from serinus_runtime.artifact.errors import FormatRefused
from serinus_runtime.artifact.forest import FloatArray
from serinus_runtime.artifact.golden import GOLDEN_ROWS, GoldenRows
from serinus_runtime.artifact.manifest import EVALUATION_FILE, Equality
from serinus_runtime.artifact.model import Predictor
from serinus_runtime.artifact.signature import Signature

EVALUATION_ROWS_MAX = 100_000
_GOLDEN_SEEN = 16
_ARRAYS = ("rows", "expected", "derived_rows", "derived_expected")

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Proof:
    """Rows and answers: of the evaluation, and derived from the signature."""

    evaluation: EvaluationRows
    derived: EvaluationRows


def make_proof(
    signature: Signature, rows: Sequence[Row], answers: FloatArray, original: Predictor
) -> tuple[Proof, GoldenRows]:
    """The proof, of the rows that the model's own policies let through, and golden rows.

    `rows` are raw values, `answers` (n_rows, n_outputs) what `original` answered. A derived row
    that the original itself can't answer proves nothing and is left out.
    """
    encoder = RowEncoder(signature)
    seen, encoded = _let_through(encoder, rows[:EVALUATION_ROWS_MAX])
    if not seen:
        raise FormatRefused("no evaluation row passes the model's own policies; nothing to prove")
    kept = [rows[index] for index in seen]
    expected = np.ascontiguousarray(answers[seen], dtype=np.float64)
    invented = derived_rows(signature, kept)
    passed, derived = _let_through(encoder, invented)
    answered, derived_expected = answers_where_any(original, derived)
    proof = Proof(
        evaluation=EvaluationRows(encoded, expected),
        derived=EvaluationRows(derived[answered], derived_expected[answered]),
    )
    some = _spread(np.flatnonzero(answered), GOLDEN_ROWS - _GOLDEN_SEEN)
    golden = GoldenRows(
        rows=(*kept[:_GOLDEN_SEEN], *(invented[passed[index]] for index in some)),
        answers=np.concatenate([expected[:_GOLDEN_SEEN], derived_expected[some]]),
    )
    return proof, golden


def _spread(indices: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    """At most `count` of the indices, evenly spread, the first among them."""
    places = np.linspace(0, len(indices) - 1, min(count, len(indices)))
    return indices[places.astype(np.intp)]


def _let_through(encoder: RowEncoder, rows: Sequence[Row]) -> tuple[list[int], FloatArray]:
    """Which rows no policy refuses, and their codes."""
    kept, encoded = [], []
    for index, row in enumerate(rows):
        try:
            encoded.append(encoder.rows([row]))
        except ValueRefused:
            continue
        kept.append(index)
    return kept, np.concatenate(encoded) if encoded else np.empty((0, 0))


def answers_where_any(
    predictor: Predictor, rows: FloatArray
) -> tuple[NDArray[np.bool_], FloatArray]:
    """Which rows (n_rows,) the predictor can answer, and its answers; NaN where it raises."""
    try:
        answers = predictor.answers(rows)
    except (MemoryError, OSError):
        raise
    except Exception:  # noqa: BLE001  estimators raise whatever comes
        if len(rows) == 1:
            return np.zeros(1, dtype=bool), np.full((1, 1), np.nan)
        middle = len(rows) // 2
        halves = [answers_where_any(predictor, part) for part in (rows[:middle], rows[middle:])]
        width = max(answers.shape[1] for _, answers in halves)
        return (
            np.concatenate([answered for answered, _ in halves]),
            np.concatenate([np.broadcast_to(a, (len(a), width)) for _, a in halves]),
        )
    return np.ones(len(rows), dtype=bool), answers


def compared(
    predictor: Predictor,
    proof: Proof,
    *,
    threshold: float | None,
    is_classification: bool,
    may_go_on: Callable[[int], bool] = lambda _rows: True,
) -> Equality:
    """How the predictor does on all derived rows, then on evaluation rows while `may_go_on`."""
    derived = measured_equality(
        predictor, proof.derived, threshold=threshold, is_classification=is_classification
    )
    seen = measured_equality(
        predictor,
        proof.evaluation,
        threshold=threshold,
        is_classification=is_classification,
        may_go_on=may_go_on,
    )
    return Equality(
        rows=seen.rows + derived.rows,
        mismatches=seen.mismatches + derived.mismatches,
        bound=seen.bound,
        largest_difference=max(seen.largest_difference, derived.largest_difference),
    )


def render(proof: Proof) -> bytes:
    """The bytes of `evaluation.npz`."""
    parts = (proof.evaluation.rows, proof.evaluation.expected)
    derived = (proof.derived.rows, proof.derived.expected)
    return array_bytes(dict(zip(_ARRAYS, (*parts, *derived), strict=True)))


def parse(content: bytes, *, n_inputs: int, n_answers: int) -> Proof:
    """The proof of bytes; raises `FormatRefused` where it doesn't fit the model."""
    arrays = read_arrays(content, name=EVALUATION_FILE)
    if sorted(arrays) != sorted(_ARRAYS):
        raise FormatRefused(
            f"{EVALUATION_FILE}: expected the arrays {', '.join(_ARRAYS)}, got "
            f"{', '.join(sorted(arrays))[:200]}"
        )
    evaluation, derived = (
        EvaluationRows(arrays[rows], arrays[expected])
        for rows, expected in (_ARRAYS[:2], _ARRAYS[2:])
    )
    for part in (evaluation, derived):
        codes, answers = part.rows, part.expected
        if codes.dtype != np.float64 or answers.dtype != np.float64:
            raise FormatRefused(f"{EVALUATION_FILE}: holds other things than numbers (FP64)")
        if codes.shape[1:] != (n_inputs,) or answers.shape != (len(codes), n_answers):
            raise FormatRefused(
                f"{EVALUATION_FILE}: rows of shape {codes.shape} and answers of shape "
                f"{answers.shape} aren't those of {n_inputs} inputs and {n_answers} answers"
            )
    return Proof(evaluation, derived)
