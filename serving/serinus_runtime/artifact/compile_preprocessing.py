"""scikit-learn's fitted transformers, read column by column (`symbolic_columns`)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from serinus_runtime.artifact.not_compilable import NotCompilableError
from serinus_runtime.artifact.symbolic_columns import (
    MISSING,
    UNSEEN,
    Column,
    Hot,
    Indicator,
    Number,
    Slots,
)

Columns = list[Column]


def transformed_columns(transformer: Any, columns: Columns, names: Sequence[str]) -> Columns:
    """Columns after a fitted transformer; raises `NotCompilableError`.

    `names` are those of the columns that go in, as a `ColumnTransformer` may select by name.
    """
    if transformer is None or transformer == "passthrough":
        return columns
    name = type(transformer).__name__
    if name == "Pipeline":
        for _, step in transformer.steps:
            columns = transformed_columns(step, columns, names)
            names = [str(position) for position in range(len(columns))]
        return columns
    if name == "ColumnTransformer":
        return _column_transformer(transformer, columns, names)
    if name not in _TRANSFORMERS:
        raise NotCompilableError(f"the transformer {name} has no compiled form")
    return _TRANSFORMERS[name](transformer, columns)


def _column_transformer(transformer: Any, columns: Columns, names: Sequence[str]) -> Columns:
    if transformer.transformer_weights:
        raise NotCompilableError("the ColumnTransformer weighs its parts")
    out: Columns = []
    for _, part, selected in transformer.transformers_:
        if isinstance(part, str) and part == "drop":
            continue
        positions = _positions(selected, names)
        part_names = [names[position] for position in positions]
        out += transformed_columns(part, [columns[at] for at in positions], part_names)
    return out


def _positions(selected: Any, names: Sequence[str]) -> list[int]:
    """Positions of a ColumnTransformer's selection: names, numbers, a mask or a slice."""
    every = list(range(len(names)))
    if isinstance(selected, slice):
        return every[selected]
    chosen = [selected] if isinstance(selected, str | int) else list(selected)
    if chosen and all(isinstance(item, bool | np.bool_) for item in chosen):
        return [at for at, taken in zip(every, chosen, strict=True) if taken]
    by_name = {name: at for at, name in enumerate(names)}
    return [by_name[item] if isinstance(item, str) else int(item) for item in chosen]


def _identity(transformer: Any, columns: Columns) -> Columns:
    if transformer.func is not None:
        raise NotCompilableError("a FunctionTransformer runs code of its own")
    return columns


def _imputer(transformer: Any, columns: Columns) -> Columns:
    if not _is_missing(transformer.missing_values):
        raise NotCompilableError("the SimpleImputer takes other values than null for missing")
    statistics = list(transformer.statistics_)
    if any(_is_missing(value) for value in statistics):
        raise NotCompilableError("a column had no value in training, so its imputer dropped it")
    out = [_imputed(column, value) for column, value in zip(columns, statistics, strict=True)]
    if transformer.indicator_ is None:
        return out
    return out + [Indicator(_source(columns[at])) for at in transformer.indicator_.features_]


def _imputed(column: Column, value: Any) -> Column:
    match column:
        case Number(offset=None):
            return replace(column, imputed=float(value)) if math.isnan(column.imputed) else column
        case Slots():
            values = tuple(value if item is MISSING else item for item in column.values)
            return replace(column, values=values)
        case Hot() | Indicator():
            return column
        case _:
            raise NotCompilableError("a column is imputed after it was scaled")


def _source(column: Column) -> int:
    if isinstance(column, Hot):
        raise NotCompilableError("a missing-value indicator of an encoded category")
    return column.source


def _scaler(offset: str, divisor: str) -> Callable[[Any, Columns], Columns]:
    """Reader of a scaler that subtracts one fitted attribute and divides by another."""

    def read(transformer: Any, columns: Columns) -> Columns:
        # StandardScaler keeps its mean also where it was told not to subtract it.
        subtracts = getattr(transformer, "with_mean", True)
        fitted_offset = getattr(transformer, offset, None) if subtracts else None
        offsets = _vector(fitted_offset, len(columns), 0.0)
        divisors = _vector(getattr(transformer, divisor, None), len(columns), 1.0)
        return [
            _scaled(column, float(low), float(width))
            for column, low, width in zip(columns, offsets, divisors, strict=True)
        ]

    return read


