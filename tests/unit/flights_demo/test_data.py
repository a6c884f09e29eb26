"""The real data's traps: times without dates, airports without zones, values that come later."""

import zipfile
from pathlib import Path

import duckdb
import pytest

from flights_demo import data

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def flights(tmp_path_factory: pytest.TempPathFactory):
    package, folder = data.package_data(), tmp_path_factory.mktemp("raw")
    with zipfile.ZipFile(package / "flights.csv.zip") as archive:
        raw = Path(archive.extract("flights.csv", folder))
    with data._database() as database:
        data._load(database, "raw", raw)
        data._load(database, "airports", package / "airports.csv")
        database.execute(data.PREPARE_SQL.read_text())
        yield database


def count(flights: duckdb.DuckDBPyConnection, where: str) -> int:
    row = flights.execute(f"SELECT count(*) FROM prepared WHERE {where}").fetchone()
    assert row is not None
    return int(row[0])


def test_no_flight_is_lost_and_each_has_a_schedule(flights) -> None:
    assert count(flights, "true") == 336_776
    assert count(flights, "scheduled_at IS NULL OR scheduled_arrival_at < scheduled_at") == 0


def test_no_flight_lands_before_it_could(flights) -> None:
    assert count(flights, "air_time IS NOT NULL AND arrived_at IS NOT NULL") == 327_346
    assert count(flights, "arrived_at < departed_at + to_minutes(air_time)") == 0


def test_arrivals_agree_with_the_published_delays(flights) -> None:
    delay = "date_diff('minute', scheduled_arrival_at, arrived_at)"

    assert count(flights, f"arr_delay IS NOT NULL AND {delay} <> arr_delay") <= 1


def test_a_flight_is_one_row_by_schedule_carrier_and_number(flights) -> None:
    keys = flights.execute(
        "SELECT count(DISTINCT (scheduled_at, carrier, flight)) FROM prepared"
    ).fetchone()

    assert keys == (336_776,)
