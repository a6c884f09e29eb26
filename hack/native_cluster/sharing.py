"""One native cluster for all checkouts of a machine: who uses it, who may change or stop it.

Bridges, routes and cgroups belong to the machine, so there can be one only. `up` joins its users,
`down` leaves them, and it stops with the last one. While another checkout uses it, nobody replaces
what it was made from.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path

from native_cluster import layout
from native_cluster.terminal import say


@dataclass(frozen=True, slots=True)
class Sharing:
    """Who uses a cluster, and what it was made from."""

    users: tuple[str, ...]  # paths of checkouts, in the order in which they came
    fingerprint: str  # of all that its daemons are started from

    def others(self, checkout: str) -> tuple[str, ...]:
        """Users besides this checkout."""
        return tuple(user for user in self.users if user != checkout)

    def joined_by(self, checkout: str) -> Sharing:
        """The same with one user more."""
        return replace(self, users=(*self.others(checkout), checkout))

    def left_by(self, checkout: str) -> Sharing:
        """The same without this user."""
        return replace(self, users=self.others(checkout))


class Up(StrEnum):
    """What `up` may do."""

    MAKE = "make"
    """Bring the cluster to what this checkout describes."""
    JOIN = "join"
    """Take it as it is: others use it, and it was made from something else."""


class Down(StrEnum):
    """What `down` may do."""

    STOP = "stop"
    LEAVE = "leave"
    """Others still use it."""


def decide_up(sharing: Sharing | None, checkout: str, fingerprint: str) -> Up:
    """May this checkout bring the cluster to what it describes?"""
    if sharing is None or sharing.fingerprint == fingerprint:
        return Up.MAKE
    return Up.JOIN if sharing.others(checkout) else Up.MAKE


def decide_down(sharing: Sharing | None, checkout: str) -> Down:
    """May this checkout stop the cluster?"""
    return Down.LEAVE if sharing and sharing.others(checkout) else Down.STOP


def read(path: Path = layout.SHARING) -> Sharing | None:
    """Who uses the cluster, without checkouts that are gone; None if there is no cluster."""
    try:
        fields = json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    users = tuple(user for user in fields["users"] if (Path(user) / "hack/cluster").exists())
    return Sharing(users, fields["fingerprint"])


def write(sharing: Sharing, path: Path = layout.SHARING) -> None:
    """Remember who uses the cluster."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(asdict(sharing), indent=1))
    part.replace(path)


@contextmanager
def exclusive(lock: Path, checkout: str) -> Iterator[None]:
    """Hold a lock: one who changes something at a time. Says for whom it waits."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            say(f"  waiting for hack/cluster of {file.read().strip() or 'another checkout'} …")
            fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        file.truncate()
        file.write(f"{checkout}\n")
        file.flush()
        yield
