"""A FeatureSet's run as its Job does it, on an invented airline."""

import gzip
import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from serinus.api.enums import Outcome
from serinus_runtime.features.featureset_run import make_snapshot
from serinus_runtime.features.pseudonyms import pseudonym
from serinus_runtime.features.snapshot import DATA_FILE
from serinus_runtime.features.transformed_rows import transformed_rows
from serinus_runtime.online.latest import TABLE_FILE, Newest, newest, table_of
from serinus_runtime.online.table import OnlineTable
from serinus_runtime.user_error import (
    ColumnError,
    FutureLeak,
    SourceError,
    TransformError,
    UserError,
)
from tests.support.feature_sets import (
    HONEST_SQL,
    KEY,
    LEAKING_SQL,
    LIMITS,
    DataPlane,
    csv_text,
    feature_set,
    flights,
    source,
)
from tests.support.redis_server import a_redis_server, nobody

pytestmark = pytest.mark.slow


def rows_of(plane: DataPlane, uri: str) -> pl.DataFrame:
    return pl.read_parquet(plane.store.path(uri) / DATA_FILE)


def test_a_run_makes_a_snapshot_that_says_what_it_holds(plane: DataPlane) -> None:
    result = plane.snapshot()

    assert (result.outcome, result.reason) == (Outcome.SUCCEEDED, "SnapshotCreated")
    assert result.message == "400 rows"
    assert result.snapshot is not None
    assert result.snapshot.uri.startswith("file:///store/featuresets/flights/snapshots/")
    assert result.snapshot.digest.removeprefix("sha256:") in result.snapshot.uri
    assert (result.snapshot.from_, result.snapshot.to) == (
        "2024-01-01T00:00:00Z",
        "2024-01-09T07:30:00Z",
    )
    assert rows_of(plane, result.snapshot.uri).columns[0] == "scheduled_at"
    statistics = plane.store.path(result.snapshot.statistics_ref or "")
    assert json.loads(statistics.read_bytes())["columns"]["carrier"]["distinct"] == 3


def test_the_same_input_gives_the_same_snapshot_whatever_the_order_of_its_rows(
    plane: DataPlane,
) -> None:
    first, second = plane.snapshot(), plane.snapshot()
    plane.put("flights.csv", csv_text(flights()[::-1]))
    reordered = plane.snapshot()

    assert first.snapshot == second.snapshot
    assert second.reason == "SnapshotUnchanged"
    assert reordered.snapshot is not None
    assert first.snapshot is not None
    assert rows_of(plane, reordered.snapshot.uri).equals(rows_of(plane, first.snapshot.uri))


def test_a_window_that_looks_ahead_is_refused_with_column_and_row(plane: DataPlane) -> None:
    with pytest.raises(FutureLeak, match=r"feature `delay_so_far`: row \d+, asked at 2024-"):
        plane.snapshot(transform={"sql": LEAKING_SQL})

    assert not plane.store.snapshots("flights").exists()


def test_the_leak_check_can_be_switched_off(plane: DataPlane) -> None:
    result = plane.snapshot(transform={"sql": LEAKING_SQL}, leakCheck={"enabled": False})

    assert result.outcome is Outcome.SUCCEEDED
    assert result.message == "400 rows; the leak check is off"


def test_a_leak_check_without_known_times_says_so(plane: DataPlane) -> None:
    result = plane.snapshot(sources=[source(columns=[])])

    assert "the leak check had nothing to go by" in result.message


@pytest.mark.parametrize(
    ("feature", "label"),
    [("random()", "true"), ("1.0", "random() > 0.5"), ("1.0", "now() > scheduled_at")],
)
@pytest.mark.parametrize("is_checked", [True, False])
def test_a_transform_by_chance_is_refused_in_any_column(
    plane: DataPlane, feature: str, label: str, is_checked: bool
) -> None:
    sql = f"SELECT *, {feature} AS delay_so_far, {label} AS late FROM flights"

    with pytest.raises(TransformError, match=r"calls `\w+\(\)`, which isn't allowed"):
        plane.snapshot(transform={"sql": sql}, leakCheck={"enabled": is_checked})


