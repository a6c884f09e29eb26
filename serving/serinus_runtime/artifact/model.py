"""A model that answers: signature, encoder and predictor together.

`answers` of a predictor are probabilities (n_rows, n_classes) or values (n_rows, 1); what class
follows from probabilities is decided here, once for server, packaging and verification.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from serinus_runtime.artifact.forest import FloatArray
from serinus_runtime.artifact.manifest import ClassLabel, Manifest, Task

TWO_CLASSES = 2
NATIVE = "native"
"""Kind of a predictor that is the original model itself."""
ONNX = "onnx"
"""Kind of a predictor that runs the model's ONNX form."""


class Predictor(Protocol):
    """Answers encoded rows. Pure; a row's answer doesn't depend on those beside it."""

    @property
    def kind(self) -> str:
        """`linear`, `forest`, `onnx` or `native`."""

    def answers(self, rows: FloatArray) -> FloatArray:
        """Probabilities (n_rows, n_classes) or values (n_rows, 1)."""


@dataclass(frozen=True, slots=True)
class Model:
    """A loaded package."""

    manifest: Manifest
    digest: str
    predictor: Predictor

    @property
    def version(self) -> str:
        """First 12 digits of the digest, as the protocol's `model_version`."""
        return self.digest.removeprefix("sha256:")[:12]

    @property
    def classes(self) -> tuple[ClassLabel, ...]:
        """Labels in the order of the probabilities; empty for regression."""
        return self.manifest.classes

    @property
    def is_classification(self) -> bool:
        """Whether classes are predicted."""
        return self.manifest.task is Task.CLASSIFICATION

    def decided(self, answers: FloatArray) -> NDArray[np.intp]:
        """Position of the answered class of each row (n_rows,), by the decision threshold."""
        return decided(answers, self.manifest.decision_threshold)


def decided(probabilities: FloatArray, threshold: float | None) -> NDArray[np.intp]:
    """Position of the class that follows from probabilities (n_rows, n_classes).

    With two classes it is the second from `threshold` on; otherwise the most likely one.
    """
    if probabilities.shape[1] == TWO_CLASSES and threshold is not None:
        return (probabilities[:, 1] >= threshold).astype(np.intp)
    most_likely: NDArray[np.intp] = probabilities.argmax(axis=1)
    return most_likely


def plain(label: Any) -> ClassLabel:
    """A class label as JSON knows it."""
    value = label.item() if isinstance(label, np.generic) else label
    return value if isinstance(value, bool | int) else str(value)
