"""Which functions the user's SQL may call: those that look at their arguments and nothing else.

DuckDB says of each function whether it gives the same result for the same arguments; only those
that do are allowed, so that neither clock, chance, settings nor the session show in a snapshot.
The list is DuckDB's own, with the few corrections below; what it doesn't know isn't allowed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import duckdb

TABLE_FUNCTIONS = frozenset({"generate_series", "json_each", "json_tree", "range", "unnest"})
"""Functions that may stand in FROM: they make rows of their arguments."""
CLOCK_WORDS = frozenset(
    {
        "current_catalog",
        "current_date",
        "current_schema",
        "current_time",
        "current_timestamp",
        "localtime",
        "localtimestamp",
    }
)
"""Words that look like a column and tell about the moment or the session."""
AGGREGATES_BY_NAME = frozenset(
    {"aggregate", "array_aggr", "array_aggregate", "list_aggr", "list_aggregate"}
)
"""Functions that call another one, which a text names."""

_NOT_ALLOWED_ALL_THE_SAME = frozenset(
    {
        "current_localtime",
        "current_localtimestamp",
        "index_key",  # looks a table up by its name
        "json_serialize_plan",  # plans a statement that nobody has looked at
        "reservoir_quantile",  # draws by chance
        "to_aggregate_state",  # takes bytes for the inside of a running aggregate
    }
)
_INTERNAL_PREFIX = "__internal"
_ALSO_PURE = frozenset({"unnest"})
_FUNCTIONS = """
SELECT
  lower(function_name),
  function_type,
  bool_and(coalesce(stability = 'CONSISTENT', false)),
  list(DISTINCT macro_definition) FILTER (WHERE macro_definition IS NOT NULL)
FROM duckdb_functions()
WHERE function_type IN ('scalar', 'aggregate', 'window', 'macro')
GROUP BY ALL
"""


@dataclass(frozen=True, slots=True)
class Functions:
    """Names in lower case.

    Attributes
    ----------
    pure
        Depend on their arguments only.
    macros
        DuckDB's own macros with all their bodies; one may be called if all its bodies may run.
    """

    pure: frozenset[str]
    macros: Mapping[str, tuple[str, ...]]


def parser() -> duckdb.DuckDBPyConnection:
    """A connection of its own to a database that holds nothing."""
    return _empty_database().cursor()


@cache
def known_functions() -> Functions:
    """What this version of DuckDB has."""
    with parser() as database:
        rows = database.execute(_FUNCTIONS).fetchall()
    macros = {name: tuple(bodies) for name, kind, _, bodies in rows if kind == "macro"}
    impure = {name for name, kind, is_pure, _ in rows if kind != "macro" and not is_pure}
    pure = {
        name
        for name, kind, is_pure, _ in rows
        if kind != "macro" and is_pure and not name.startswith(_INTERNAL_PREFIX)
    }
    # A name that is a macro as well has to pass as one.
    return Functions(
        frozenset(pure | _ALSO_PURE) - impure - _NOT_ALLOWED_ALL_THE_SAME - macros.keys(), macros
    )


@cache
def _empty_database() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()
