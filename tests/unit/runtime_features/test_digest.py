"""Files of the store are read as what they are: regular files, never through a link."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from serinus_runtime.digest import digest_of, digest_of_file, hex_of, read_file


def test_a_file_and_its_bytes_have_one_digest(tmp_path: Path) -> None:
    content = os.urandom((1 << 20) + 7)
    (tmp_path / "x").write_bytes(content)

    assert (
        digest_of_file(tmp_path / "x")
        == digest_of(content)
        == f"sha256:{hex_of(digest_of(content))}"
    )
    assert read_file(tmp_path / "x") == content


def nothing(_: Path) -> None: ...


def a_link(path: Path) -> None:
    (path.parent / "secret").write_bytes(b"of another folder")
    path.symlink_to(path.parent / "secret")


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


@pytest.mark.parametrize("put", [nothing, a_link, os.mkfifo, Path.mkdir, a_socket])
def test_what_is_no_regular_file_isnt_there(tmp_path: Path, put: Callable[[Path], object]) -> None:
    put(tmp_path / "x")

    with pytest.raises(FileNotFoundError, match="no regular file"):
        read_file(tmp_path / "x")


def test_a_disk_that_fails_is_no_missing_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="too long"):
        read_file(tmp_path / ("x" * 300))
