"""The rows that one request asks a server for: first whose, then what came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from serinus_runtime.online.keys import EntityKey
from serinus_runtime.online.server_rows import Row, ServedRows, read_row
from serinus_runtime.online.table import Value, is_stale


@dataclass(slots=True)
class FetchedRows:
    """Rows of the entities in `wanted`, each with its place in `rows`."""

    served: ServedRows
    wanted: dict[EntityKey, int] = field(default_factory=dict)
    rows: Sequence[Row | None] = ()
    is_away: bool = False
    """Whether the server didn't say what it has."""

    def expect(self, key: EntityKey) -> None:
        """The row of this entity will be asked for."""
        self.wanted.setdefault(key, len(self.wanted))

    def take(self, contents: Sequence[bytes | None]) -> None:
        """Read what the server has of those that are wanted, in their order."""
        columns = len(self.served.features)
        self.rows = [read_row(content, columns) for content in contents]

    def position(self, key: EntityKey) -> int | None:
        """Where the entity's row is; None where there is none."""
        position = self.wanted[key]
        return None if self.rows[position] is None else position

    def is_stale(self, position: int, now: float) -> bool:
        """Whether the row is too old `now`, in seconds since 1970."""
        row = self.rows[position]
        return row is not None and is_stale(row.time, self.served.max_staleness_seconds, now)


@dataclass(frozen=True, slots=True)
class FetchedColumn:
    """The values of a feature in rows that are fetched."""

    fetched: FetchedRows
    number: int

    def at(self, position: int) -> Value:
        """The value of a row; None where there is none."""
        row = self.fetched.rows[position]
        return None if row is None else row.values[self.number]
