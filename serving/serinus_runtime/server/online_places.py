"""Where the newest values of a FeatureSet are: in a table in memory, or on a server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from serinus.api.column_type import ColumnType
from serinus_runtime.artifact.column_datatypes import DATATYPES
from serinus_runtime.artifact.signature import InputSpec, Signature
from serinus_runtime.online.latest import NoTable
from serinus_runtime.online.server_rows import ServedRows, row_name
from serinus_runtime.online.table import OnlineColumn, OnlineTable
from serinus_runtime.server.completed_requests import Source
from serinus_runtime.server.fetched_rows import FetchedColumn, FetchedRows
from serinus_runtime.server.online_lookups import Lookups, ServerAway


@dataclass(frozen=True, slots=True)
class Fetch:
    """Rows that a request wants, and whom to ask for them."""

    rows: FetchedRows
    prefix: bytes
    lookups: Lookups

    async def __call__(self) -> None:
        """Ask; where nobody answers, the rows are away."""
        names = [row_name(self.prefix, key) for key in self.rows.wanted]
        if names:
            try:
                self.rows.take(await self.lookups.values(names))
            except ServerAway:
                self.rows.is_away = True


class Place(Protocol):
    """Where the newest values of a FeatureSet are."""

    @property
    def features(self) -> Sequence[str]:
        """Names of those that the model takes."""
        ...

    @property
    def entities(self) -> int:
        """How many entities are in memory."""
        ...

    def opened(self) -> tuple[Source, Fetch | None]:
        """What one request looks into, and what it has to wait for."""
        ...


@dataclass(frozen=True, slots=True)
class TablePlace:
    """A table in memory."""

    table: OnlineTable
    source: Source

    @property
    def features(self) -> Sequence[str]:
        """Names of those that the model takes."""
        return [name for name, _ in self.source.features]

    @property
    def entities(self) -> int:
        """How many entities are in memory."""
        return len(self.table)

    def opened(self) -> tuple[Source, Fetch | None]:
        """The same for all requests."""
        return self.source, None


@dataclass(frozen=True, slots=True)
class ServerPlace:
    """A server; `numbers` are the places of the features in its rows."""

    served: ServedRows
    features: Sequence[str]
    numbers: Sequence[int]
    lookups: Lookups
    prefix: bytes
    entities: int = 0

    def opened(self) -> tuple[Source, Fetch | None]:
        """For one request: rows that are still to be fetched."""
        rows = FetchedRows(self.served)
        columns = [FetchedColumn(rows, number) for number in self.numbers]
        source = Source(
            rows,
            _names(self.served.entities),
            _types(self.served.entities),
            tuple(zip(self.features, columns, strict=True)),
        )
        return source, Fetch(rows, self.prefix, self.lookups)


def source_of(table: OnlineTable, signature: Signature, whose: str) -> Source:
    """The table as the model's inputs take it; raises `NoTable` where they can't."""
    names = usable_features(table.features, signature.inputs, whose)
    return Source(
        table,
        _names(table.entities),
        _types(table.entities),
        tuple((name, table.values[name]) for name in names),
    )


def usable_features(
    features: Sequence[OnlineColumn], inputs: Sequence[InputSpec], whose: str
) -> tuple[str, ...]:
    """Names of the features that the model takes; raises `NoTable` where it takes none as it is."""
    found = tuple(_usable(features, inputs, whose))
    if not found:
        raise NoTable(f"{whose} has no feature online that the model takes")
    return found


def _usable(
    features: Sequence[OnlineColumn], inputs: Sequence[InputSpec], whose: str
) -> Iterator[str]:
    columns = {column.name: column for column in features}
    for spec in inputs:
        column = columns.get(spec.name)
        if column is None:
            continue
        if DATATYPES.get(column.type) is not spec.datatype or column.unit != spec.unit:
            unit = f" in {column.unit}" if column.unit else ""
            raise NoTable(
                f"{whose}: feature `{spec.name}` is a {column.type.value}{unit}, and the model "
                f"takes {spec.described}. Train a model on it as it is now"
            )
        yield spec.name


def _names(columns: Sequence[OnlineColumn]) -> tuple[str, ...]:
    return tuple(column.name for column in columns)


def _types(columns: Sequence[OnlineColumn]) -> tuple[ColumnType, ...]:
    return tuple(column.type for column in columns)
