"""Files of skops that nobody's training wrote: a real one, taken apart and put together changed."""

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import skops.io

Node = dict[str, Any]
Change = Callable[[Node, dict[str, bytes]], None]
SCHEMA = "schema.json"


def zipped(members: dict[str, bytes], *, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A plain zip archive, the same bytes each time."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name, date_time=(2024, 1, 1, 0, 0, 0))
            entry.compress_type = compression
            archive.writestr(entry, content)
    return buffer.getvalue()


def changed(pipeline: Any, change: Change) -> bytes:
    """The file of a pipeline after `change` of its tree of nodes and of its other members."""
    with zipfile.ZipFile(io.BytesIO(skops.io.dumps(pipeline))) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(members.pop(SCHEMA))
    change(schema, members)
    return zipped({SCHEMA: json.dumps(schema).encode(), **members})


def nodes(schema: Any, *, of: str) -> Iterator[Node]:
    """Nodes of a class, wherever they are."""
    if isinstance(schema, dict):
        if schema.get("__class__") == of and "__loader__" in schema:
            yield schema
        for inner in schema.values():
            yield from nodes(inner, of=of)
    elif isinstance(schema, list):
        for inner in schema:
            yield from nodes(inner, of=of)


def npy(array: Any) -> bytes:
    """The bytes of an `.npy`."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def npy_header(shape: str, descr: str = "<f8") -> bytes:
    """An `.npy` that says it has a shape, and holds nothing."""
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"
    padded = header.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded.encode()
