"""From logged requests to the columns of a file: a row for each row that was predicted.

What is written is what the model saw. A text is one of the categories known from training, any
other is the word for "unseen": whatever else a client sends never reaches the disk. A missing value
that the data's policies replaced is there as what replaced it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serinus_runtime.artifact.encoding import unseen_name
from serinus_runtime.artifact.forest import FloatArray
from serinus_runtime.artifact.manifest import ClassLabel
from serinus_runtime.artifact.model import TWO_CLASSES, Model
from serinus_runtime.artifact.signature import Datatype, InputSpec
from serinus_runtime.kernel.gather_kernel import Chunk
from serinus_runtime.prediction_log.logged import LoggedPrediction
from serinus_runtime.prediction_log.parquet import (
    Column,
    RowCounts,
    Stored,
    Texts,
    Values,
    Words,
    words_of,
)

Positions = NDArray[np.intp]

INPUT_PREFIX = "input_"
PROBABILITY_PREFIX = "probability_"
_STORED = {
    Datatype.BOOL: Stored.BOOLEAN,
    Datatype.FP16: Stored.FLOAT,
    Datatype.FP32: Stored.FLOAT,
    Datatype.FP64: Stored.DOUBLE,
    Datatype.UINT64: Stored.DOUBLE,  # half of them are beyond 64 bits with a sign
}


@dataclass(frozen=True, slots=True)
class LogSchema:
    """What all rows of a process have in common."""

    revision: str
    inputs: tuple[InputSpec, ...]
    classes: tuple[ClassLabel, ...]


def schema_of(model: Model, revision: str) -> LogSchema:
    """The schema of what a model's revision is asked and answers."""
    return LogSchema(revision, model.manifest.signature.inputs, model.classes)


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """Some requests as arrays: what is of a request, then what is of its rows, one below the other.

    `row_counts`, `issued_at_ms`, `mirrored` and `sample_percents` are (n_requests,); so are
    `form_codes`, positions in `forms`.
    """

    ids: Words
    forms: tuple[str, ...]
    form_codes: Positions
    row_counts: RowCounts
    issued_at_ms: NDArray[np.int64]
    mirrored: NDArray[np.bool_]
    sample_percents: NDArray[np.int32]
    rows: FloatArray
    answers: FloatArray
    decided: Positions | None


def gathered(entries: Sequence[LoggedPrediction]) -> Gathered:
    """Entries, at least one, as arrays."""
    decided = [entry.decided for entry in entries if entry.decided is not None]
    forms = tuple(sorted({entry.form for entry in entries}))
    return Gathered(
        ids=words_of([entry.prediction_id for entry in entries]),
        forms=forms,
        form_codes=np.array([forms.index(entry.form) for entry in entries], dtype=np.intp),
        row_counts=np.array([len(entry.rows) for entry in entries], dtype=np.int32),
        issued_at_ms=np.array([entry.issued_at_ms for entry in entries], dtype=np.int64),
        mirrored=np.array([entry.mirrored for entry in entries], dtype=np.bool_),
        sample_percents=np.array([entry.sample_percent for entry in entries], dtype=np.int32),
        rows=np.concatenate([entry.rows for entry in entries]),
        answers=np.concatenate([entry.answers for entry in entries]),
        decided=np.concatenate(decided) if decided else None,
    )


def gathered_in_c(chunk: Chunk, forms: tuple[str, ...], *, is_classification: bool) -> Gathered:
    """A copy of the requests of a chunk, at least one; the forms have these numbers."""
    return Gathered(
        ids=Words(chunk.ids, chunk.n_requests),
        forms=forms,
        form_codes=chunk.forms,
        row_counts=chunk.row_counts,
        issued_at_ms=chunk.issued_at_ms,
        mirrored=np.zeros(chunk.n_requests, dtype=np.bool_),
        sample_percents=chunk.percents,
        rows=chunk.rows,
        answers=chunk.answers,
        decided=chunk.decided if is_classification else None,
    )


def columns_of(parts: Sequence[Gathered], schema: LogSchema) -> Iterator[Column]:
    """The columns of a file, each made when it is asked for; at least one part."""
    yield from _of_requests(parts, schema.revision)
    yield from _predictions(parts, schema.classes)
    yield from _inputs(parts, schema.inputs)