@pytest.mark.parametrize(
    "leak",
    [
        "lead(delay) OVER (ORDER BY scheduled_at)",
        "coalesce(lead(delay) OVER (ORDER BY scheduled_at), 0) * 1e-12",
        "1e9 + coalesce(lead(delay) OVER (ORDER BY scheduled_at), 0)",
        "(SELECT avg(delay) FROM flights AS f WHERE f.scheduled_at > flights.scheduled_at)",
    ],
)
def test_a_leak_is_found_in_any_unit(plane: DataPlane, leak: str) -> None:
    sql = f"SELECT *, {leak} AS delay_so_far, true AS late FROM flights"

    with pytest.raises(FutureLeak, match="feature `delay_so_far`"):
        plane.snapshot(transform={"sql": sql})


@pytest.mark.parametrize(
    "hidden",
    [
        "query_table('flights')",
        "query_table(['memory.present.flights'])",
        "query('FROM memory.present.flights')",
        "memory.present.flights",
        "main.flights",
    ],
)
def test_the_leak_check_can_not_be_passed_by_another_name(plane: DataPlane, hidden: str) -> None:
    sql = f"""
      SELECT flights.*, later.delay AS delay_so_far, true AS late
      FROM flights JOIN {hidden} AS later ON later.flight = flights.flight + 1
    """

    with pytest.raises(TransformError, match=r"^transform.sql: reads"):
        plane.snapshot(transform={"sql": sql})


NEXT_DAYS = """
  SELECT *, true AS late,
    count(*) OVER (ORDER BY scheduled_at
      RANGE BETWEEN CURRENT ROW AND INTERVAL 3 DAY FOLLOWING)::DOUBLE AS delay_so_far
  FROM flights
"""
LAST_DAYS = NEXT_DAYS.replace(
    "CURRENT ROW AND INTERVAL 3 DAY FOLLOWING",
    "INTERVAL 3 DAY PRECEDING AND INTERVAL 1 DAY PRECEDING",
)


def loaded(**changes: Any) -> dict[str, Any]:
    """A source whose rows become known two hours before they happen."""
    return {
        "createdTimestampField": "loaded_at",
        "sources": [source(columns=[])],
        "predictionTime": {"field": "scheduled_at"},
        "transform": {"sql": changes.pop("sql")},
    } | changes


def put_loaded_flights(plane: DataPlane) -> None:
    rows = flights()
    plane.put("flights.csv", csv_text([row | {"loaded_at": loaded_at(row)} for row in rows]))


