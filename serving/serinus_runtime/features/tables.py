"""Source files to DuckDB tables, each under its source's name."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from serinus.api.featureset import CsvOptions, FileFormat, FileSource
from serinus_runtime.features.source_files import LocalFile
from serinus_runtime.features.sql_errors import is_about_disk, told
from serinus_runtime.user_error import SourceError


def quoted(name: str) -> str:
    """A name as SQL wants it."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as SQL wants it."""
    return "'" + text.replace("'", "''") + "'"


def load_table(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    source: FileSource,
    files: Sequence[LocalFile],
) -> int:
    """Read the files of a source into a table; its number of rows.

    Raises
    ------
    SourceError
        A file can't be read as the source's format, files disagree, or there is no row.
    """
    try:
        connection.execute(f"CREATE TABLE {quoted(name)} AS {_select(source, files)}")
        counted = connection.execute(f"SELECT count(*) FROM {quoted(name)}").fetchone()  # noqa: S608
    except duckdb.OutOfMemoryException as error:
        raise SourceError(_too_large(name, error)) from None
    except duckdb.Error as error:
        raise SourceError(_problem(connection, name, source, files, error)) from None
    rows = int(counted[0]) if counted else 0
    if not rows:
        addresses = ", ".join(file.uri for file in files[:3])
        raise SourceError(
            f"source `{name}`: {addresses} holds no row. Write it anew, or take it out of "
            "`files.uris`"
        )
    return rows


def _select(source: FileSource, files: Sequence[LocalFile]) -> str:
    paths = f"[{', '.join(literal(str(file.path)) for file in files)}]"
    match source.format:
        case FileFormat.CSV:
            return f"SELECT * FROM read_csv({paths}, {_csv_arguments(source.csv)})"  # noqa: S608
        case FileFormat.PARQUET:
            return f"SELECT * FROM read_parquet({paths}, union_by_name=true)"  # noqa: S608
        case FileFormat.JSON:
            return (
                f"SELECT * FROM read_json({paths}, union_by_name=true, "  # noqa: S608
                "maximum_sample_files=-1, sample_size=-1)"
            )


def _csv_arguments(options: CsvOptions) -> str:
    """Every value is looked at for the column's type: a sample would let a late `NA` through."""
    nulls = ", ".join(literal(word) for word in options.null_values)
    return (
        f"header={str(options.header).lower()}, delim={literal(options.delimiter)}, "
        f"nullstr=[{nulls}], sample_size=-1, union_by_name=true, auto_detect=true"
    )


def _problem(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    source: FileSource,
    files: Sequence[LocalFile],
    error: duckdb.Error,
) -> str:
    """The message, naming the first file that can't be read alone."""
    uri = next((file.uri for file in files if _is_broken(connection, source, file)), None)
    where = uri or ", ".join(file.uri for file in files[:3])
    return (
        f"source `{name}`: {where} can't be read as {source.format.value}: {told(error)}. "
        "Correct `files.format`, or write the file anew"
    )


def _too_large(name: str, error: duckdb.OutOfMemoryException) -> str:
    limit = "ephemeral-storage" if is_about_disk(error) else "memory"
    return (
        f"source `{name}`: is too large for the memory and disk that the run may use. "
        f"Raise `resources.limits.{limit}`"
    )


def _is_broken(connection: duckdb.DuckDBPyConnection, source: FileSource, file: LocalFile) -> bool:
    try:
        connection.execute(f"SELECT count(*) FROM ({_select(source, [file])})").fetchall()  # noqa: S608
    except duckdb.Error:
        return True
    return False
