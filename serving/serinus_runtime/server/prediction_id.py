"""Prediction ids: what was answered when by which revision, sealed with a key.

Any pod of the Deployment can count a label by its id alone, and nobody without the key can make
an id up. An id is base64url of

    version 1 · revision 5 · issued at (ms since 1970) 6 · unique 8 · kind 1 · rows 1 · width 2
    · rows times the prediction · HMAC-SHA256 over all that, first 16 bytes

where `unique` is the maker's tag and a number, 4 bytes each, and the prediction is a 32-bit float
for each class (or of the second of two classes) after a two-byte position of the answered class;
for regression one 64-bit float. The lower 6 bits of the width are the number of classes, the upper
10 a tag of which they are: a position means a class only among the same. Above `MAX_ROWS` rows, or
`MAX_CLASSES` classes, the id carries no predictions and its labels can't be counted. The highest
bit of the kind tells that the request's unit takes part in an A/B test.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import hmac
import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from serinus_runtime.artifact.forest import FloatArray
from serinus_runtime.artifact.manifest import ClassLabel
from serinus_runtime.artifact.model import TWO_CLASSES

MAX_ROWS = 16
MAX_CLASSES = 32
_VERSION = 1
_HEADER = struct.Struct(">B5s6s8sBBH")
_EXPOSED = 0x80
_CLASSES_BITS = 6
_CLASSES_MASK = (1 << _CLASSES_BITS) - 1
_TAG_MASK = 0xFFFF >> _CLASSES_BITS
_SEAL_BYTES = 16
_MAX_TEXT_CHARACTERS = 4096


class PredictionIdError(ValueError):
    """The id is forged, garbled or of another Deployment."""


class Kind(IntEnum):
    """What the id carries."""

    NOTHING = 0
    CLASSES = 1
    VALUES = 2


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """An opened id.

    `probabilities` (rows, classes) and `decided` (rows,) for classification, `values` (rows,) for
    regression; None where the id doesn't carry them. `unique` tells ids apart. `exposed` says
    whether it was made for a unit that takes part in an A/B test. `classes_tag` is that of the
    classes among which was decided.
    """

    revision: str
    issued_at_ms: int
    unique: bytes
    rows: int
    probabilities: FloatArray | None
    decided: NDArray[np.intp] | None
    values: FloatArray | None
    exposed: bool = False
    classes_tag: int = 0


def classes_tag(classes: Sequence[ClassLabel]) -> int:
    """Tells classes, in their order, from others; 0 where there are none."""
    if not classes:
        return 0
    digest = hashlib.sha256(json.dumps(list(classes)).encode()).digest()
    return int.from_bytes(digest[:2], "big") & _TAG_MASK


class PredictionIds:
    """Issues and opens ids.

    `tag` and what is counted up from `first` by `step` tell ids apart: no two processes that share
    the key may use the same numbers under one tag. A step is a power of two. The tag is that of the
    pod's address, by which other pods find out who made an id. `classes` are those of the model,
    none where it answers values.
    """

    def __init__(
        self,
        key: bytes,
        *,
        revision: str,
        tag: bytes,
        classes: Sequence[ClassLabel] = (),
        first: int = 0,
        step: int = 1,
    ) -> None:
        self.key = key
        self.revision = revision
        self.tag = tag
        self._seal = hmac.new(key, digestmod=hashlib.sha256)
        self._revision = bytes.fromhex(revision)
        self.told_classes = classes_tag(classes) << _CLASSES_BITS
        """What the width of an id tells beside the number of classes."""
        self._count = first
        self._step = step

    @property
    def coming_number(self) -> int:
        """The number that the next id will have."""
        return (self._count + self._step) % (1 << 32)

    def next_number(self) -> int:
        """The number of the next id, which no other will have."""
        self._count = self.coming_number
        return self._count

    def of_classes(
        self,
        probabilities: FloatArray,
        decided: NDArray[np.intp],
        *,
        issued_at_ms: int,
        exposed: bool = False,
    ) -> str:
        """Id of a classification."""
        rows, classes = probabilities.shape
        if rows > MAX_ROWS or classes > MAX_CLASSES:
            return self._of_nothing(rows, issued_at_ms, exposed=exposed)
        carried = probabilities[:, 1:] if classes == TWO_CLASSES else probabilities
        if rows == 1:
            payload = _of_one_row(carried.shape[1]).pack(*decided.tolist(), *carried[0].tolist())
        else:
            payload = decided.astype(">u2").tobytes() + carried.astype(">f4").tobytes()
        width = self.told_classes | classes
        return self._issued(Kind.CLASSES, rows, width, payload, issued_at_ms, exposed=exposed)

    def of_values(self, values: FloatArray, *, issued_at_ms: int, exposed: bool = False) -> str:
        """Id of a regression; `values` is (rows,)."""
        rows = len(values)
        if rows > MAX_ROWS:
            return self._of_nothing(rows, issued_at_ms, exposed=exposed)
        payload = values.astype(">f8").tobytes()
        return self._issued(Kind.VALUES, rows, 1, payload, issued_at_ms, exposed=exposed)

    def _of_nothing(self, rows: int, issued_at_ms: int, *, exposed: bool) -> str:
        return self._issued(Kind.NOTHING, min(rows, 255), 0, b"", issued_at_ms, exposed=exposed)

    def _issued(
        self, kind: Kind, rows: int, width: int, payload: bytes, at_ms: int, *, exposed: bool
    ) -> str:
        unique = self.tag + self.next_number().to_bytes(4, "big")
        told = kind | _EXPOSED if exposed else kind
        issued_at = at_ms.to_bytes(6, "big")
        header = _HEADER.pack(_VERSION, self._revision, issued_at, unique, told, rows, width)
        content = header + payload
        return base64.urlsafe_b64encode(content + self._sealed(content)).rstrip(b"=").decode()

    def _sealed(self, content: bytes) -> bytes:
        seal = self._seal.copy()
        seal.update(content)
        return seal.digest()[:_SEAL_BYTES]

    def opened(self, text: str) -> Prediction:
        """The prediction of an id; raises `PredictionIdError`."""
        content = self._unsealed(text)
        version, revision, at, unique, kind, rows, width = _HEADER.unpack_from(content)
        if version != _VERSION:
            raise PredictionIdError(f"prediction id of version {version}; this server knows 1")
        payload = content[_HEADER.size :]
        made = Kind(kind & ~_EXPOSED)
        probabilities, decided, values = _payload(made, payload, rows, width & _CLASSES_MASK)
        return Prediction(
            revision=revision.hex(),
            issued_at_ms=int.from_bytes(at, "big"),
            unique=unique,
            rows=rows,
            probabilities=probabilities,
            decided=decided,
            values=values,
            exposed=bool(kind & _EXPOSED),
            classes_tag=width >> _CLASSES_BITS,
        )

    def _unsealed(self, text: str) -> bytes:
        if len(text) > _MAX_TEXT_CHARACTERS:
            raise PredictionIdError("not a prediction id")
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise PredictionIdError("not a prediction id") from error
        content, seal = raw[:-_SEAL_BYTES], raw[-_SEAL_BYTES:]
        if len(content) < _HEADER.size or not hmac.compare_digest(seal, self._sealed(content)):
            raise PredictionIdError("not a prediction id of this Deployment")
        return content


@functools.cache
def _of_one_row(width: int) -> struct.Struct:
    """Payload of one row, for which arrays take longer."""
    return struct.Struct(f">H{width}f")


def _payload(
    kind: Kind, payload: bytes, rows: int, width: int
) -> tuple[FloatArray | None, NDArray[np.intp] | None, FloatArray | None]:
    if kind is Kind.CLASSES:
        decided = np.frombuffer(payload, ">u2", rows).astype(np.intp)
        carried = np.frombuffer(payload, ">f4", offset=2 * rows).astype(np.float64)
        if width == TWO_CLASSES:
            return np.stack([1 - carried, carried], axis=1), decided, None
        return carried.reshape(rows, width), decided, None
    if kind is Kind.VALUES:
        return None, None, np.frombuffer(payload, ">f8", rows).astype(np.float64)
    return None, None, None
