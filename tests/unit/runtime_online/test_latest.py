"""Who asks for the newest table gets that, from unchanged bytes, or is told why not."""

from pathlib import Path

import pytest

from serinus_runtime.digest import hex_of
from serinus_runtime.features.snapshot import MANIFEST_FILE, write_snapshot
from serinus_runtime.online.latest import TABLE_FILE, Newest, NoTable, TableAway, newest, table_of
from serinus_runtime.store import Store
from tests.support.online_tables import a_spec, frame_of, publish_table

SPEC = a_spec({"user": "string"}, {"spent": "float64"})
ROW = {"user": "ada", "at": 0, "spent": 1.0}


def test_the_newest_is_the_one_that_was_published_last(tmp_path: Path) -> None:
    first = publish_table(tmp_path, "shop", SPEC, [ROW])
    second = publish_table(tmp_path, "shop", SPEC, [ROW, {**ROW, "user": "bob"}])
    store = Store(tmp_path)

    assert newest(store, "shop") == Newest(second)
    assert first != second
    assert len(table_of(store, "shop", second)) == 2
    assert len(table_of(store, "shop", first)) == 1


def test_there_is_none_before_the_first(tmp_path: Path) -> None:
    assert newest(Store(tmp_path), "shop") is None


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b'{"snapshot": 1}', b'{"snapshot": "../../x"}', b"\xff"]
)
def test_a_pointer_that_names_no_snapshot_is_told(tmp_path: Path, content: bytes) -> None:
    publish_table(tmp_path, "shop", SPEC, [ROW])
    (tmp_path / "featuresets/shop/online.json").write_bytes(content)

    with pytest.raises(NoTable, match=r"online\.json"):
        newest(Store(tmp_path), "shop")


@pytest.mark.parametrize("name", [MANIFEST_FILE, TABLE_FILE])
def test_changed_bytes_are_refused(tmp_path: Path, name: str) -> None:
    digest = publish_table(tmp_path, "shop", SPEC, [ROW])
    path = tmp_path / "featuresets/shop/snapshots" / hex_of(digest) / name
    content = bytearray(path.read_bytes())
    content[-2] ^= 1
    path.write_bytes(content)

    with pytest.raises(NoTable, match=f"`{name}` has changed"):
        table_of(Store(tmp_path), "shop", digest)


@pytest.mark.parametrize("name", [MANIFEST_FILE, TABLE_FILE])
def test_a_file_that_is_gone_is_told(tmp_path: Path, name: str) -> None:
    digest = publish_table(tmp_path, "shop", SPEC, [ROW])
    (tmp_path / "featuresets/shop/snapshots" / hex_of(digest) / name).unlink()

    with pytest.raises(TableAway, match="can't be read"):
        table_of(Store(tmp_path), "shop", digest)


def test_a_snapshot_that_was_made_without_one_is_told(tmp_path: Path) -> None:
    store = Store(tmp_path)
    made = write_snapshot(store.snapshots("shop"), frame_of(SPEC, [ROW]), {}, {})

    with pytest.raises(NoTable, match="without `online`"):
        table_of(store, "shop", made.digest)