def loaded_at(row: dict[str, Any]) -> str:
    scheduled_at = datetime.fromisoformat(row["scheduled_at"])
    return (scheduled_at - timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_counting_rows_that_were_not_known_yet_is_a_leak(plane: DataPlane) -> None:
    put_loaded_flights(plane)

    with pytest.raises(FutureLeak, match="feature `delay_so_far`"):
        plane.snapshot(**loaded(sql=NEXT_DAYS))


def test_counting_rows_that_were_known_is_none(plane: DataPlane) -> None:
    put_loaded_flights(plane)

    assert plane.snapshot(**loaded(sql=LAST_DAYS)).message == "400 rows"


def test_a_row_that_became_known_after_its_question_is_a_leak(plane: DataPlane) -> None:
    put_loaded_flights(plane)
    asked = {"field": "scheduled_at", "offset": "-3h"}

    with pytest.raises(FutureLeak, match="feature `carrier`"):
        plane.snapshot(**loaded(sql=LAST_DAYS, predictionTime=asked))


def test_a_source_without_known_times_is_named(plane: DataPlane) -> None:
    plane.put("airlines.csv", "carrier,name\nAA,American\nDL,Delta\nUA,United\n")
    airlines = {
        "name": "airlines",
        "files": {"uris": ["file:///data/airlines.csv"], "format": "csv"},
    }
    sql = f"SELECT * FROM ({HONEST_SQL}) JOIN airlines USING (carrier)"

    result = plane.snapshot(sources=[source(), airlines], transform={"sql": sql})

    assert "; the leak check takes all of `airlines` as known from the start" in result.message


def test_a_snapshot_that_breaks_a_promise_is_kept_aside(plane: DataPlane) -> None:
    features = [{"name": "distance", "type": "float64", "expect": {"max": "1000"}}]

    result = plane.snapshot(features=features)

    assert (result.outcome, result.reason) == (Outcome.REJECTED, "SnapshotRejected")
    assert "`distance` max 1000: broken by" in result.message
    assert result.snapshot is not None
    assert "/rejected/" in result.snapshot.uri
    assert rows_of(plane, result.snapshot.uri).height == 400
    assert not plane.store.snapshots("flights").exists()


def test_with_warn_it_is_used_and_the_message_says_what_broke(plane: DataPlane) -> None:
    features = [{"name": "distance", "type": "float64", "expect": {"max": "1000"}}]

    result = plane.snapshot(features=features, validation={"onFailure": "warn"})

    assert result.outcome is Outcome.SUCCEEDED
    assert "used although `distance` max 1000: broken by" in result.message


@pytest.mark.parametrize("limit", ["100", "5000"])
def test_private_values_are_nowhere_in_the_store(plane: DataPlane, limit: str) -> None:
    plane.put_key()
    features: list[dict[str, Any]] = [
        {"name": "tailnum", "type": "string", "sensitivity": "pseudonymize"},
        {"name": "distance", "type": "float64", "expect": {"max": limit}},
    ]
    secret = {"name": "pseudonyms", "key": "key"}

    result = plane.snapshot(features=features, pseudonymizationKeySecretRef=secret)

    assert result.outcome is (Outcome.REJECTED if limit == "100" else Outcome.SUCCEEDED)
    assert result.snapshot is not None
    hashed = rows_of(plane, result.snapshot.uri)["tailnum"]
    assert hashed.n_unique() == 7
    assert hashed.str.len_chars().unique().to_list() == [32]
    texts = list((plane.store.root / "featuresets").rglob("*.json"))
    assert len(texts) == 2
    assert not [path for path in texts if '"N1"' in path.read_text()]


def test_the_order_of_rows_does_not_tell_the_order_of_private_values(plane: DataPlane) -> None:
    plane.put_key()
    people = [f"person{number:03}" for number in range(50)]
    plane.put("people.csv", "at,person\n" + "".join(f"2024-01-01,{name}\n" for name in people))

    result = plane.snapshot(
        entities=[{"name": "person", "type": "string"}],
        timestampField="at",
        predictionTime=None,
        sources=[
            {"name": "people", "files": {"uris": ["file:///data/people.csv"], "format": "csv"}}
        ],
        transform=None,
        labels=[],
        features=[{"name": "person", "type": "string", "sensitivity": "pseudonymize"}],
        pseudonymizationKeySecretRef={"name": "pseudonyms", "key": "key"},
    )

    assert result.snapshot is not None
    hashed = rows_of(plane, result.snapshot.uri)["person"].to_list()
    assert hashed == sorted(pseudonym(name, KEY) for name in people)
    assert hashed != [pseudonym(name, KEY) for name in people]


@pytest.mark.parametrize("cast", ["tailnum::DATE", "tailnum::INT", "strptime(tailnum, '%Y')"])
def test_no_private_value_is_told_when_a_transform_fails(plane: DataPlane, cast: str) -> None:
    sql = f"SELECT *, {cast} AS delay_so_far, true AS late FROM flights"

    with pytest.raises(TransformError) as error:
        plane.snapshot(transform={"sql": sql})

    assert "N0" not in str(error.value)


def test_a_signature_is_nowhere_in_the_store_and_makes_no_other_snapshot(plane: DataPlane) -> None:
    content = csv_text(flights()).encode()
    digests = []

    for signature in ("geheim1", "geheim2"):
        uri = f"https://lake/flights.csv?X-Signature={signature}"
        files = {"uris": [uri], "format": "csv", "csv": {"nullValues": ["NA"]}}
        run = plane.run_input(sources=[source(files=files)])
        around = replace(
            plane.surroundings(), download=lambda _, target, __: target.write_bytes(content)
        )
        result = make_snapshot(run, around)
        assert result.snapshot is not None
        digests.append(result.snapshot.digest)

    files_in_store = [path for path in plane.store.root.rglob("*") if path.is_file()]
    assert digests[0] == digests[1]
    assert not [path for path in files_in_store if b"geheim" in path.read_bytes()]


def test_a_source_larger_than_the_disk_of_the_run_is_told(tmp_path: Path) -> None:
    plane = DataPlane(tmp_path, replace(LIMITS, scratch_bytes=1000))
    plane.put("flights.csv.gz", gzip.compress(csv_text(flights()).encode()))
    files = {"uris": ["file:///data/flights.csv.gz"], "format": "csv"}

    with pytest.raises(SourceError, match=r"Raise `resources\.limits\.ephemeral-storage`"):
        plane.snapshot(sources=[source(files=files)])


def test_the_scratch_folder_is_left_empty(plane: DataPlane) -> None:
    plane.snapshot()

    assert not list((plane.root / "scratch").iterdir())


def digests_kept(plane: DataPlane, *, later: timedelta) -> list[int]:
    """Which of three snapshots are left when one may stay and the first is in use."""
    digests: list[str] = []
    for rows in (100, 101, 102):
        plane.put_flights(rows)
        result = plane.snapshot(retention={"snapshots": 1}, keep=digests[:1], later=later)
        assert result.snapshot is not None
        digests.append(result.snapshot.digest)
    kept = {f"sha256:{path.name}" for path in plane.store.snapshots("flights").iterdir()}
    return [number for number, digest in enumerate(digests) if digest in kept]


def test_old_snapshots_go_but_for_those_in_use(plane: DataPlane) -> None:
    assert digests_kept(plane, later=timedelta(hours=2)) == [0, 2]


def test_a_young_snapshot_stays_for_who_may_need_it_by_now(plane: DataPlane) -> None:
    assert digests_kept(plane, later=timedelta(minutes=50)) == [0, 1, 2]


ONLINE = {"maxStaleness": "26h"}


def newest_table(plane: DataPlane) -> OnlineTable:
    found = newest(plane.store, "flights")
    assert found is not None
    return table_of(plane.store, "flights", found.snapshot)


def test_a_run_writes_the_online_table_that_is_asked_for(plane: DataPlane) -> None:
    result = plane.snapshot(online=ONLINE)

    table = newest_table(plane)
    assert result.snapshot is not None
    assert newest(plane.store, "flights") == Newest(result.snapshot.digest)
    assert result.snapshot.online_entities == len(table) == 400
    assert [one.name for one in table.features] == ["carrier", "distance", "delay_so_far"]
    assert table.max_staleness_seconds == 26 * 3600


def test_without_online_there_is_no_table(plane: DataPlane) -> None:
    result = plane.snapshot()

    assert result.snapshot is not None
    assert result.snapshot.online_entities is None
    assert newest(plane.store, "flights") is None
    assert not (plane.store.path(result.snapshot.uri) / TABLE_FILE).exists()


def test_the_same_rows_give_the_same_table(plane: DataPlane) -> None:
    first, second = plane.snapshot(online=ONLINE), plane.snapshot(online=ONLINE)

    assert (first.snapshot, second.reason) == (second.snapshot, "SnapshotUnchanged")


def test_a_rejected_snapshot_s_table_is_never_the_newest(plane: DataPlane) -> None:
    good = plane.snapshot(online=ONLINE)
    features = [{"name": "distance", "type": "float64", "expect": {"max": "1"}}]
    bad = plane.snapshot(online=ONLINE, features=features)

    assert good.snapshot is not None
    assert bad.outcome is Outcome.REJECTED
    assert newest(plane.store, "flights") == Newest(good.snapshot.digest)


def test_the_snapshot_that_pods_still_look_into_stays_for_a_run(plane: DataPlane) -> None:
    digests = []
    for rows in (100, 101, 102):
        plane.put_flights(rows)
        result = plane.snapshot(retention={"snapshots": 1}, online=ONLINE, later=timedelta(hours=2))
        assert result.snapshot is not None
        digests.append(result.snapshot.digest)

    kept = {f"sha256:{path.name}" for path in plane.store.snapshots("flights").iterdir()}
    assert kept == set(digests[1:])


def on_server(url: str) -> dict[str, Any]:
    return {"maxStaleness": "36500d", "redis": {"url": url}}


def test_a_run_writes_newest_values_to_the_server_that_is_named(
    plane: DataPlane, tmp_path: Path
) -> None:
    with a_redis_server(tmp_path / "redis") as server:
        result = plane.snapshot(online=on_server(server.url))
        with server.client() as client:
            names: Any = client.keys("serinus:default:flights:*")

    assert result.snapshot is not None
    assert result.snapshot.online_entities == len(names) == 400
    assert result.online_problem is None
    found = newest(plane.store, "flights")
    assert found is not None
    assert found.rows is not None
    assert (found.snapshot, found.rows.url) == (result.snapshot.digest, server.url)
    folder = plane.store.path(result.snapshot.uri)
    assert not (folder / TABLE_FILE).exists()


def test_a_server_that_is_away_harms_no_snapshot_and_moves_no_reader(plane: DataPlane) -> None:
    before = plane.snapshot(online=ONLINE)
    url = nobody()
    result = plane.snapshot(online=on_server(url))

    assert before.snapshot is not None
    assert result.outcome is Outcome.SUCCEEDED
    assert result.snapshot is not None
    assert result.snapshot.online_entities is None
    assert url in (result.online_problem or "")
    assert "its newest values weren't written to the server" in result.message
    assert newest(plane.store, "flights") == Newest(before.snapshot.digest)


def test_a_rejected_snapshot_s_values_are_written_to_no_server(
    plane: DataPlane, tmp_path: Path
) -> None:
    with a_redis_server(tmp_path / "redis") as server:
        result = plane.snapshot(online=on_server(server.url), validation={"minRows": 10_000_000})
        with server.client() as client:
            assert client.dbsize() == 0

    assert result.outcome is Outcome.REJECTED
    assert result.online_problem is None
    assert newest(plane.store, "flights") is None


def test_a_pointer_that_can_t_be_read_is_replaced(plane: DataPlane) -> None:
    plane.snapshot(online=ONLINE)
    (plane.store.feature_set("flights") / "online.json").write_bytes(b"?")
    plane.snapshot(online=ONLINE)

    assert len(newest_table(plane)) == 400


def test_a_single_source_needs_no_transform(plane: DataPlane) -> None:
    features = [{"name": "distance", "type": "float64"}]

    result = plane.snapshot(transform=None, features=features, labels=[])

    assert result.message == "400 rows"


@pytest.mark.parametrize(
    ("changes", "error", "told"),
    [
        (
            {"sources": [source(files={"uris": ["file:///data/no.csv"], "format": "csv"})]},
            SourceError,
            "source `flights`: file:///data/no.csv doesn't exist",
        ),
        (
            {
                "sources": [
                    source(files={"uris": ["file:///data/flights.csv"], "format": "parquet"})
                ]
            },
            SourceError,
            "file:///data/flights.csv can't be read as parquet",
        ),
        (
            {"features": [{"name": "altitude", "type": "float64"}]},
            ColumnError,
            "feature `altitude`: no such column",
        ),
        (
            {"features": [{"name": "carrier", "type": "float64"}]},
            ColumnError,
            "feature `carrier`: expected float64, the transform gives string",
        ),
        (
            {"labels": [{"name": "late", "type": "boolean", "timestampField": "gone"}]},
            ColumnError,
            "timestampField of a label `gone`: no such column",
        ),
        (
            {"sources": [source(columns=[{"name": "delay", "knownAt": "gone"}])]},
            TransformError,
            "source `flights`: columns: no column `gone`",
        ),
        (
            {"transform": {"sql": "SELECT * FROM read_text('/etc/passwd')"}},
            TransformError,
            "transform.sql: ",
        ),
        (
            {
                "features": [{"name": "tailnum", "type": "string", "sensitivity": "pseudonymize"}],
                "pseudonymizationKeySecretRef": {"name": "p", "key": "k"},
            },
            UserError,
            "the Secret's key isn't mounted",
        ),
    ],
)
def test_bad_input_is_told_and_leaves_no_snapshot(
    plane: DataPlane, changes: dict[str, Any], error: type[UserError], told: str
) -> None:
    with pytest.raises(error, match=told):
        plane.snapshot(**changes)

    assert not (plane.store.root / "featuresets").exists()


def test_an_empty_source_is_told(plane: DataPlane) -> None:
    plane.put("flights.csv", "")

    with pytest.raises(SourceError, match=r"file:///data/flights\.csv is empty"):
        plane.snapshot()


def test_the_inputs_are_told_by_their_digests(plane: DataPlane, tmp_path: Path) -> None:
    from serinus.api.featureset import FeatureSetSpec

    rows = transformed_rows(FeatureSetSpec.model_validate(feature_set()), plane.surroundings())

    assert [file.uri for file in rows.inputs["flights"]] == ["file:///data/flights.csv"]
