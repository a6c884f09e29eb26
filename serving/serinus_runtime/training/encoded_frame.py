"""A whole frame to the matrix that `artifact.encoding` makes row by row.

The rules are those of `artifact.encoding`; this is the same in columns, because training has
millions of values. A property test holds the two equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from serinus_runtime.artifact.encoding import limits
from serinus_runtime.artifact.forest import FloatArray
from serinus_runtime.artifact.signature import Datatype, InputSpec, PolicyAction

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class EncodedFrame:
    """Matrix (n_rows, n_inputs); `rejected` (n_rows,) are rows that serving would answer with 400.

    Cells of rejected rows are to be ignored.
    """

    matrix: FloatArray
    rejected: BoolArray


def encoded_frame(frame: pl.DataFrame, inputs: Sequence[InputSpec]) -> EncodedFrame:
    """Encode the columns of a frame by their inputs' rules."""
    matrix = np.empty((frame.height, len(inputs)), dtype=np.float64, order="F")
    rejected = np.zeros(frame.height, dtype=bool)
    for index, spec in enumerate(inputs):
        column = frame[spec.name]
        codes, violated, refused = _codes(spec, column)
        missing = column.is_null().to_numpy()
        constant = constant_code(spec)
        matrix[:, index] = codes
        if spec.on_violation is PolicyAction.IMPUTE:
            matrix[violated, index] = constant
        if spec.on_violation is PolicyAction.REJECT:
            refused |= violated
        matrix[missing, index] = constant if spec.on_missing is PolicyAction.IMPUTE else np.nan
        if spec.on_missing is PolicyAction.REJECT or (
            spec.on_missing is None and not spec.nullable
        ):
            refused |= missing
        rejected |= refused
    return EncodedFrame(matrix, rejected)


def constant_code(spec: InputSpec) -> float:
    """Code of the value that is imputed; NaN if there is none."""
    if spec.constant is None:
        return float("nan")
    if spec.datatype is Datatype.BYTES:
        categories = spec.categories or ()
        known = spec.constant in categories
        return float(categories.index(str(spec.constant)) if known else len(categories))
    return float(spec.constant)


def _codes(spec: InputSpec, column: pl.Series) -> tuple[FloatArray, BoolArray, BoolArray]:
    """Codes of all values, which of them break a promise, which are refused; nulls are neither."""
    if spec.datatype is Datatype.BYTES:
        return _text_codes(spec, column)
    values = column.cast(pl.Float64).fill_null(float("nan")).to_numpy().copy()
    nothing = np.zeros(len(values), dtype=bool)
    if spec.datatype is Datatype.BOOL:
        return values, nothing, nothing.copy()
    refused = np.isinf(values)
    values = _as_held(values, spec.datatype)
    promised = limits(spec)
    violated = (values < promised.low) | (values > promised.high)
    if promised.allowed is not None:
        violated |= ~np.isnan(values) & ~np.isin(values, sorted(promised.allowed))
    return values, violated & ~refused, refused


def _as_held(values: FloatArray, datatype: Datatype) -> FloatArray:
    """Numbers with as many bits as the datatype has."""
    if datatype is Datatype.FP32:
        return values.astype(np.float32).astype(np.float64)
    return values


def _text_codes(spec: InputSpec, column: pl.Series) -> tuple[FloatArray, BoolArray, BoolArray]:
    categories = list(spec.categories or ())
    unseen = float(len(categories))
    codes = (
        column.replace_strict(
            categories,
            [float(code) for code in range(len(categories))],
            default=unseen,
            return_dtype=pl.Float64,
        )
        .to_numpy()
        .copy()
    )
    present = column.is_not_null().to_numpy()
    violated = np.zeros(len(codes), dtype=bool)
    if spec.allowed is not None:
        violated = present & ~column.is_in(spec.allowed).fill_null(True).to_numpy()
    is_unseen = present & ~violated & (codes == unseen)
    refused = np.zeros(len(codes), dtype=bool)
    if spec.unseen is PolicyAction.IMPUTE:
        codes[is_unseen] = constant_code(spec)
    if spec.unseen is PolicyAction.REJECT:
        refused = is_unseen
    return codes, violated, refused
