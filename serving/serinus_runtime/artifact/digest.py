"""Digests: `sha256:<hex>` of files, read once in blocks."""

from __future__ import annotations

import hashlib
from pathlib import Path

from serinus_runtime.artifact.errors import ArtifactChanged, ArtifactMissing

_BLOCK_BYTES = 1 << 20
PREFIX = "sha256:"


def digest_of_bytes(content: bytes) -> str:
    """Digest of bytes."""
    return PREFIX + hashlib.sha256(content).hexdigest()


def digest_of_file(path: Path) -> str:
    """Digest of a file's bytes."""
    running = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            running.update(block)
    return PREFIX + running.hexdigest()


def check_file(path: Path, *, name: str, expected: str) -> None:
    """Raise `ArtifactMissing` or `ArtifactChanged`, naming the file, unless the digest fits."""
    if not path.is_file():
        raise ArtifactMissing(name)
    actual = digest_of_file(path)
    if actual != expected:
        raise ArtifactChanged(name, expected, actual)
