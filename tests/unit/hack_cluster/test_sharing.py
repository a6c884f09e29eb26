"""Two checkouts and one cluster."""

import fcntl
from pathlib import Path

import pytest

from native_cluster.sharing import (
    Down,
    Sharing,
    Up,
    decide_down,
    decide_up,
    exclusive,
    read,
    write,
)

MINE, THEIRS = "/home/me/serinus", "/home/you/serinus"


def used_by(*users: str, fingerprint: str = "today") -> Sharing:
    return Sharing(users, fingerprint)


@pytest.mark.parametrize(
    ("sharing", "expected"),
    [
        pytest.param(None, Up.MAKE, id="there is no cluster"),
        pytest.param(used_by(MINE), Up.MAKE, id="it is mine, as I want it: mended if need be"),
        pytest.param(used_by(MINE, fingerprint="old"), Up.MAKE, id="mine alone: I may change it"),
        pytest.param(used_by(fingerprint="old"), Up.MAKE, id="nobody's: I may change it"),
        pytest.param(used_by(THEIRS), Up.MAKE, id="theirs, but just as I want it"),
        pytest.param(used_by(THEIRS, fingerprint="old"), Up.JOIN, id="theirs, and different"),
        pytest.param(used_by(MINE, THEIRS, fingerprint="old"), Up.JOIN, id="ours, and different"),
    ],
)
def test_a_cluster_that_another_checkout_uses_is_never_changed(
    sharing: Sharing | None, expected: Up
) -> None:
    assert decide_up(sharing, MINE, "today") is expected


@pytest.mark.parametrize(
    ("sharing", "expected"),
    [
        pytest.param(None, Down.STOP, id="half made, with no record: cleaned up"),
        pytest.param(used_by(MINE), Down.STOP, id="mine alone"),
        pytest.param(used_by(MINE, THEIRS), Down.LEAVE, id="another still uses it"),
        pytest.param(used_by(THEIRS), Down.LEAVE, id="never mine"),
    ],
)
def test_it_stops_with_its_last_user(sharing: Sharing | None, expected: Down) -> None:
    assert decide_down(sharing, MINE) is expected


def test_joining_twice_counts_once() -> None:
    sharing = used_by(THEIRS).joined_by(MINE).joined_by(MINE)

    assert sharing.users == (THEIRS, MINE)
    assert sharing.left_by(MINE).users == (THEIRS,)


def test_a_checkout_that_was_deleted_holds_nobody_up(tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    (alive / "hack").mkdir(parents=True)
    (alive / "hack/cluster").touch()
    record = tmp_path / "state" / "sharing.json"
    write(used_by(str(tmp_path / "deleted"), str(alive)), record)

    assert read(record) == used_by(str(alive))


@pytest.mark.parametrize("content", [None, "", "{"])
def test_no_record_or_half_of_one_is_no_cluster(tmp_path: Path, content: str | None) -> None:
    record = tmp_path / "sharing.json"
    if content is not None:
        record.write_text(content)

    assert read(record) is None


def test_one_changes_it_at_a_time_and_leaves_a_name(tmp_path: Path) -> None:
    lock = tmp_path / "lock"

    with exclusive(lock, MINE), lock.open() as second:
        assert second.read().strip() == MINE
        with pytest.raises(BlockingIOError):
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with lock.open() as second:
        fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
