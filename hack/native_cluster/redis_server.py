"""A server that speaks the protocol of Redis, for tests: Valkey or Redis, as Debian has it.

The packages with the tools have the whole server: the program that checks files is the same one,
and does what its first argument's name says. So no package with a service has to be installed.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from native_cluster import debian
from native_cluster.terminal import ClusterError


@dataclass(frozen=True)
class ServerProgram:
    """A program, and the name under which it is a server."""

    name: str
    path: Path


_NAMES = ("valkey-server", "redis-server")
_CHECKERS = {"valkey-server": "valkey-check-rdb", "redis-server": "redis-check-rdb"}
_PACKAGES = {"valkey-server": "valkey-tools", "redis-server": "redis-tools"}


def ensure() -> ServerProgram:
    """The server of this machine; installed where it has none.

    Raises
    ------
    ClusterError
        If there is none, and none can be installed.
    """
    if found := _found():
        return found
    for name in reversed(_NAMES):  # Redis is in each Debian, Valkey in newer ones
        try:
            debian.install(_PACKAGES[name])
        except ClusterError:
            if name == _NAMES[0]:
                raise
        if found := _found():
            return found
    raise ClusterError("redis", f"install {' or '.join(_NAMES)} and try again")


def _found() -> ServerProgram | None:
    for name in _NAMES:
        for program in (name, _CHECKERS[name]):
            if path := shutil.which(program):
                return ServerProgram(name, Path(path))
    return None
