"""Snapshots: immutable, content-addressed, one manifest that names all they consist of.

    <hex>/manifest.json         what it is; its digest is the snapshot's
          data/part-0.parquet   the rows
          statistics.json       what the columns look like

The manifest holds nothing that differs between two runs on the same input with the same spec.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from serinus.api.featureset import FeatureSetSpec
from serinus_runtime.features.addresses import with_public_addresses
from serinus_runtime.store import (
    digest_of,
    digest_of_file,
    hex_of,
    publish_directory,
    scratch_directory,
)
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
    parent: Path, frame: pl.DataFrame, manifest: dict[str, Any], statistics: dict[str, Any]
) -> WrittenSnapshot:
    """Write rows, statistics and a manifest below `parent`, unless they are there already.

    `manifest` is what the snapshot says of itself; format, rows and files are added.
    """
    with scratch_directory(parent) as scratch:
        (scratch / DATA_FILE).parent.mkdir()
        frame.write_parquet(scratch / DATA_FILE, compression="zstd", row_group_size=_ROW_GROUP_ROWS)
        (scratch / STATISTICS_FILE).write_bytes(_json(statistics))
        files = [_entry(scratch, name) for name in (DATA_FILE, STATISTICS_FILE)]
        content = _json({"format": FORMAT, **manifest, "rows": frame.height, "files": files})
        digest = digest_of(content)
        target = parent / hex_of(digest)
        if _is_intact(target, digest):
            return WrittenSnapshot(target, digest, is_new=False)
        shutil.rmtree(target, ignore_errors=True)
        (scratch / MANIFEST_FILE).write_bytes(content)
        publish_directory(scratch, target)
    return WrittenSnapshot(target, digest, is_new=True)


def load_snapshot(directory: Path, digest: str) -> LoadedSnapshot:
    """Rows and schema of a snapshot, once all bytes are found to be the digest's.

    Raises
    ------
    SnapshotError
        It isn't there, a file was changed, or its manifest is of another format.
    """
    if not (directory / MANIFEST_FILE).is_file():
        raise SnapshotError(f"snapshot {digest} isn't in the store. Run its FeatureSet again")
    changed = _changed_file(directory, digest)
    if changed:
        raise SnapshotError(
            f"snapshot {digest}: `{changed}` has changed since it was written. "
            "Restore the file, or run the FeatureSet again and use its new snapshot"
        )
    manifest = json.loads((directory / MANIFEST_FILE).read_bytes())
    if manifest.get("format") != FORMAT:
        raise SnapshotError(f"snapshot {digest}: unknown format {manifest.get('format')}")
    spec = FeatureSetSpec.model_validate(manifest["schema"])
    return LoadedSnapshot(pl.read_parquet(directory / DATA_FILE), spec)


def _is_intact(directory: Path, digest: str) -> bool:
    return (directory / MANIFEST_FILE).is_file() and _changed_file(directory, digest) is None


def _changed_file(directory: Path, digest: str) -> str | None:
    """Name of the first file whose bytes aren't those of the manifest, or of the digest."""
    if digest_of_file(directory / MANIFEST_FILE) != digest:
        return MANIFEST_FILE
    for entry in json.loads((directory / MANIFEST_FILE).read_bytes())["files"]:
        path = directory / entry["name"]
        if not path.is_file() or digest_of_file(path) != entry["digest"]:
            return str(entry["name"])
    return None


def _entry(directory: Path, name: str) -> dict[str, Any]:
    path = directory / name
    return {"name": name, "digest": digest_of_file(path), "sizeBytes": path.stat().st_size}


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, indent=1, allow_nan=False).encode()


def collect(parent: Path, *, retain: int, keep: Collection[str], now: datetime) -> tuple[str, ...]:
    """Delete all but the `retain` newest snapshots and those of the digests `keep`; the deleted.

    What is younger than `GRACE` is never taken: who needs it may not have said so when `keep` was
    written down. Age is when the manifest was written. Left-overs of crashed runs are none of its
    business.
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
        # The manifest goes first, so that a half-deleted snapshot isn't taken for one.
        (path / MANIFEST_FILE).unlink(missing_ok=True)
        shutil.rmtree(path)
    return tuple(path.name for path in deleted)
