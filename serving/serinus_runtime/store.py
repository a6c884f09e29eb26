"""The store: where things are, and how they appear there all at once.

Whatever is published is written beside its final place, synced and renamed, so that a reader sees
all of it or nothing, also after a crash.
"""

from __future__ import annotations

import math
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from serinus.api.store_mount import STORE_MOUNT_PATH
from serinus_runtime.user_error import SnapshotError

LEFTOVER_AGE = timedelta(days=1)
"""Age from which half-written files are taken for those of a pod that died: nobody pauses so long
while writing."""
_URI_PREFIX = f"file://{STORE_MOUNT_PATH}/"
SCRATCH_PREFIX = ".tmp-"
_FILE_MODE = 0o664
_DIRECTORY_MODE = 0o775


@dataclass(frozen=True, slots=True)
class Store:
    """Folders below the store's root."""

    root: Path

    @property
    def data(self) -> Path:
        """The user's source files; the only place that `file://` sources are read from."""
        return self.root / "data"

    def feature_set(self, feature_set: str) -> Path:
        """All that there is of a FeatureSet."""
        return self.root / "featuresets" / feature_set

    def snapshots(self, feature_set: str) -> Path:
        """Snapshots that may be used."""
        return self.feature_set(feature_set) / "snapshots"

    def rejected_snapshots(self, feature_set: str) -> Path:
        """Snapshots that failed validation, for inspection."""
        return self.feature_set(feature_set) / "rejected"

    def models(self, model_name: str) -> Path:
        """Packages of one model."""
        return self.root / "models" / model_name

    def run(self, run: str) -> Path:
        """Folder of a run."""
        return self.root / "runs" / run

    def record(self, namespace: str, deployment: str, number: int) -> Path:
        """Where an exported record of a decision is; names are in order of the numbers."""
        return self.root / "records" / namespace / deployment / f"{number:09}.json"

    def uri(self, path: Path) -> str:
        """Address of a path in the store, wherever the store is mounted."""
        return _URI_PREFIX + path.relative_to(self.root).as_posix()

    def path(self, uri: str) -> Path:
        """Path of an address in the store; raises `SnapshotError` where it leads out of it."""
        root = self.root.resolve()
        path = (root / uri.removeprefix(_URI_PREFIX)).resolve()
        if not uri.startswith(_URI_PREFIX) or not path.is_relative_to(root):
            raise SnapshotError(f"`{uri}` isn't in the store; expected {_URI_PREFIX}…")
        return path


@contextmanager
def scratch_directory(parent: Path) -> Iterator[Path]:
    """A directory below `parent` to fill and to `publish_directory`; gone when the block ends.

    What pods that died have left beside it goes, too.
    """
    parent.mkdir(parents=True, exist_ok=True, mode=_DIRECTORY_MODE)
    scratch = _scratch_name(parent)
    scratch.mkdir(mode=_DIRECTORY_MODE)
    try:
        _remove_leftovers(parent, scratch)
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _scratch_name(parent: Path) -> Path:
    """A name that no other writer has: every pod's process has the same number."""
    return parent / f"{SCRATCH_PREFIX}{secrets.token_hex(8)}"


def _remove_leftovers(parent: Path, scratch: Path) -> None:
    """Remove what nobody has written to for `LEFTOVER_AGE` when `scratch` was made.

    Its time is that of the store's own clock, as that of all others is.
    """
    latest = scratch.stat().st_mtime - LEFTOVER_AGE.total_seconds()
    for path in parent.glob(f"{SCRATCH_PREFIX}*"):
        if _last_written(path) < latest:
            _remove(path)


def _last_written(path: Path) -> float:
    """When anything of it was written; `inf` for what is gone meanwhile."""
    try:
        return max(found.lstat().st_mtime for found in (path, *path.rglob("*")))
    except FileNotFoundError:
        return math.inf


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def publish_directory(scratch: Path, target: Path) -> None:
    """Move a filled directory to its final place, durably.

    What another process published there meanwhile is left as it is.
    """
    for path in sorted(scratch.rglob("*"), reverse=True):
        path.chmod(_DIRECTORY_MODE if path.is_dir() else _FILE_MODE)
        _sync(path)
    _sync(scratch)
    try:
        scratch.rename(target)
    except OSError:
        if not target.is_dir():
            raise
    _sync(target.parent)


def withdraw_directory(target: Path) -> None:
    """Remove a published directory, if there is one, such that nobody sees half of it."""
    scratch = _scratch_name(target.parent)
    try:
        target.rename(scratch)
    except FileNotFoundError:
        return
    _remove(scratch)


def publish_file(target: Path, content: bytes) -> None:
    """Write a file that appears at once, with all its content."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=_DIRECTORY_MODE)
    scratch = _scratch_name(target.parent)
    try:
        with scratch.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        scratch.chmod(_FILE_MODE)
        scratch.rename(target)
    finally:
        scratch.unlink(missing_ok=True)
    _sync(target.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
