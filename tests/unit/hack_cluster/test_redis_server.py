"""The server for tests is the machine's own, under whichever name, or a package's."""

from pathlib import Path

import pytest

from native_cluster import debian
from native_cluster.redis_server import ServerProgram, ensure
from native_cluster.terminal import ClusterError


def program(folder: Path, name: str) -> Path:
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that holds all programs there are."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("there", "name"),
    [
        ("valkey-server", "valkey-server"),
        ("redis-server", "redis-server"),
        ("valkey-check-rdb", "valkey-server"),
        ("redis-check-rdb", "redis-server"),
    ],
)
def test_what_is_there_is_taken(machine: Path, there: str, name: str) -> None:
    path = program(machine, there)

    assert ensure() == ServerProgram(name, path)


def test_valkey_is_taken_where_both_are_there(machine: Path) -> None:
    program(machine, "redis-server")
    valkey = program(machine, "valkey-server")

    assert ensure() == ServerProgram("valkey-server", valkey)


def test_a_package_is_installed_where_nothing_is_there(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def install(package: str) -> None:
        if package == "redis-tools":
            raise ClusterError("packages", "there is none")
        program(machine, "valkey-check-rdb")

    monkeypatch.setattr(debian, "install", install)

    assert ensure() == ServerProgram("valkey-server", machine / "valkey-check-rdb")


def test_where_nothing_can_be_installed_it_says_what_to_do(machine: Path) -> None:
    with pytest.raises(ClusterError, match="install valkey-tools and try again"):
        ensure()
