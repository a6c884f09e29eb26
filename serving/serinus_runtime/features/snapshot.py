"""Snapshots: immutable, content-addressed, one manifest that names all they consist of.

    <hex>/manifest.json         what it is; its digest is the snapshot's
          data/part-0.parquet   the rows
          statistics.json       what the columns look like
          online.safetensors    the newest row of each entity, where the FeatureSet asks for it

The manifest holds nothing that differs between two runs on the same input with the same spec.
"""

from __future__ import annotations

import io
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from serinus.api.featureset import FeatureSetSpec
from serinus_runtime.digest import digest_of, digest_of_file, hex_of, read_file
from serinus_runtime.features.addresses import with_public_addresses
from serinus_runtime.store import publish_directory, scratch_directory, withdraw_directory
from serinus_runtime.user_error import SnapshotError

FORMAT = {"name": "serinus-snapshot", "version": "1"}
MANIFEST_FILE = "manifest.json"
DATA_FILE = "data/part-0.parquet"
STATISTICS_FILE = "statistics.json"
GRACE = timedelta(hours=1)
"""How long a snapshot is kept in any case."""
_ROW_GROUP_ROWS = 122_880

SPEC_FIELDS = (
    "entities",
    "timestamp_field",
    "created_timestamp_field",
    "prediction_time",
    "sources",
    "transform",
    "features",
    "labels",
    "validation",
    "online",
    "pseudonymization_key_secret_ref",
)
"""Fields of a FeatureSet that its rows and their meaning depend on."""


@dataclass(frozen=True, slots=True)
class WrittenSnapshot:
    """A snapshot in the store; `is_new` is false where it had been there already."""

    path: Path
    digest: str
    is_new: bool


@dataclass(frozen=True, slots=True)
class LoadedSnapshot:
    """Rows and schema of a snapshot whose digests were checked."""

    frame: pl.DataFrame
    spec: FeatureSetSpec


def schema_of(spec: FeatureSetSpec) -> dict[str, Any]:
    """The part of the spec that goes into the manifest."""
    return with_public_addresses(spec).model_dump(
        mode="json", by_alias=True, exclude_none=True, include=set(SPEC_FIELDS)
    )


def write_snapshot(
    parent: Path,
    frame: pl.DataFrame,
    manifest: dict[str, Any],
    statistics: dict[str, Any],
    more: Mapping[str, Sequence[bytes]] | None = None,
) -> WrittenSnapshot:
    """Write rows, statistics and a manifest below `parent`, unless they are there already.

    `manifest` is what the snapshot says of itself; format, rows and files are added. `more` are
    further files, each in pieces, by name.
    """
    with scratch_directory(parent) as scratch:
        (scratch / DATA_FILE).parent.mkdir()
        frame.write_parquet(scratch / DATA_FILE, compression="zstd", row_group_size=_ROW_GROUP_ROWS)
        (scratch / STATISTICS_FILE).write_bytes(_json(statistics))
        for name, pieces in (more or {}).items():
            with (scratch / name).open("xb") as file:
                file.writelines(pieces)
        files = [_entry(scratch, name) for name in (DATA_FILE, STATISTICS_FILE, *(more or {}))]
        content = _json({"format": FORMAT, **manifest, "rows": frame.height, "files": files})
        digest = digest_of(content)
        target = parent / hex_of(digest)
        if target.is_dir():
            if _is_intact(target, digest, files):
                return WrittenSnapshot(target, digest, is_new=False)
            withdraw_directory(target)
        (scratch / MANIFEST_FILE).write_bytes(content)
        publish_directory(scratch, target)
    return WrittenSnapshot(target, digest, is_new=True)


def load_snapshot(directory: Path, digest: str) -> LoadedSnapshot:
    """Rows and schema of a snapshot, from bytes that are found to be the digest's.

    Raises
    ------
    SnapshotError
        It isn't there, a file was changed, or it is of a format that this version can't read.
    """
    if not (directory / MANIFEST_FILE).is_file():
        raise SnapshotError(f"snapshot {digest} isn't in the store. Run its FeatureSet again")
    try:
        return _loaded(directory, digest)
    except _Changed as changed:
        raise SnapshotError(
            f"snapshot {digest}: `{changed.name}` has changed since it was written. "
            "Restore the file, or run the FeatureSet again and use its new snapshot"
        ) from changed
    except (KeyError, TypeError, ValueError, pl.exceptions.PolarsError) as error:
        raise SnapshotError(
            f"snapshot {digest} is of a format that this version can't read "
            f"({type(error).__name__}). Run its FeatureSet again"
        ) from error


class _Changed(Exception):
    """The bytes of a file aren't those of its digest, or it is no file."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(name)


def _loaded(directory: Path, digest: str) -> LoadedSnapshot:
    manifest = json.loads(_checked(directory, MANIFEST_FILE, digest))
    if manifest.get("format") != FORMAT:
        raise SnapshotError(f"snapshot {digest}: unknown format {manifest.get('format')}")
    digests = {entry["name"]: entry["digest"] for entry in manifest["files"]}
    _checked(directory, STATISTICS_FILE, digests[STATISTICS_FILE])
    rows = _checked(directory, DATA_FILE, digests[DATA_FILE])
    spec = FeatureSetSpec.model_validate(manifest["schema"])
    return LoadedSnapshot(pl.read_parquet(io.BytesIO(rows)), spec)


def _checked(directory: Path, name: str, digest: str) -> bytes:
    """Content of a file, read once and found to be the digest's; raises `_Changed`."""
    try:
        content = read_file(directory / name)
    except FileNotFoundError as error:
        raise _Changed(name) from error
    if digest_of(content) != digest:
        raise _Changed(name)
    return content


def _is_intact(directory: Path, digest: str, files: Sequence[Mapping[str, Any]]) -> bool:
    """Whether manifest and `files` are there with all their bytes."""
    digests = {MANIFEST_FILE: digest} | {entry["name"]: entry["digest"] for entry in files}
    try:
        return all(digest_of_file(directory / name) == one for name, one in digests.items())
    except FileNotFoundError:
        return False


def _entry(directory: Path, name: str) -> dict[str, Any]:
    path = directory / name
    return {"name": name, "digest": digest_of_file(path), "sizeBytes": path.stat().st_size}


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, indent=1, allow_nan=False).encode()


def collect(parent: Path, *, retain: int, keep: Collection[str], now: datetime) -> tuple[str, ...]:
    """Delete all but the `retain` newest snapshots and those of the digests `keep`; the deleted.

    What is younger than `GRACE` is never taken: who needs it may not have said so when `keep` was
    written down. Age is when the manifest was written.
    """
    kept = {hex_of(digest) for digest in keep}
    found = [path for path in parent.glob("*") if (path / MANIFEST_FILE).is_file()]
    newest_first = sorted(
        found, key=lambda path: (path / MANIFEST_FILE).stat().st_mtime_ns, reverse=True
    )
    youngest_taken = (now - GRACE).timestamp()
    deleted = [
        path
        for path in newest_first[retain:]
        if path.name not in kept and (path / MANIFEST_FILE).stat().st_mtime <= youngest_taken
    ]
    for path in deleted:
        withdraw_directory(path)
    return tuple(path.name for path in deleted)
