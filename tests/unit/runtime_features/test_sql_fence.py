"""Attempts to break out of the fence, and the SQL that people write in good faith."""

import pytest

from serinus.api.column_type import ColumnType
from serinus_runtime.features.columns import Column
from serinus_runtime.features.sql_fence import check_statement
from serinus_runtime.user_error import TransformError
from tests.support.user_sql import HOSTILE, LEGITIMATE, SOURCES, LockedEngine


@pytest.mark.parametrize(
    "sql", [pytest.param(sql, id=f"{way}: {sql[:60]}") for way in HOSTILE for sql in HOSTILE[way]]
)
def test_sql_that_reaches_out_is_refused(sql: str) -> None:
    with pytest.raises(TransformError, match=r"^transform\.sql: "):
        check_statement(sql, SOURCES)


@pytest.mark.parametrize("sql", LEGITIMATE)
def test_sql_in_good_faith_passes_and_runs(locked: LockedEngine, sql: str) -> None:
    check_statement(sql, SOURCES)

    assert locked.run(sql, [Column("x", ColumnType.FLOAT64, "feature")]).height


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("SELECT * FROM past_0.flights", "reads `past_0.flights`. Name a source alone"),
        ("SELECT * FROM fligths", "reads `fligths`, which is neither a source nor a CTE"),
        ("SELECT * FROM glob('*')", "reads `glob()`, which isn't allowed. In FROM, only"),
        ("SELECT now()", "calls `now()`, which isn't allowed"),
        ("SELECT current_date", "uses `current_date`, which isn't the same each time"),
        ("SUMMARIZE flights", "uses DESCRIBE, SHOW or SUMMARIZE. Only SELECT"),
        ("WITH x AS (DELETE FROM flights RETURNING 1) FROM x", "uses DELETE. Only SELECT"),
        ("SELECT 1; COPY x TO 'y'", "expected one SELECT, got SELECT, COPY"),
        ("PIVOT flights ON carrier USING sum(delay)", "`PIVOT … ON column` needs `IN (…)`"),
        ("SELECT " + "1 + " * 900 + "1", "is nested too deeply"),
        ("FROM flights TABLESAMPLE 1%", "samples by chance. Add REPEATABLE and a seed"),
        ("SELEC 1", 'Parser Error: syntax error at or near "SELEC"'),
    ],
)
def test_what_is_refused_is_named_with_what_to_do(sql: str, told: str) -> None:
    with pytest.raises(TransformError) as error:
        check_statement(sql, SOURCES)

    assert str(error.value).startswith("transform.sql: ")
    assert told in str(error.value)
