"""The store: addresses, and things that appear all at once."""

import os
from pathlib import Path

import pytest

from serinus_runtime.store import (
    LEFTOVER_AGE,
    Store,
    publish_directory,
    publish_file,
    scratch_directory,
    withdraw_directory,
)
from serinus_runtime.user_error import SnapshotError


def test_an_address_is_the_same_wherever_the_store_is_mounted(tmp_path: Path) -> None:
    store = Store(tmp_path)
    path = store.snapshots("flights") / "abc"

    assert store.uri(path) == "file:///store/featuresets/flights/snapshots/abc"
    assert store.path(store.uri(path)) == path.resolve()


@pytest.mark.parametrize(
    "uri", ["file:///etc/passwd", "file:///store/../etc/passwd", "http://store/x", "/store/x"]
)
def test_an_address_out_of_the_store_is_refused(tmp_path: Path, uri: str) -> None:
    with pytest.raises(SnapshotError, match="isn't in the store"):
        Store(tmp_path).path(uri)


def fill_and_fail(parent: Path) -> None:
    with scratch_directory(parent) as scratch:
        (scratch / "half").write_bytes(b"1")
        raise ZeroDivisionError


def test_a_directory_is_published_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "parent" / "done"
    with pytest.raises(ZeroDivisionError):
        fill_and_fail(target.parent)
    assert list(target.parent.iterdir()) == []

    with scratch_directory(target.parent) as scratch:
        (scratch / "data").mkdir()
        (scratch / "data" / "x").write_bytes(b"1")
        publish_directory(scratch, target)

    assert [path.name for path in target.parent.iterdir()] == ["done"]
    assert (target / "data" / "x").read_bytes() == b"1"


def test_what_another_process_published_is_left(tmp_path: Path) -> None:
    target = tmp_path / "done"
    target.mkdir()
    (target / "x").write_bytes(b"theirs")

    with scratch_directory(tmp_path) as scratch:
        (scratch / "x").write_bytes(b"ours")
        publish_directory(scratch, target)

    assert (target / "x").read_bytes() == b"theirs"


def test_a_file_replaces_the_old_one_and_leaves_nothing_beside(tmp_path: Path) -> None:
    publish_file(tmp_path / "runs" / "result.json", b"1")
    publish_file(tmp_path / "runs" / "result.json", b"2")

    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["result.json"]
    assert (tmp_path / "runs" / "result.json").read_bytes() == b"2"


def test_two_pods_that_write_one_thing_never_share_a_scratch_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getpid", lambda: 1)  # as in every pod

    with scratch_directory(tmp_path) as ours, scratch_directory(tmp_path) as theirs:
        (theirs / "x").write_bytes(b"theirs")
        assert list(ours.iterdir()) == []
        publish_directory(theirs, tmp_path / "done")

    assert (tmp_path / "done" / "x").read_bytes() == b"theirs"


def test_a_file_that_cant_be_put_in_place_leaves_nothing_beside(tmp_path: Path) -> None:
    (tmp_path / "result.json").mkdir()

    with pytest.raises(OSError):
        publish_file(tmp_path / "result.json", b"1")

    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]


def aged(path: Path, *, seconds: float) -> None:
    """Let a path look as if it was written so long ago."""
    moment = path.stat().st_mtime - seconds
    os.utime(path, (moment, moment))


OLD = LEFTOVER_AGE.total_seconds() + 60


def test_what_dead_pods_left_is_removed_by_the_next_writer(tmp_path: Path) -> None:
    for name, changed in (("dead", OLD), ("alive", 60.0)):
        folder = tmp_path / f".tmp-{name}"
        (folder / "data").mkdir(parents=True)
        (folder / "data" / "part").write_bytes(b"1")
        for path in (folder / "data" / "part", folder / "data", folder):
            aged(path, seconds=changed)
    (tmp_path / ".tmp-file").write_bytes(b"1")
    aged(tmp_path / ".tmp-file", seconds=OLD)
    (tmp_path / "published").mkdir()
    aged(tmp_path / "published", seconds=OLD)

    with scratch_directory(tmp_path):
        pass

    assert {path.name for path in tmp_path.iterdir()} == {".tmp-alive", "published"}


def test_a_long_write_is_no_leftover_while_it_goes_on(tmp_path: Path) -> None:
    (tmp_path / ".tmp-slow").mkdir()
    (tmp_path / ".tmp-slow" / "part").write_bytes(b"just now")
    aged(tmp_path / ".tmp-slow", seconds=OLD)

    with scratch_directory(tmp_path):
        pass

    assert (tmp_path / ".tmp-slow" / "part").is_file()


def test_a_directory_is_withdrawn_whole(tmp_path: Path) -> None:
    (tmp_path / "done").mkdir()
    (tmp_path / "done" / "x").write_bytes(b"1")

    withdraw_directory(tmp_path / "done")
    withdraw_directory(tmp_path / "done")

    assert list(tmp_path.iterdir()) == []
