"""Digests, `sha256:<hex>`, and the way to read what is published under one.

A published file is read once: what the digest is taken of is what is parsed. It is never reached
through a link, and is a regular file: who may write into the store can't have us read what is
elsewhere, a pipe or a device.
"""

from __future__ import annotations

import errno
import hashlib
import mmap
import os
import stat
from pathlib import Path
from typing import Any, BinaryIO

PREFIX = "sha256:"
_BLOCK_BYTES = 1 << 20
_NO_FILE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENXIO)


def digest_of(content: bytes | memoryview[Any]) -> str:
    """Digest of bytes."""
    return PREFIX + hashlib.sha256(content).hexdigest()


def hex_of(digest: str) -> str:
    """The digest as a folder's name."""
    return digest.removeprefix(PREFIX)


def digest_of_file(path: Path) -> str:
    """Digest of a file, read in blocks."""
    running = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            running.update(block)
    return PREFIX + running.hexdigest()


def read_file(path: Path) -> bytes:
    """Content of a published file; `FileNotFoundError` where there is no regular one."""
    with _opened(path) as file:
        return file.read()


def mapped_file(path: Path) -> memoryview[Any]:
    """As `read_file`, in memory that the system fills as it is read, and may take back."""
    with _opened(path) as file:
        if os.fstat(file.fileno()).st_size == 0:
            return memoryview(b"")
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def _opened(path: Path) -> BinaryIO:
    # Without O_NONBLOCK, opening a pipe waits for its writer.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        if error.errno in _NO_FILE:
            raise _no_file(path) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _no_file(path)
    return os.fdopen(descriptor, "rb")


def _no_file(path: Path) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, "no regular file", str(path))
