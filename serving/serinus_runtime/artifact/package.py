"""The package on disk: a directory with `manifest.json` and the files that it names.

Written once, next to where it will be, then renamed to `<sha256 of manifest.json>`: a reader sees
all of it or nothing. Nothing in it is ever unpickled.
"""

from __future__ import annotations

import io
import os
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serinus_runtime.artifact import manifest as manifest_file
from serinus_runtime.artifact import plan_codec
from serinus_runtime.artifact.digest import (
    PREFIX,
    check_file,
    digest_of_bytes,
)
from serinus_runtime.artifact.errors import ArtifactMissing, FormatRefused
from serinus_runtime.artifact.manifest import (
    ARRAYS_FILE,
    MANIFEST_FILE,
    NATIVE_FILE,
    FileEntry,
    Manifest,
)
from serinus_runtime.artifact.model import Model, Predictor

_FILE_MODE = 0o664
_DIRECTORY_MODE = 0o775
_URI_PREFIX = "file:///store/"


def publish(manifest: Manifest, files: Mapping[str, bytes], parent: Path) -> tuple[Path, str]:
    """Write a package below `parent`; its path and digest.

    `manifest.files` is filled in here. A package that is there already is left as it is.
    """
    entries = tuple(
        FileEntry(name=name, digest=digest_of_bytes(content), size_bytes=len(content))
        for name, content in sorted(files.items())
    )
    rendered = manifest_file.render(replace(manifest, files=entries))
    digest = digest_of_bytes(rendered)
    target = parent / digest.removeprefix(PREFIX)
    if target.is_dir():
        return target, digest
    parent.mkdir(parents=True, exist_ok=True)
    with _sibling(target) as directory:
        for name, content in {**files, MANIFEST_FILE: rendered}.items():
            _write_durably(directory / name, content)
        _sync_directory(directory)
        try:
            directory.rename(target)
        except OSError:
            if not target.is_dir():  # somebody else wrote the same bytes meanwhile
                raise
    _sync_directory(parent)
    return target, digest


@contextmanager
def _sibling(target: Path) -> Iterator[Path]:
    directory = target.with_name(f".tmp-{target.name}-{os.getpid()}")
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(mode=_DIRECTORY_MODE)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _write_durably(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    path.chmod(_FILE_MODE)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def directory_of(uri: str, store: Path) -> Path:
    """Directory of a `file:///store/models/…` address; raises `FormatRefused`.

    Other folders of the store hold what users bring: nothing there is taken for a model.
    """
    if not uri.startswith(_URI_PREFIX):
        raise FormatRefused(f"storageUri: expected {_URI_PREFIX}…, got {uri}")
    root = store.resolve()
    directory = (root / uri.removeprefix(_URI_PREFIX)).resolve()
    if not directory.is_relative_to(root):
        raise FormatRefused(f"storageUri: {uri} leads out of the store")
    if not directory.is_relative_to(root / "models"):
        raise FormatRefused(f"storageUri: expected {_URI_PREFIX}models/…, got {uri}")
    return directory


def read_manifest(directory: Path, digest: str) -> Manifest:
    """The manifest, once its bytes and those of all files are found to be the digest's.

    Raises
    ------
    ArtifactError
        The package isn't there, was changed (the file is named), or isn't of our format.
    """
    if not directory.is_dir():
        raise ArtifactMissing(str(directory))
    check_file(directory / MANIFEST_FILE, name=MANIFEST_FILE, expected=digest)
    manifest = manifest_file.parse((directory / MANIFEST_FILE).read_bytes())
    for entry in manifest.files:
        check_file(directory / entry.name, name=entry.name, expected=entry.digest)
    return manifest


def load(directory: Path, digest: str) -> Model:
    """The model of a package, after its digests were checked; raises `ArtifactError`."""
    manifest = read_manifest(directory, digest)
    return Model(manifest=manifest, digest=digest, predictor=_predictor(manifest, directory))


def _predictor(manifest: Manifest, directory: Path) -> Predictor:
    if manifest.plan is not None:
        return plan_codec.parse(manifest.plan, read_arrays(directory / ARRAYS_FILE))
    # Only here, because it imports scikit-learn, which takes seconds.
    from serinus_runtime.artifact.native import load_native

    return load_native(directory / NATIVE_FILE, manifest)


def array_bytes(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Arrays as the bytes of an `.npz` that only depend on the arrays."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, array in sorted(arrays.items()):
            content = io.BytesIO()
            np.lib.format.write_array(content, np.ascontiguousarray(array), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content.getvalue())
    return buffer.getvalue()


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Arrays of an `.npz`; raises `FormatRefused` where they would need pickle."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, zipfile.BadZipFile) as error:
        raise FormatRefused(f"{path.name}: can't be read without pickle: {error}") from error
