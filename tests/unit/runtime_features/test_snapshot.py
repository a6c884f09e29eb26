"""Snapshots are content-addressed, checked when read, and collected by age but for those in use."""

import os
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from serinus.api.featureset import FeatureSetSpec
from serinus_runtime.digest import digest_of
from serinus_runtime.features.snapshot import (
    DATA_FILE,
    GRACE,
    MANIFEST_FILE,
    STATISTICS_FILE,
    WrittenSnapshot,
    collect,
    load_snapshot,
    schema_of,
    write_snapshot,
)
from serinus_runtime.user_error import SnapshotError
from tests.support.feature_sets import feature_set

SPEC = FeatureSetSpec.model_validate(feature_set())


def written(parent: Path, *values: float, spec: FeatureSetSpec = SPEC) -> WrittenSnapshot:
    frame = pl.DataFrame({"x": values})
    return write_snapshot(parent, frame, {"schema": schema_of(spec)}, {"rows": len(values)})


def test_the_same_content_is_written_once(tmp_path: Path) -> None:
    first = written(tmp_path, 1.0)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}

    second = written(tmp_path, 1.0)

    assert first.is_new
    assert not second.is_new
    assert first.digest == second.digest
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_rows_and_units_change_the_digest(tmp_path: Path) -> None:
    features = [{"name": "delay", "type": "float64", "unit": unit} for unit in ("min", "h")]
    specs = [FeatureSetSpec.model_validate(feature_set(features=[f])) for f in features]

    digests = {
        written(tmp_path, 1.0).digest,
        written(tmp_path, 2.0).digest,
        *(written(tmp_path, 1.0, spec=spec).digest for spec in specs),
    }

    assert len(digests) == 4


def test_resources_and_retention_do_not(tmp_path: Path) -> None:
    changed = FeatureSetSpec.model_validate(
        feature_set(retention={"snapshots": 1}, backoffLimit=0, suspend=True, description="new")
    )

    assert schema_of(changed) == schema_of(SPEC)


def test_a_snapshot_reads_back_as_it_was(tmp_path: Path) -> None:
    snapshot = written(tmp_path, 1.0, 2.0)

    loaded = load_snapshot(snapshot.path, snapshot.digest)

    assert loaded.frame["x"].to_list() == [1.0, 2.0]
    assert schema_of(loaded.spec) == schema_of(SPEC)


@pytest.mark.parametrize("name", [MANIFEST_FILE, DATA_FILE, STATISTICS_FILE])
def test_a_changed_file_is_named_and_the_next_run_mends_it(tmp_path: Path, name: str) -> None:
    snapshot = written(tmp_path, 1.0)
    (snapshot.path / name).write_bytes(b"{}")

    with pytest.raises(SnapshotError, match=f"`{name}` has changed"):
        load_snapshot(snapshot.path, snapshot.digest)

    assert written(tmp_path, 1.0).is_new
    assert load_snapshot(snapshot.path, snapshot.digest).frame.height == 1


def test_what_is_read_is_what_the_digest_was_taken_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot, other = written(tmp_path, 1.0, 2.0), written(tmp_path, 6.0, 6.0)
    rows = (snapshot.path / DATA_FILE).read_bytes()

    def swapped(content: bytes) -> str:
        if content == rows:  # somebody writes in between
            (snapshot.path / DATA_FILE).write_bytes((other.path / DATA_FILE).read_bytes())
        return digest_of(content)

    monkeypatch.setattr("serinus_runtime.features.snapshot.digest_of", swapped)

    assert load_snapshot(snapshot.path, snapshot.digest).frame["x"].to_list() == [1.0, 2.0]


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    snapshot = written(tmp_path, 1.0)
    (snapshot.path / DATA_FILE).rename(tmp_path / "elsewhere")
    (snapshot.path / DATA_FILE).symlink_to(tmp_path / "elsewhere")

    with pytest.raises(SnapshotError, match=f"`{DATA_FILE}` has changed"):
        load_snapshot(snapshot.path, snapshot.digest)


@pytest.mark.parametrize(
    "content",
    [b"no JSON", b'{"format": {"name": "serinus-snapshot", "version": "1"}, "files": []}'],
)
def test_a_manifest_of_another_form_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / MANIFEST_FILE).write_bytes(content)

    with pytest.raises(SnapshotError, match="a format that this version can't read"):
        load_snapshot(tmp_path, digest_of(content))


def test_a_snapshot_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="isn't in the store"):
        load_snapshot(tmp_path / "none", "sha256:0")


def test_the_newest_and_those_in_use_are_kept(tmp_path: Path) -> None:
    snapshots = [written(tmp_path, float(number)) for number in range(5)]
    for age, snapshot in enumerate(reversed(snapshots)):
        os.utime(snapshot.path / MANIFEST_FILE, (1000 - age, 1000 - age))

    now = datetime.fromtimestamp(1000, UTC) + GRACE

    deleted = collect(tmp_path, retain=2, keep=[snapshots[0].digest], now=now)

    assert set(deleted) == {snapshots[1].path.name, snapshots[2].path.name}
    assert {path.name for path in tmp_path.iterdir()} == {
        snapshots[number].path.name for number in (0, 3, 4)
    }


def test_none_is_taken_that_is_younger_than_the_grace_time(tmp_path: Path) -> None:
    older, younger, newest = (written(tmp_path, float(number)) for number in range(3))
    for snapshot, seconds in ((older, 1000), (younger, 1001), (newest, 1002)):
        os.utime(snapshot.path / MANIFEST_FILE, (seconds, seconds))
    now = datetime.fromtimestamp(1000, UTC) + GRACE

    deleted = collect(tmp_path, retain=1, keep=(), now=now)

    assert deleted == (older.path.name,)
