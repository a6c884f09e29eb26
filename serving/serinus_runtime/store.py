"""The store: where things are, and how they appear there all at once.

Whatever is published is written beside its final place, synced and renamed, so that a reader sees
all of it or nothing, also after a crash.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from serinus.api.job_contract import STORE_MOUNT_PATH
from serinus_runtime.user_error import SnapshotError

DIGEST_PREFIX = "sha256:"
_URI_PREFIX = f"file://{STORE_MOUNT_PATH}/"
_BLOCK_BYTES = 1 << 20
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

    def snapshots(self, feature_set: str) -> Path:
        """Snapshots that may be used."""
        return self.root / "featuresets" / feature_set / "snapshots"

    def rejected_snapshots(self, feature_set: str) -> Path:
        """Snapshots that failed validation, for inspection."""
        return self.root / "featuresets" / feature_set / "rejected"

    def models(self, model_name: str) -> Path:
        """Packages of one model."""
        return self.root / "models" / model_name

    def run(self, run: str) -> Path:
        """Folder of a run."""
        return self.root / "runs" / run

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


def digest_of(content: bytes) -> str:
    """Digest of bytes."""
    return DIGEST_PREFIX + hashlib.sha256(content).hexdigest()


def digest_of_file(path: Path) -> str:
    """Digest of a file's bytes."""
    running = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            running.update(block)
    return DIGEST_PREFIX + running.hexdigest()


def hex_of(digest: str) -> str:
    """The digest as a folder's name."""
    return digest.removeprefix(DIGEST_PREFIX)


@contextmanager
def scratch_directory(parent: Path) -> Iterator[Path]:
    """A directory below `parent` to fill and to `publish_directory`; gone when the block ends."""
    parent.mkdir(parents=True, exist_ok=True, mode=_DIRECTORY_MODE)
    scratch = parent / f".tmp-{os.getpid()}-{secrets.token_hex(4)}"
    scratch.mkdir(mode=_DIRECTORY_MODE)
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


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


def publish_file(target: Path, content: bytes) -> None:
    """Write a file that appears at once, with all its content."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=_DIRECTORY_MODE)
    scratch = target.with_name(f".tmp-{target.name}-{os.getpid()}")
    with scratch.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    scratch.chmod(_FILE_MODE)
    scratch.rename(target)
    _sync(target.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
