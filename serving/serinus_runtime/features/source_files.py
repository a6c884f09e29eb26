"""From the addresses of a source to plain local files, each with the digest of its bytes.

`file://` is read below the store's data folder only, symbolic links resolved first. `http(s)://`
is fetched into the scratch folder. gzip and zip are recognised by their first bytes and unpacked
there: names inside an archive are never used as paths.
"""

from __future__ import annotations

import gzip
import lzma
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

from serinus_runtime.digest import digest_of_file
from serinus_runtime.features.addresses import is_remote, public_address
from serinus_runtime.features.disk_room import DiskRoom
from serinus_runtime.features.download import Downloader
from serinus_runtime.user_error import SourceError

_DATA_FOLDER = "data/"
_FILES_MAX = 10_000
_BLOCK_BYTES = 1 << 20
_GZIP_MAGIC = b"\x1f\x8b"
_ZIP_MAGIC = b"PK\x03\x04"
_EMPTY_ZIP_MAGIC = b"PK\x05\x06"
_GLOB_CHARACTERS = "*?["
_FILL_OR_REMOVE = "Write it anew, or take it out of `files.uris`"
_BROKEN = (
    gzip.BadGzipFile,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    RuntimeError,
    UnicodeError,
)
"""What the libraries call an archive that can't be read."""


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file as it was published: its address, and the digest and size of its bytes."""

    uri: str
    digest: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A plain file that a table can be read from; `uri` is for messages."""

    uri: str
    path: Path


@dataclass(frozen=True, slots=True)
class SourceFiles:
    """All files of one source, in the order of their addresses."""

    inputs: tuple[InputFile, ...]
    files: tuple[LocalFile, ...]


def local_files(
    source: str,
    uris: Sequence[str],
    *,
    data: Path,
    scratch: Path,
    download: Downloader,
    room: DiskRoom,
) -> SourceFiles:
    """Fetch and unpack what the addresses of the source `source` lead to; `room` bounds all of it.

    Raises
    ------
    SourceError
        An address leads out of the data folder or to nothing, a file is empty or broken, or they
        take more disk than there is room for.
    OSError
        Something that may go away: the server doesn't answer, the disk is full.
    """
    inputs: list[InputFile] = []
    files: list[LocalFile] = []
    for uri in uris:
        for found in _found(source, uri, data, scratch, download, room):
            size_bytes = found.path.stat().st_size
            if not size_bytes:
                raise SourceError(f"source `{source}`: {found.uri} is empty. {_FILL_OR_REMOVE}")
            inputs.append(InputFile(found.uri, digest_of_file(found.path), size_bytes))
            files += _unpacked(source, found, scratch, room)
    return SourceFiles(tuple(inputs), tuple(files))


def _found(
    source: str, uri: str, data: Path, scratch: Path, download: Downloader, room: DiskRoom
) -> list[LocalFile]:
    if not is_remote(uri):
        return _below(source, uri, data)
    address, target = public_address(uri), _scratch_path(scratch)
    try:
        download(uri, target, room.left_bytes)
        room.take(target.stat().st_size, address)
    except SourceError as error:
        raise SourceError(f"source `{source}`: {error}") from None
    return [LocalFile(address, target)]


def _below(source: str, uri: str, data: Path) -> list[LocalFile]:
    """Files of a `file://` address, below the data folder once links are resolved."""
    parts = urlsplit(uri)
    if parts.netloc:
        raise SourceError(
            f"source `{source}`: {uri} names the host `{parts.netloc}`. "
            "Write file:///path with three slashes"
        )
    path_in_store = unquote(uri.removeprefix("file://")).lstrip("/")
    if not path_in_store.startswith(_DATA_FOLDER):
        raise SourceError(
            f"source `{source}`: {uri} is not in the store's data folder; "
            f"write file:///{_DATA_FOLDER}{path_in_store}"
        )
    relative = path_in_store.removeprefix(_DATA_FOLDER)
    root = data.resolve()
    is_glob = any(character in relative for character in _GLOB_CHARACTERS)
    if ".." in Path(relative).parts:
        raise SourceError(f"source `{source}`: {uri} leads out of the store's data folder")
    candidates = sorted(root.glob(relative)) if is_glob else [root / relative]
    paths = [path for path in candidates if path.is_file()]
    if not paths:
        what = "matches no file" if is_glob else "doesn't exist or is no file"
        raise SourceError(
            f"source `{source}`: {uri} {what} in the store's data folder. Put it there, or correct "
            "`files.uris`"
        )
    if len(paths) > _FILES_MAX:
        raise SourceError(f"source `{source}`: {uri} matches more than {_FILES_MAX} files")
    for path in paths:
        if not path.resolve().is_relative_to(root):
            raise SourceError(
                f"source `{source}`: {uri}: a symbolic link leads out of the store's data folder"
            )
    return [
        LocalFile(f"file:///{_DATA_FOLDER}{path.relative_to(root).as_posix()}", path)
        for path in paths
    ]


def _unpacked(source: str, file: LocalFile, scratch: Path, room: DiskRoom) -> list[LocalFile]:
    with file.path.open("rb") as opened:
        magic = opened.read(4)
    try:
        if magic.startswith(_GZIP_MAGIC):
            with gzip.open(file.path) as content:
                return [LocalFile(file.uri, _copied(content, file, scratch, room))]
        if magic in (_ZIP_MAGIC, _EMPTY_ZIP_MAGIC):
            return _members(file, scratch, room)
    except SourceError as error:
        raise SourceError(f"source `{source}`: {error}") from None
    except _BROKEN as error:
        raise SourceError(f"source `{source}`: {file.uri} can't be unpacked: {error}") from error
    except OSError as error:
        # bzip2 calls its broken data so; what the system says has a number.
        if error.errno is not None:
            raise
        raise SourceError(f"source `{source}`: {file.uri} can't be unpacked: {error}") from error
    return [file]


def _members(file: LocalFile, scratch: Path, room: DiskRoom) -> list[LocalFile]:
    with zipfile.ZipFile(file.path) as archive:
        members = [
            member
            for member in archive.infolist()
            if not member.is_dir() and not member.filename.startswith(("__MACOSX/", "."))
        ]
        if not members:
            raise SourceError(f"{file.uri} holds no file")
        if len(members) > _FILES_MAX:
            raise SourceError(f"{file.uri} holds more than {_FILES_MAX} files")
        unpacked = []
        for member in members:
            uri = f"{file.uri}#{member.filename}"
            with archive.open(member) as content:
                path = _copied(content, LocalFile(uri, file.path), scratch, room)
            if not path.stat().st_size:
                raise SourceError(f"{uri} is empty. {_FILL_OR_REMOVE}")
            unpacked.append(LocalFile(uri, path))
        return unpacked


def _copied(
    content: IO[bytes] | gzip.GzipFile, file: LocalFile, scratch: Path, room: DiskRoom
) -> Path:
    target = _scratch_path(scratch)
    with target.open("wb") as out:
        while block := content.read(_BLOCK_BYTES):
            room.take(len(block), f"{file.uri}, unpacked,")
            out.write(block)
    shutil.copystat(file.path, target)
    return target


def _scratch_path(scratch: Path) -> Path:
    return Path(tempfile.mkdtemp(dir=scratch)) / "content"