def _of_requests(parts: Sequence[Gathered], revision: str) -> Iterator[Column]:
    rows_each = np.concatenate([part.row_counts for part in parts])
    ids = Words(b"".join(part.ids.packed for part in parts), len(rows_each))
    words = sorted({form for part in parts for form in part.forms})
    codes = np.concatenate(
        [np.array([words.index(form) for form in part.forms])[part.form_codes] for part in parts]
    )
    issued_at_ms = np.concatenate([part.issued_at_ms for part in parts])
    mirrored = np.concatenate([part.mirrored for part in parts])
    percents = np.concatenate([part.sample_percents for part in parts])
    the_same = np.zeros(len(rows_each), dtype=np.int32)
    yield Texts("prediction_id", ids, np.arange(len(rows_each)), rows_each=rows_each)
    yield Values("row", Stored.INT32, _row_numbers(rows_each))
    yield Values("issued_at", Stored.MILLISECONDS, issued_at_ms, rows_each=rows_each)
    yield Texts("revision", words_of([revision]), the_same, rows_each=rows_each)
    yield Texts("form", words_of(words), codes, rows_each=rows_each)
    yield Values("mirrored", Stored.BOOLEAN, mirrored, rows_each=rows_each)
    yield Values("sample_percent", Stored.INT32, percents, rows_each=rows_each)


def _row_numbers(rows_each: RowCounts) -> RowCounts:
    """The place of each row in its request."""
    ends = np.cumsum(rows_each, dtype=np.int32)
    return np.arange(ends[-1], dtype=np.int32) - np.repeat(ends - rows_each, rows_each)


def _predictions(parts: Sequence[Gathered], classes: Sequence[ClassLabel]) -> Iterator[Column]:
    """`probability` is that of the second of two classes, else that of the answered one."""

    def answers(place: int) -> FloatArray:
        return np.concatenate([part.answers[:, place] for part in parts])

    chosen = [part.decided for part in parts if part.decided is not None]
    if not chosen:
        yield Values("prediction", Stored.DOUBLE, answers(0))
        return
    yield _answered_class(np.concatenate(chosen), classes)
    if len(classes) == TWO_CLASSES:
        yield Values("probability", Stored.DOUBLE, answers(1))
        return
    probability = [
        _of_each_row(part.answers, decided) for part, decided in zip(parts, chosen, strict=True)
    ]
    yield Values("probability", Stored.DOUBLE, np.concatenate(probability))
    for place, label in enumerate(classes):
        yield Values(f"{PROBABILITY_PREFIX}{label}", Stored.DOUBLE, answers(place))


def _of_each_row(answers: FloatArray, decided: Positions) -> FloatArray:
    """The answer of each row's class: `answers[row, decided[row]]`, by one index, in a third."""
    first = np.arange(0, answers.size, answers.shape[1], dtype=decided.dtype)
    return answers.ravel().take(first + decided)


def _answered_class(decided: Positions, classes: Sequence[ClassLabel]) -> Column:
    kinds = {type(label) for label in classes}
    if kinds == {bool}:
        return Values("prediction", Stored.BOOLEAN, np.array(classes)[decided])
    if kinds == {int}:
        return Values("prediction", Stored.INT64, np.array(classes)[decided])
    return Texts("prediction", words_of([str(label) for label in classes]), decided)


def _inputs(parts: Sequence[Gathered], inputs: Sequence[InputSpec]) -> Iterator[Column]:
    for place, spec in enumerate(inputs):
        codes: NDArray[Any] = np.concatenate([part.rows[:, place] for part in parts])
        present = ~np.isnan(codes)
        name = f"{INPUT_PREFIX}{spec.name}"
        if not present.all():
            codes = np.where(present, codes, 0.0)
        if spec.datatype is Datatype.BYTES:
            words = words_of((*(spec.categories or ()), unseen_name(spec)))
            yield Texts(name, words, codes.astype(np.intp), present)
        else:
            stored = _STORED.get(spec.datatype, Stored.INT64)
            yield Values(name, stored, codes, present)
