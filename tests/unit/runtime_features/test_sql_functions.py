"""DuckDB's functions, sorted into those that look at their arguments only and the rest."""

import pytest

from serinus_runtime.features.sql_functions import (
    AGGREGATES_BY_NAME,
    CLOCK_WORDS,
    TABLE_FUNCTIONS,
    known_functions,
    parser,
)

FUNCTIONS = known_functions()


@pytest.mark.parametrize(
    "name", ["+", "abs", "avg", "count_star", "row_number", "lag", "timezone", "list_value"]
)
def test_a_function_of_its_arguments_is_pure(name: str) -> None:
    assert name in FUNCTIONS.pure


@pytest.mark.parametrize(
    "name",
    [
        *("random", "now", "today", "current_localtimestamp", "uuid", "nextval", "setseed"),
        *("current_setting", "current_query", "getvariable", "txid_current", "write_log"),
        *("error", "json_serialize_plan", "index_key", "reservoir_quantile", "sleep_ms"),
        *("__internal_compress_string_ubigint", "read_text", "query", "getenv", "no_such"),
    ],
)
def test_what_looks_elsewhere_or_is_unknown_is_not(name: str) -> None:
    assert name not in FUNCTIONS.pure


def test_macros_come_with_their_bodies_and_are_not_pure_by_name() -> None:
    assert "current_timestamp" in FUNCTIONS.macros["ago"][0]
    assert not FUNCTIONS.pure & FUNCTIONS.macros.keys()


def test_the_lists_by_hand_name_what_this_duckdb_has() -> None:
    with parser() as database:
        rows = database.execute("SELECT DISTINCT function_name FROM duckdb_functions()").fetchall()
    names = {name for (name,) in rows}

    assert names >= TABLE_FUNCTIONS | AGGREGATES_BY_NAME
    for word in CLOCK_WORDS:
        with parser() as database:
            assert database.execute(f"SELECT {word} IS NOT NULL").fetchall() == [(True,)]
