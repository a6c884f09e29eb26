"""Golden requests: `/predict` bodies of usual and of derived rows, and their answers.

The stored matrices check the predictor; these check the way there, from JSON values through
the encoder to the answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from serinus_runtime.artifact.encoding import RowEncoder, ValueRefused
from serinus_runtime.artifact.equality import equal_rows
from serinus_runtime.artifact.errors import FormatRefused, refusing
from serinus_runtime.artifact.forest import FloatArray
from serinus_runtime.artifact.manifest import GOLDEN_FILE
from serinus_runtime.artifact.model import Predictor
from serinus_runtime.artifact.signature import Signature

GOLDEN_ROWS = 32
_DIMENSIONS = 2


@dataclass(frozen=True, slots=True, eq=False)
class GoldenRows:
    """Rows by name, and the answers (n_rows, n_outputs) of the original model."""

    rows: tuple[Mapping[str, Any], ...]
    answers: FloatArray


def render(golden: GoldenRows) -> bytes:
    """The bytes of `golden.json`."""
    document = {"rows": list(golden.rows), "answers": golden.answers.tolist()}
    return json.dumps(document, sort_keys=True, indent=1, allow_nan=False).encode()


def parse(content: bytes) -> GoldenRows:
    """The golden rows of bytes; raises `FormatRefused`."""
    with refusing(GOLDEN_FILE):
        document = json.loads(content)
        rows = tuple(dict(row) for row in document["rows"])
        answers = np.array(document["answers"], dtype=np.float64)
        if not rows or answers.ndim != _DIMENSIONS or len(answers) != len(rows):
            raise FormatRefused(f"{GOLDEN_FILE}: has {len(rows)} rows, not as many answers")
        return GoldenRows(rows=rows, answers=answers)


def first(golden: GoldenRows, count: int) -> GoldenRows:
    """The first of the golden rows."""
    return GoldenRows(golden.rows[:count], golden.answers[:count])


def answered_alike(golden: GoldenRows, signature: Signature, predictor: Predictor) -> GoldenRows:
    """The golden rows that the predictor answers as it should."""
    encoder = RowEncoder(signature)
    alike = [
        index
        for index, (row, expected) in enumerate(zip(golden.rows, golden.answers, strict=True))
        if not _difference(row, expected, encoder, predictor)
    ]
    return GoldenRows(tuple(golden.rows[index] for index in alike), golden.answers[alike])


def first_difference(golden: GoldenRows, signature: Signature, predictor: Predictor) -> str | None:
    """What is wrong with the first golden row that isn't answered as it should, None if all are."""
    encoder = RowEncoder(signature)
    for index, (row, expected) in enumerate(zip(golden.rows, golden.answers, strict=True)):
        problem = _difference(row, expected, encoder, predictor)
        if problem:
            return f"golden.json: rows[{index}]: {problem}"
    return None


def _difference(
    row: Mapping[str, Any], expected: FloatArray, encoder: RowEncoder, predictor: Predictor
) -> str | None:
    try:
        answers = predictor.answers(encoder.rows([row]))[0]
    except ValueRefused as error:
        return str(error)
    if not equal_rows(answers[np.newaxis], expected[np.newaxis]).all():
        return f"expected {_shown(expected)}, got {_shown(answers)}"
    return None


def _shown(answers: Sequence[float] | FloatArray) -> str:
    return "[" + ", ".join(f"{answer:.9g}" for answer in answers) + "]"
