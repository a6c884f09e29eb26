"""The store: addresses, and things that appear all at once."""

from pathlib import Path

import pytest

from serinus_runtime.store import (
    Store,
    digest_of,
    digest_of_file,
    hex_of,
    publish_directory,
    publish_file,
    scratch_directory,
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
    assert digest_of_file(tmp_path / "runs" / "result.json") == digest_of(b"2")
    assert hex_of(digest_of(b"2")) == digest_of(b"2")[7:]
