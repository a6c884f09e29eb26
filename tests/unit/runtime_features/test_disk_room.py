"""Disk is given until none is left."""

import pytest

from serinus_runtime.features.disk_room import DiskRoom
from serinus_runtime.user_error import SourceError

MIB_BYTES = 1 << 20


def test_room_ends_with_what_to_raise() -> None:
    room = DiskRoom(10 * MIB_BYTES)

    room.take(7 * MIB_BYTES, "http://site/a")

    assert room.left_bytes == 3 * MIB_BYTES
    with pytest.raises(
        SourceError, match=r"http://site/b needs more than the 3 MiB .* left\. Raise"
    ):
        room.take(4 * MIB_BYTES, "http://site/b")
    room.take(3 * MIB_BYTES, "http://site/c")


def test_there_is_never_less_than_none() -> None:
    assert DiskRoom(-1).left_bytes == 0
