"""`manifest.json`: what the package says of itself, and the digest of every other file.

The package's digest is the digest of these bytes, so the manifest holds nothing that differs
between two runs of the same training: no time, no host name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from serinus_runtime.artifact.errors import FormatRefused, refusing
from serinus_runtime.artifact.signature import (
    Signature,
    signature_from_json,
    signature_to_json,
)

FORMAT_NAME = "serinus"
FORMAT_VERSION = "1"
MANIFEST_FILE = "manifest.json"
ARRAYS_FILE = "arrays.npz"
EVALUATION_FILE = "evaluation.npz"
GOLDEN_FILE = "golden.json"
NATIVE_FILE = "model.skops"
ONNX_FILE = "model.onnx"

_CLASSES_MIN = 2

ClassLabel: TypeAlias = bool | int | str


class Task(StrEnum):
    """What is predicted."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file of the package."""

    name: str
    digest: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Equality:
    """How the predictor compared with the original model on the evaluation rows.

    `bound` is the largest accepted difference of a probability or value (relative for values);
    `largest_difference` what was found; `mismatches` counts rows with another class or beyond it.
    """

    rows: int
    mismatches: int
    bound: float
    largest_difference: float


@dataclass(frozen=True, slots=True)
class Manifest:
    """The package in words.

    `classes` are the labels in the order of the probabilities (empty for regression);
    `decision_threshold` is the probability from which on the answer of a two-class model is the
    second class, None for other models (the most likely class). `plan` is the compiled model's
    JSON; None for another one, and then `native_reason` says why it wasn't compiled. `onnx` is the
    JSON of what goes with the ONNX form, None where there is none.
    """

    model_name: str
    task: Task
    label: str
    classes: tuple[ClassLabel, ...]
    decision_threshold: float | None
    signature: Signature
    plan: Mapping[str, Any] | None
    native_reason: str | None
    equality: Equality
    environment: Mapping[str, str]
    estimator: str
    onnx: Mapping[str, Any] | None = None
    files: tuple[FileEntry, ...] = field(default=())

    @property
    def n_answers(self) -> int:
        """Number of answers to a row: one for each class, or a value."""
        return len(self.classes) or 1


def render(manifest: Manifest) -> bytes:
    """The bytes of `manifest.json`: sorted keys, so that equal manifests are equal bytes."""
    document = {
        "format": {"name": FORMAT_NAME, "version": FORMAT_VERSION},
        "model": {
            "name": manifest.model_name,
            "task": manifest.task.value,
            "label": manifest.label,
            "estimator": manifest.estimator,
            "classes": list(manifest.classes),
            "decisionThreshold": manifest.decision_threshold,
        },
        "signature": signature_to_json(manifest.signature),
        "predictor": {"plan": manifest.plan, "nativeReason": manifest.native_reason}
        | ({} if manifest.onnx is None else {"onnx": manifest.onnx}),
        "equality": {
            "rows": manifest.equality.rows,
            "mismatches": manifest.equality.mismatches,
            "bound": manifest.equality.bound,
            "largestDifference": manifest.equality.largest_difference,
        },
        "environment": dict(manifest.environment),
        "files": [
            {"name": entry.name, "digest": entry.digest, "sizeBytes": entry.size_bytes}
            for entry in manifest.files
        ],
    }
    return json.dumps(document, sort_keys=True, indent=1, allow_nan=False).encode()


def parse(content: bytes) -> Manifest:
    """The manifest of bytes; raises `FormatRefused` saying what can't be read."""
    with refusing(MANIFEST_FILE):
        document = json.loads(content)
        _check_format(document)
        return _manifest(document)


def _check_format(document: Any) -> None:
    found = document.get("format") if isinstance(document, dict) else None
    if found != {"name": FORMAT_NAME, "version": FORMAT_VERSION}:
        raise FormatRefused(
            f"manifest.json: format: expected {FORMAT_NAME} {FORMAT_VERSION}, got {found}"
        )


def _manifest(document: Mapping[str, Any]) -> Manifest:
    model, predictor, equality = document["model"], document["predictor"], document["equality"]
    files = tuple(_file(item) for item in document["files"])
    _check_files(files, _predictor_files(predictor))
    threshold = model["decisionThreshold"]
    _check_classes(Task(model["task"]), model["classes"])
    return Manifest(
        model_name=str(model["name"]),
        task=Task(model["task"]),
        label=str(model["label"]),
        classes=tuple(model["classes"]),
        decision_threshold=None if threshold is None else float(threshold),
        signature=signature_from_json(document["signature"]),
        plan=predictor["plan"],
        native_reason=predictor["nativeReason"],
        equality=Equality(
            rows=int(equality["rows"]),
            mismatches=int(equality["mismatches"]),
            bound=float(equality["bound"]),
            largest_difference=float(equality["largestDifference"]),
        ),
        environment={str(key): str(value) for key, value in document["environment"].items()},
        estimator=str(model["estimator"]),
        onnx=predictor.get("onnx"),
        files=files,
    )


def _check_classes(task: Task, classes: list[Any]) -> None:
    """Two or more different labels to predict classes, none to predict values."""
    labels = {(type(label), label) for label in classes}
    right = len(labels) >= _CLASSES_MIN if task is Task.CLASSIFICATION else not classes
    if not right or len(labels) < len(classes):
        raise FormatRefused(f"manifest.json: the classes are wrong for {task.value}")
    if not all(isinstance(label, bool | int | str) for label in classes):
        raise FormatRefused("manifest.json: a class is true or false, a whole number or a text")


def _predictor_files(predictor: Mapping[str, Any]) -> set[str]:
    """What answers: a plan, an ONNX form or the pipeline itself, and never two of them."""
    match predictor["plan"], predictor.get("onnx"):
        case None, None:
            return {NATIVE_FILE}
        case None, _:
            return {ARRAYS_FILE, ONNX_FILE}
        case _, None:
            return {ARRAYS_FILE}
    raise FormatRefused("manifest.json: predictor: has both a plan and an ONNX form")


def _check_files(files: tuple[FileEntry, ...], of_predictor: set[str]) -> None:
    """These and no others, so that no name leads out of the package and nothing goes unchecked."""
    needed = sorted({EVALUATION_FILE, GOLDEN_FILE} | of_predictor)
    found = sorted(entry.name for entry in files)
    if found != needed:
        raise FormatRefused(
            f"manifest.json: files: expected {', '.join(needed)}, got {', '.join(found)[:200]}"
        )


def _file(item: Mapping[str, Any]) -> FileEntry:
    return FileEntry(
        name=str(item["name"]), digest=str(item["digest"]), size_bytes=int(item["sizeBytes"])
    )
