"""Which snapshot's newest values count: a file in the store that is replaced as a whole.

    featuresets/<name>/online.json                       names a snapshot by its digest, and the
                                                         server that has its values, if one has
    featuresets/<name>/snapshots/<hex>/manifest.json     names its table by its digest
                                      /online.safetensors

So whoever reads a table has found each of these to be what the one before says.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serinus_runtime.digest import digest_of, hex_of, mapped_file, read_file
from serinus_runtime.online.server_rows import ServedRows, described, served_rows
from serinus_runtime.online.table import OnlineTable, table_in
from serinus_runtime.online.tensor_file import TensorFileError
from serinus_runtime.store import Store, publish_file

TABLE_FILE = "online.safetensors"
_POINTER_FILE = "online.json"
_MANIFEST_FILE = "manifest.json"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class NoTable(Exception):
    """There is no table that could be used; the text says why."""


class TableAway(NoTable):
    """It can't be read now, and may be later."""


@dataclass(frozen=True, slots=True)
class Newest:
    """The snapshot whose newest values count; `rows` in a server, None: in its own table."""

    snapshot: str
    rows: ServedRows | None = None


def publish(store: Store, feature_set: str, snapshot: str, rows: ServedRows | None = None) -> None:
    """Name the snapshot of this digest as the one whose newest values count."""
    told = {"snapshot": snapshot} | ({} if rows is None else {"server": described(rows)})
    publish_file(_pointer(store, feature_set), json.dumps(told).encode())


def newest(store: Store, feature_set: str) -> Newest | None:
    """The snapshot whose newest values count; None where none was ever published.

    Raises `NoTable` where what is there can't be read.
    """
    try:
        content = read_file(_pointer(store, feature_set))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TableAway(f"the store can't be read: {error.strerror}") from error
    try:
        told = json.loads(content)
        if _DIGEST.fullmatch(told["snapshot"]):
            server = told.get("server")
            return Newest(told["snapshot"], None if server is None else served_rows(server))
    except (KeyError, TypeError, ValueError):
        pass
    raise NoTable(f"`{_POINTER_FILE}` names no snapshot")


def table_of(store: Store, feature_set: str, snapshot: str) -> OnlineTable:
    """The table of a snapshot, from bytes found to be the digests'.

    Raises `NoTable`; where trying again may help, `TableAway`.
    """
    folder = store.snapshots(feature_set) / hex_of(snapshot)
    try:
        manifest = read_file(folder / _MANIFEST_FILE)
        if digest_of(manifest) != snapshot:
            raise NoTable(f"snapshot {snapshot}: `{_MANIFEST_FILE}` has changed")
        digest = _digest_in(json.loads(manifest))
        content = mapped_file(folder / TABLE_FILE)
        if digest_of(content) != digest:
            raise NoTable(f"snapshot {snapshot}: `{TABLE_FILE}` has changed")
        return table_in(content)
    except OSError as error:
        raise TableAway(f"snapshot {snapshot} can't be read: {error.strerror}") from error
    except TensorFileError as error:
        raise NoTable(f"snapshot {snapshot}: {error}") from error


def _digest_in(manifest: dict[str, Any]) -> str:
    for entry in manifest["files"]:
        if entry["name"] == TABLE_FILE:
            return str(entry["digest"])
    raise NoTable("the snapshot was made without `online`")


def _pointer(store: Store, feature_set: str) -> Path:
    return store.feature_set(feature_set) / _POINTER_FILE