def _vector(fitted: Any, size: int, default: float) -> Any:
    return np.full(size, default) if fitted is None else np.asarray(fitted, dtype=np.float64)


def _min_max(transformer: Any, columns: Columns) -> Columns:
    if tuple(transformer.feature_range) != (0, 1) or transformer.clip:
        raise NotCompilableError("the MinMaxScaler has a range of its own or clips")
    # scikit-learn computes x * scale_ + min_; the bound on differences covers the rounding.
    return [
        _scaled(column, float(low), 1.0 / float(scale))
        for column, low, scale in zip(
            columns, transformer.data_min_, transformer.scale_, strict=True
        )
    ]


def _scaled(column: Column, offset: float, divisor: float) -> Column:
    match column:
        case Number(offset=None):
            return replace(column, offset=offset, divisor=divisor)
        case Slots():
            return replace(
                column,
                values=tuple(
                    MISSING if item is MISSING else (_number(item) - offset) / divisor
                    for item in column.values
                ),
            )
        case Hot():
            flags = (float(item == column.position) for item in column.positions)
            return Slots(column.source, tuple((flag - offset) / divisor for flag in flags))
        case _:
            raise NotCompilableError("a column is scaled twice, or an indicator is scaled")


def _number(value: Any) -> float:
    if isinstance(value, int | float | np.number):
        return float(value)
    raise NotCompilableError("a category is scaled before it is encoded")


def _ordinal_encoder(transformer: Any, columns: Columns) -> Columns:
    _refuse_infrequent(transformer)
    unknown = getattr(transformer, "unknown_value", None)
    missing = getattr(transformer, "encoded_missing_value", math.nan)
    return [
        _recoded(column, categories, unknown, missing)
        for column, categories in zip(columns, transformer.categories_, strict=True)
    ]


def _recoded(column: Column, categories: Any, unknown: Any, missing: Any) -> Column:
    if not isinstance(column, Slots):
        raise NotCompilableError("an OrdinalEncoder gets a column that isn't a category")
    codes: dict[Any, float | None] = {
        _key(category): float(code) for code, category in enumerate(categories)
    }
    if any(isinstance(category, float) and math.isnan(category) for category in categories):
        codes[MISSING] = MISSING if _is_missing(missing) else float(missing)  # None keeps its code
    otherwise = MISSING if _is_missing(unknown) else float(unknown)
    values = tuple(codes.get(_key(item), otherwise) for item in column.values)
    return replace(column, values=values)


def _one_hot_encoder(transformer: Any, columns: Columns) -> Columns:
    _refuse_infrequent(transformer)
    dropped = getattr(transformer, "drop_idx_", None)
    out: Columns = []
    for at, (column, categories) in enumerate(zip(columns, transformer.categories_, strict=True)):
        if not isinstance(column, Slots):
            raise NotCompilableError("a OneHotEncoder gets a column that isn't a category")
        codes = {_key(category): code for code, category in enumerate(categories)}
        positions = tuple(codes.get(_key(item), -1) for item in column.values)
        left_out = None if dropped is None else dropped[at]
        out += [
            Hot(column.source, positions, code)
            for code in range(len(categories))
            if code != left_out
        ]
    return out


def _refuse_infrequent(transformer: Any) -> None:
    if (
        getattr(transformer, "min_frequency", None) is not None
        or getattr(transformer, "max_categories", None) is not None
    ):
        raise NotCompilableError("the encoder groups infrequent categories")


def _key(value: Any) -> Any:
    """A category as a key that None and NaN share."""
    if value is UNSEEN:
        return value
    return MISSING if _is_missing(value) else value


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float | np.floating) and math.isnan(value))


_TRANSFORMERS: dict[str, Callable[[Any, Columns], Columns]] = {
    "FunctionTransformer": _identity,
    "SimpleImputer": _imputer,
    "StandardScaler": _scaler("mean_", "scale_"),
    "RobustScaler": _scaler("center_", "scale_"),
    "MaxAbsScaler": _scaler("no_offset", "scale_"),
    "MinMaxScaler": _min_max,
    "OrdinalEncoder": _ordinal_encoder,
    "OneHotEncoder": _one_hot_encoder,
}
