"""What was predicted, in a few bins: from their counters comes the drift of predictions.

Bins belong to answers, not to a model's own data, so that two versions that share a Deployment have
the same ones and can be compared. They exist from the start and never grow in number: tenths of the
probability with two classes, the classes themselves (above `CLASSES_MAX` their names' hashes), and
for values the power of two that they reach, with their sign.

A row costs a few plain operations, and many are counted together: it is done on the request's way.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serinus_runtime.artifact.forest import FloatArray
from serinus_runtime.artifact.manifest import ClassLabel
from serinus_runtime.artifact.model import TWO_CLASSES, Model
from serinus_runtime.kernel.tensor_kernel import BinsKind

CLASSES_MAX = 16
NAME_MAX_LENGTH = 63
FEW_ROWS = 8
"""Up to here plain numbers are quicker than arrays."""
TENTHS = 10
EXPONENT_MIN, EXPONENT_MAX = -10, 20
"""Powers of two of the smallest values that aren't counted as 0, and of the largest bin."""
_POWERS = EXPONENT_MAX - EXPONENT_MIN + 1

Positions = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class PredictionBins:
    """Names of the bins, and where predictions belong.

    Attributes
    ----------
    kind, places
        The same for what counts in C: how a bin is found, and that of each class.
    few, many
        Positions of some rows' bins, given the answers and what was decided by them.
    """

    names: tuple[str, ...]
    kind: BinsKind
    places: tuple[int, ...]
    few: Callable[[FloatArray, Positions | None], Iterable[int]]
    many: Callable[[FloatArray, Positions | None], Positions]

    def count(self, answers: FloatArray, decided: Positions | None, cells: list[int]) -> None:
        """Add the rows to the `cells`, one for each name."""
        if len(answers) <= FEW_ROWS:
            for position in self.few(answers, decided):
                cells[position] += 1
            return
        found = np.bincount(self.many(answers, decided), minlength=len(cells))
        for position in np.flatnonzero(found).tolist():
            cells[position] += int(found[position])


def bins_of(model: Model) -> PredictionBins:
    """The bins for what a model predicts."""
    if not model.is_classification:
        return _OF_VALUES
    if len(model.classes) == TWO_CLASSES:
        return _OF_PROBABILITIES
    return _of_classes(model.classes)


def _of_classes(classes: Sequence[ClassLabel]) -> PredictionBins:
    texts = [str(label) for label in classes]
    names = tuple(text[:NAME_MAX_LENGTH] for text in texts)
    places = list(range(len(texts)))
    if len(texts) > CLASSES_MAX or len(set(names)) < len(names):
        # By a hash of the name, since two versions may have their classes in another order.
        names = tuple(f"hash {number}" for number in range(CLASSES_MAX))
        places = [zlib.crc32(text.encode()) % CLASSES_MAX for text in texts]
    table = np.array(places, dtype=np.intp)

    def few(_: FloatArray, decided: Positions | None) -> Iterable[int]:
        return [] if decided is None else [places[position] for position in decided.tolist()]

    def many(_: FloatArray, decided: Positions | None) -> Positions:
        found: Positions = table[[] if decided is None else decided]
        return found

    return PredictionBins(names, BinsKind.CLASSES, tuple(places), few, many)


def _tenths_of_few(answers: FloatArray, _: Positions | None) -> Iterable[int]:
    return [
        int(min(probability * TENTHS, TENTHS - 1)) if probability > 0 else 0
        for probability in answers[:, 1].tolist()
    ]


def _tenths_of_many(answers: FloatArray, _: Positions | None) -> Positions:
    probabilities = np.clip(np.nan_to_num(answers[:, 1]), 0, 1)
    return np.minimum(probabilities * TENTHS, TENTHS - 1).astype(np.intp)


def _powers_of_few(answers: FloatArray, _: Positions | None) -> Iterable[int]:
    return [_place(value) for value in answers[:, 0].tolist()]


def _place(value: float) -> int:
    if not math.isfinite(value):
        value = 0.0 if math.isnan(value) else math.copysign(2.0**EXPONENT_MAX, value)
    exponent = math.frexp(value)[1] - 1
    if value == 0 or exponent < EXPONENT_MIN:
        return _POWERS
    reached = min(exponent, EXPONENT_MAX) - EXPONENT_MIN + 1
    return _POWERS + reached if value > 0 else _POWERS - reached


def _powers_of_many(answers: FloatArray, _: Positions | None) -> Positions:
    values = np.nan_to_num(answers[:, 0])
    exponents = np.frexp(values)[1] - 1
    reached = np.minimum(exponents, EXPONENT_MAX) - EXPONENT_MIN + 1
    tiny = (values == 0) | (exponents < EXPONENT_MIN)
    signed = np.where(tiny, 0, np.where(values > 0, reached, -reached))
    return (_POWERS + signed).astype(np.intp)


def _lower_edges() -> tuple[str, ...]:
    edges = [f"{2.0**power:g}" for power in range(EXPONENT_MIN, EXPONENT_MAX + 1)]
    return (*(f"-{edge}" for edge in reversed(edges)), "0", *edges)


_OF_PROBABILITIES = PredictionBins(
    tuple(f"{number / TENTHS:g}" for number in range(TENTHS)),
    BinsKind.TENTHS,
    (),
    _tenths_of_few,
    _tenths_of_many,
)
_OF_VALUES = PredictionBins(_lower_edges(), BinsKind.POWERS, (), _powers_of_few, _powers_of_many)
