"""What is known of each column while a pipeline is read: its input, and what it went through.

Every preprocessing step that we compile treats columns one by one, so a fitted pipeline is a list
of columns, each a small function of one input. Steps on categories are done here, at compile time,
on the few values that a category can have; only their result goes into the plan. `plan_operations`
turns the list into operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final, TypeAlias

import numpy as np

from serinus_runtime.artifact.not_compilable import NotCompilableError
from serinus_runtime.artifact.plan import (
    Concatenate,
    Impute,
    MissingIndicator,
    OneHot,
    Operation,
    Ordinal,
    Scale,
    Select,
)


class _Unseen:
    """The value of a category that training never saw."""

    def __repr__(self) -> str:
        return "UNSEEN"


UNSEEN: Final = _Unseen()
MISSING: Final = None


@dataclass(frozen=True, slots=True)
class Number:
    """An input that is a number: imputed (NaN: not), then scaled where `offset` is set."""

    source: int
    imputed: float = float("nan")
    offset: float | None = None
    divisor: float = 1.0


@dataclass(frozen=True, slots=True)
class Indicator:
    """1 where an input is missing."""

    source: int


@dataclass(frozen=True, slots=True)
class Slots:
    """An input that is a category; `values` by code, then for unseen, then for missing."""

    source: int
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Hot:
    """1 where an input's `positions`, laid out as `Slots.values`, is `position`."""

    source: int
    positions: tuple[int, ...]
    position: int


Column: TypeAlias = Number | Indicator | Slots | Hot


def plan_operations(columns: Sequence[Column]) -> tuple[Operation, ...]:
    """Operations that make these columns of the encoded inputs, in this order."""
    blocks = [
        (numbers, _number_operations),
        (indicators, _indicator_operations),
        (slots, _slot_operations),
        (hots, _hot_operations),
    ]
    order: list[int] = []
    branches: list[tuple[Operation, ...]] = []
    for pick, operations in blocks:
        members = pick(columns)
        if members:
            positions, made = operations(members)
            branches.append(made)
            order += positions
    steps = branches[0] if len(branches) == 1 else (Concatenate(tuple(branches)),)
    if order == list(range(len(order))):
        return steps
    back = np.argsort(order).astype(np.int32)
    return (*steps, Select(back))


Members: TypeAlias = list[tuple[int, Any]]
Block: TypeAlias = tuple[list[int], tuple[Operation, ...]]


def numbers(columns: Sequence[Column]) -> Members:
    """Positions and columns of the kind."""
    return [(at, column) for at, column in enumerate(columns) if isinstance(column, Number)]


def indicators(columns: Sequence[Column]) -> Members:
    """Positions and columns of the kind."""
    return [(at, column) for at, column in enumerate(columns) if isinstance(column, Indicator)]


def slots(columns: Sequence[Column]) -> Members:
    """Positions and columns of the kind."""
    return [(at, column) for at, column in enumerate(columns) if isinstance(column, Slots)]


def hots(columns: Sequence[Column]) -> Members:
    """Positions and columns of the kind."""
    return [(at, column) for at, column in enumerate(columns) if isinstance(column, Hot)]


def _sources(members: Members) -> Select:
    return Select(np.array([column.source for _, column in members], dtype=np.int32))


def _number_operations(members: Members) -> Block:
    steps: list[Operation] = [_sources(members)]
    columns: list[Number] = [column for _, column in members]
    imputed = np.array([column.imputed for column in columns])
    if not np.isnan(imputed).all():
        steps.append(Impute(imputed))
    if any(column.offset is not None for column in columns):
        offsets = np.array([column.offset or 0.0 for column in columns])
        steps.append(Scale(offsets, np.array([column.divisor for column in columns])))
    return [at for at, _ in members], tuple(steps)


def _indicator_operations(members: Members) -> Block:
    count = len(members)
    every = np.arange(count, dtype=np.int32)
    steps = (_sources(members), MissingIndicator(every), Select(every + np.int32(count)))
    return [at for at, _ in members], steps


def _slot_operations(members: Members) -> Block:
    tables = [[_as_number(value) for value in column.values] for _, column in members]
    values = np.array([value for table in tables for value in table], dtype=np.float64)
    return [at for at, _ in members], (_sources(members), Ordinal(_starts(tables), values))


def _as_number(value: Any) -> float:
    if value is MISSING:
        return float("nan")
    if isinstance(value, bool | int | float | np.number):
        return float(value)
    raise NotCompilableError(f"the text {value!r} reaches the estimator without being encoded")


def _hot_operations(members: Members) -> Block:
    """One group for each source and table; `positions` of later groups are moved on."""
    groups: dict[tuple[int, tuple[int, ...]], dict[int, int]] = {}
    for at, column in members:
        groups.setdefault((column.source, column.positions), {})[column.position] = at
    order: list[int] = []
    tables: list[list[int]] = []
    for (_, positions), placed in groups.items():
        place = {position: len(order) + index for index, position in enumerate(placed)}
        tables.append([place.get(position, -1) for position in positions])
        order += placed.values()
    sources = Select(np.array([source for source, _ in groups], dtype=np.int32))
    position = np.array([cell for table in tables for cell in table], dtype=np.int32)
    return order, (sources, OneHot(_starts(tables), position, len(order)))


def _starts(tables: Sequence[Sequence[Any]]) -> np.ndarray[Any, np.dtype[np.int32]]:
    return np.array([0, *accumulate(len(table) for table in tables)], dtype=np.int32)
