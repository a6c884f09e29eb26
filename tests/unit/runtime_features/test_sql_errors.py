"""What DuckDB says about a run, without the values that it says it with."""

import duckdb
import pytest

from serinus_runtime.features.sql_errors import is_about_disk, told, told_of_the_text

SECRETS = ("geheim", "Brien", "3000000005", "Alice")
NAME, NUMBER = "name", "number"


@pytest.fixture(scope="module")
def people():
    with duckdb.connect() as database:
        database.execute(
            "CREATE TABLE people AS SELECT * FROM (VALUES ('geheim', 3000000005), "
            "('O''Brien x', 3000000005), ('Alice' || chr(10) || 'LINE 1: Alice', 3000000005)) "
            "AS t(name, number), (SELECT TIMESTAMP '2024-01-01' AS moment)"
        )
        yield database


def error_of(database: duckdb.DuckDBPyConnection, sql: str) -> duckdb.Error:
    with pytest.raises(duckdb.Error) as raised:
        database.execute(sql).fetchall()
    return raised.value


@pytest.mark.parametrize("which", ["geheim", "O''Brien x", "Alice%"])
@pytest.mark.parametrize(
    "expression",
    [
        "name::INT",
        "name::DATE",
        "name::TIMESTAMP",
        "name::TIMESTAMPTZ",
        "name::TIME",
        "name::INTERVAL",
        "name::DECIMAL(3, 1)",
        "name::UUID",
        "name::BOOLEAN",
        "name::INT[]",
        "name::STRUCT(a INT)",
        "name::ENUM('a', 'b')",
        "name::BIT",
        "name::JSON->'a'",
        "json_extract(name, '$.a')",
        "strptime(name, '%Y')",
        "regexp_matches('a', name || '(')",
        "date_trunc(name, moment)",
        "timezone(name, moment)",
        "from_base64(name)",
        "error(name)",
        "number::INT",
        "number * 9223372036854775807",
        "chr((-number)::INT)",
    ],
)
def test_no_value_is_told_however_it_is_quoted(people, which: str, expression: str) -> None:
    sql = f"SELECT {expression} FROM people WHERE name LIKE '{which}'"

    message = told(error_of(people, sql), f"SELECT {expression} FROM people")

    assert message
    assert not [secret for secret in SECRETS if secret in message]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT name::INT FROM people", "a value can't be converted, at `name::INT`"),
        ("SELECT number * number * 2 FROM people", "Overflow in multiplication of INT64"),
        ("SELECT 1 // 0", "Division by zero"),
        (
            "SELECT (SELECT name FROM people)",
            "More than one row returned by a subquery used as an expression",
        ),
        ("SELECT strptime(name, '%Y') FROM people", "Could not parse string"),
        ("SELECT timezone(name, moment) FROM people", "a value or type isn't supported"),
    ],
)
def test_what_went_wrong_is_told_with_its_place(people, sql: str, message: str) -> None:
    assert told(error_of(people, sql), sql).startswith(message)


def test_a_place_that_is_no_piece_of_the_sql_is_not_told(people) -> None:
    error = error_of(people, "SELECT name::INT FROM people")

    assert told(error, "SELECT something_else") == "a value can't be converted"


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELEC 1", 'Parser Error: syntax error at or near "SELEC"'),
        ("SELECT sum(name) FROM people", "'sum(VARCHAR)'"),
        ("SELECT nam FROM people", '"nam" not found in FROM clause!. Candidate bindings: "name"'),
        ("SELECT nosuch(1)", "Scalar Function with name nosuch does not exist"),
    ],
)
def test_errors_of_the_text_quote_it(people, sql: str, message: str) -> None:
    error = error_of(people, sql)

    assert message in told(error, sql)
    assert told(error, sql) == told_of_the_text(error)
    assert "\n" not in told(error, sql)


def test_running_out_of_disk_is_not_running_out_of_memory() -> None:
    disk = duckdb.OutOfMemoryException("… set by the 'max_temp_directory_size' setting")
    memory = duckdb.OutOfMemoryException("failed to allocate data of size 32.0 KiB")

    assert is_about_disk(disk)
    assert not is_about_disk(memory)
