"""`model.skops`: a fitted pipeline as skops writes it, held against the exact list of types.

skops writes a tree of JSON nodes and arrays in a zip, no pickle. The tree is read here before skops
sees it: each node's loader and type have to be on the list. What skops then gets is an archive that
we wrote ourselves, of the nodes that were checked and without their ids: by an id, one node can
stand for another. No name in a file is imported before it is found on the list.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import skops.io

from serinus_runtime.artifact.archive import (
    UNPACKED_BYTES,
    array_shape,
    packed,
    read_arrays,
    unpacked,
)
from serinus_runtime.artifact.errors import FormatRefused, refusing
from serinus_runtime.artifact.manifest import NATIVE_FILE
from serinus_runtime.artifact.native_objects import check_objects
from serinus_runtime.artifact.native_types import ALLOWED

PROTOCOL = 2
"""Of skops; its readers of older ones check less."""
SCHEMA_BYTES_MAX = 128 << 20
_SCHEMA = "schema.json"
_ARRAY_ENDING = "npy"
_SPARSE_ENDING = "npz"
_SHOWN_TYPES = 5

_Node: TypeAlias = dict[str, Any]


def written_pipeline(pipeline: Any) -> bytes:
    """A fitted pipeline in skops' format: the same bytes for the same pipeline.

    Raises `FormatRefused` where it holds types that aren't on the list.
    """
    with refusing("the model"):
        return _checked(skops.io.dumps(pipeline))


def read_pipeline(content: bytes) -> Any:
    """The pipeline of a file; raises `FormatRefused`, and calls nothing that the file names."""
    with refusing(NATIVE_FILE):
        checked = _checked(content)
        names = sorted(set().union(*ALLOWED.values()))
        pipeline = skops.io.loads(checked, trusted=names)
        check_objects(pipeline)
        return pipeline


def _checked(content: bytes) -> bytes:
    """The archive written anew from the nodes and arrays that were checked."""
    members = unpacked(content, name=NATIVE_FILE)
    schema = _schema(members.pop(_SCHEMA, b""))
    files = _Files(members)
    for node in _nodes(schema):
        node.pop("__id__", None)
        if "file" in node:
            ending = _SPARSE_ENDING if node["__loader__"] == "SparseMatrixNode" else _ARRAY_ENDING
            node["file"] = files.placed(node["file"], ending=ending)
    shapes = _shapes(files.used)
    for node in _nodes(schema):
        if node["__loader__"] == "TreeNode":
            _check_tree(node["__reduce__"]["args"]["content"], shapes)
    document = json.dumps(schema, allow_nan=False).encode()
    return packed({_SCHEMA: document, **files.used})


def _schema(content: bytes) -> _Node:
    """The tree of nodes, all of whose loaders and types are on the list."""
    if not 0 < len(content) <= SCHEMA_BYTES_MAX:
        raise FormatRefused(f"{NATIVE_FILE}: {_SCHEMA} has {len(content)} bytes")
    schema: _Node = json.loads(content)
    if schema.get("protocol") != PROTOCOL:
        raise FormatRefused(f"{NATIVE_FILE}: expected protocol {PROTOCOL} of skops")
    refused = sorted({_type(node) for node in _nodes(schema) if not _is_allowed(node)})
    if refused:
        raise FormatRefused(
            "the model holds types that aren't allowed in an artifact: "
            f"{', '.join(refused[:_SHOWN_TYPES])}. Use estimators of scikit-learn itself"
        )
    return schema


def _nodes(schema: _Node) -> Iterator[_Node]:
    """All that skops could take for a node, wherever it stands."""
    waiting: list[Any] = [schema]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            if "__loader__" in found:
                yield found
            waiting += reversed(found.values())
        elif isinstance(found, list):
            waiting += reversed(found)


def _type(node: _Node) -> str:
    return f"{node.get('__module__')}.{node.get('__class__')}"


def _is_allowed(node: _Node) -> bool:
    loader = node["__loader__"]
    return isinstance(loader, str) and _type(node) in ALLOWED.get(loader, ())


class _Files:
    """The files that nodes name, renamed in the order in which they do."""

    def __init__(self, members: Mapping[str, bytes]) -> None:
        self.used: dict[str, bytes] = {}
        self._members = members
        self._names: dict[tuple[str, str], str] = {}

    def placed(self, name: str, *, ending: str) -> str:
        """New name of a file."""
        new = self._names.setdefault((name, ending), f"{len(self._names)}.{ending}")
        self.used[new] = self._members[name]
        return new


def _shapes(files: Mapping[str, bytes]) -> dict[str, tuple[int, ...]]:
    """Shapes of the arrays; raises `FormatRefused` for what is none, or too large unpacked."""
    shapes, sparse_bytes = {}, 0
    for name, content in files.items():
        where = f"{NATIVE_FILE}: {name}"
        if name.endswith(_ARRAY_ENDING):
            shapes[name] = array_shape(content, name=where)
        else:
            arrays = read_arrays(content, name=where)
            sparse_bytes += sum(array.nbytes for array in arrays.values())
        if sparse_bytes > UNPACKED_BYTES:
            raise FormatRefused(f"{NATIVE_FILE}: sparse matrices of more than {UNPACKED_BYTES}")
    return shapes


def _check_tree(arguments: list[_Node], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """One label: the constructor of a tree reads as many numbers of classes as it is told to."""
    _, classes, outputs = arguments
    if outputs["content"] != "1" or shapes[classes["file"]] != (1,):
        raise FormatRefused(f"{NATIVE_FILE}: a tree predicts several labels")
