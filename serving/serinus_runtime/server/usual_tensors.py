"""The tables by which the usual requests to a model are answered in C.

They are made of what the server's own way is made of: the signature, the form's answers, the bins
and the ids. Tests ask both ways the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from serinus_runtime.artifact.encoding import bounds_of_type, limits
from serinus_runtime.artifact.model import TWO_CLASSES, Model
from serinus_runtime.artifact.plan_predictor import PlanPredictor
from serinus_runtime.artifact.signature import Datatype, InputSpec
from serinus_runtime.kernel.tensor_kernel import (
    COLUMN,
    TEXT,
    ColumnKind,
    TensorKernel,
    TensorTables,
    tensor_kernel,
)
from serinus_runtime.server.prediction_bins import PredictionBins
from serinus_runtime.server.prediction_id import PredictionIds

_KINDS = {Datatype.FP64: ColumnKind.FLOAT, Datatype.FP32: ColumnKind.SINGLE} | {
    datatype: ColumnKind.WHOLE for datatype in Datatype if datatype.is_integer
}
_LABELS_MAX = 1000


class Letters:
    """Texts one after the other."""

    def __init__(self) -> None:
        self.text = bytearray()

    def placed(self, texts: Iterable[bytes], codes: Iterable[float] = ()) -> NDArray[Any]:
        """Where the texts are, of `TEXT`."""
        places = []
        for text in texts:
            places.append((len(self.text), len(text), 0.0))
            self.text += text
        table = np.array(places, dtype=TEXT)
        for place, code in enumerate(codes):
            table[place]["code"] = code
        return table

    def __bytes__(self) -> bytes:
        return bytes(self.text)


def usual_tensors(
    model: Model, ids: PredictionIds, bins: PredictionBins, rows_max: int
) -> TensorKernel | None:
    """What answers the usual requests of a model; None where there are none such."""
    predictor = model.predictor
    inputs = model.manifest.signature.inputs
    if not isinstance(predictor, PlanPredictor) or predictor.kernel is None:
        return None
    if len(model.classes) > _LABELS_MAX or not all(map(_is_usual, inputs)):
        return None
    try:
        tables = _tables(model, ids, bins, rows_max)
    except (TypeError, UnicodeEncodeError):  # a label or a name that JSON can't say
        return None
    return tensor_kernel(tables, predictor.kernel)


def _tables(model: Model, ids: PredictionIds, bins: PredictionBins, rows_max: int) -> TensorTables:
    inputs = model.manifest.signature.inputs
    letters = Letters()
    columns, texts = _columns(inputs, letters)
    threshold = model.manifest.decision_threshold
    return TensorTables(
        columns=columns,
        texts=texts,
        fragments=letters.placed(_fragments(model, ids.revision)),
        labels=letters.placed(orjson.dumps(label) for label in model.classes),
        datatypes=letters.placed(datatype.value.encode() for datatype in Datatype),
        letters=bytes(letters),
        places=np.array(bins.places, dtype=np.int32),
        bins=bins.kind,
        width=len(model.classes) or 1,
        classes=len(model.classes),
        told_width=(ids.told_classes | len(model.classes)) or 1,
        threshold=math.nan if threshold is None else threshold,
        rows_max=rows_max,
        revision=bytes.fromhex(ids.revision),
        tag=ids.tag,
        key=ids.key,
    )


def _is_usual(spec: InputSpec) -> bool:
    """Whether values of an input can be told from those that need a closer look."""
    if spec.datatype in (Datatype.BYTES, Datatype.BOOL):
        return True
    return spec.datatype in _KINDS and limits(spec).allowed is None


def _columns(inputs: Sequence[InputSpec], letters: Letters) -> tuple[NDArray[Any], NDArray[Any]]:
    columns = np.zeros(len(inputs), dtype=COLUMN)
    tables: list[NDArray[Any]] = []
    for spec, column in zip(inputs, columns, strict=True):
        first = sum(map(len, tables))
        known = _usual_texts(spec)
        tables.append(letters.placed([spec.name.encode()]))
        tables.append(letters.placed(known, known.values()))
        column["name"], column["first_text"], column["n_texts"] = first, first + 1, len(known)
        column["nullable"] = spec.nullable and spec.on_missing is None
        _limit(column, spec)
    return columns, np.concatenate(tables)


def _limit(column: Any, spec: InputSpec) -> None:
    if spec.datatype is Datatype.BYTES:
        column["kind"] = ColumnKind.TEXT
    elif spec.datatype is Datatype.BOOL:
        column["kind"] = ColumnKind.BOOLEAN
    else:
        promised = limits(spec)
        column["kind"] = _KINDS[spec.datatype]
        column["type_low"], column["type_high"] = bounds_of_type(spec.datatype)
        column["low"], column["high"] = promised.low, promised.high


def _usual_texts(spec: InputSpec) -> dict[bytes, float]:
    """Codes of the categories that may be sent, in the order of their bytes."""
    categories = spec.categories or ()
    codes = {
        text.encode(): float(code)
        for code, text in enumerate(categories)
        if spec.allowed is None or text in spec.allowed
    }
    return dict(sorted(codes.items()))


def _fragments(model: Model, revision: str) -> tuple[bytes, ...]:
    """The answer's text around what varies, in the order of tensors.c."""
    named = {"model_name": model.manifest.model_name, "model_version": model.version}
    specs = model.manifest.signature.outputs
    data = b'],"data":['
    second = width = b""
    if model.is_classification:
        second = b"]}," + _output_head(specs[1].name, "FP64")
        width = b"" if len(model.classes) == TWO_CLASSES else b",%d" % len(model.classes)
    first_type = specs[0].datatype.value if model.is_classification else "FP64"
    return (
        orjson.dumps(named)[:-1] + b',"id":"',
        b'","parameters":{"prediction_id":"',
        b'","revision":'
        + orjson.dumps(revision)
        + b'},"outputs":['
        + _output_head(specs[0].name, first_type),
        data,
        second,
        data,
        width,
        b"]}]}",
    )


def _output_head(name: str, datatype: str) -> bytes:
    return orjson.dumps({"name": name, "datatype": datatype})[:-1] + b',"shape":['
