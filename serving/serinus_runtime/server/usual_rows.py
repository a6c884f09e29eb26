"""The tables by which usual requests for rows are answered in C: those of all forms but tensors.

They are made of what the forms themselves write. Tests ask both ways the same.
"""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from serinus_runtime.artifact.model import TWO_CLASSES, Model
from serinus_runtime.kernel.rows_kernel import RowsKernel, RowTables, rows_kernel
from serinus_runtime.kernel.tensor_kernel import TensorKernel
from serinus_runtime.server.invocations import InvocationsForm
from serinus_runtime.server.predict_rows import RowsForm
from serinus_runtime.server.protocol_v1 import InstancesForm
from serinus_runtime.server.usual_tensors import Letters

_NUMBER_BYTES = 26
_OBJECTS, _LISTS_TOO = 0.0, 1.0
_WORDS: Mapping[str, Mapping[bytes, float]] = {
    RowsForm.word: {b"rows": _OBJECTS, b"instances": _OBJECTS},
    InstancesForm.word: {b"instances": _LISTS_TOO, b"inputs": _LISTS_TOO},
    InvocationsForm.word: {
        b"instances": _LISTS_TOO,
        b"inputs": _LISTS_TOO,
        b"dataframe_records": _OBJECTS,
    },
}
"""Under which fields the rows of a form usually come, and how."""


def usual_rows(model: Model, revision: str, kernel: TensorKernel) -> Mapping[str, RowsKernel]:
    """What answers the usual requests of a form, by its word."""
    found = {word: rows_kernel(kernel, _tables(word, model, revision)) for word in _WORDS}
    return {word: one for word, one in found.items() if one is not None}


def _tables(word: str, model: Model, revision: str) -> RowTables:
    letters = Letters()
    words = _WORDS[word]
    is_plain = word != RowsForm.word
    keys = () if is_plain or len(model.classes) <= TWO_CLASSES else _keys(model)
    fragments = _fragments(model, revision, is_plain=is_plain)
    longest = max((len(orjson.dumps(label)) for label in model.classes), default=0)
    probabilities = 1 + len(keys)
    row_bytes = sum(map(len, fragments)) + sum(map(len, keys)) + longest
    return RowTables(
        words=letters.placed(words, words.values()),
        fragments=letters.placed(fragments),
        keys=letters.placed(keys),
        letters=bytes(letters),
        row_bytes_max=row_bytes + (1 + probabilities) * _NUMBER_BYTES,
        tells_probability=model.is_classification and not is_plain,
    )


def _keys(model: Model) -> tuple[bytes, ...]:
    """What stands before the probability of each class."""
    named = [orjson.dumps(str(label)) + b":" for label in model.classes]
    return (named[0], *(b"," + one for one in named[1:]))


def _fragments(model: Model, revision: str, *, is_plain: bool) -> tuple[bytes, ...]:
    """The answer's text around what varies, in the order of tensors.c."""
    value, probability, probabilities, end = b'{"value":', b',"probability":', b"", b"}"
    if is_plain:
        value = end = b""
    if len(model.classes) > TWO_CLASSES and not is_plain:
        probabilities, end = b',"probabilities":{', b"}}"
    told = {"revision": revision, "model": model.manifest.model_name}
    return (
        b'{"predictions":[',
        value,
        probability,
        probabilities,
        end,
        b'],"id":"',
        b'",' + orjson.dumps(told)[1:],
    )
