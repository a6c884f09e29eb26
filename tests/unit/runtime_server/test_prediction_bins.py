"""Bins of predictions are few, the same for all versions, and hold every row once."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus_runtime.server.prediction_bins import (
    CLASSES_MAX,
    FEW_ROWS,
    PredictionBins,
    bins_of,
)


class Shape:
    """What of a model its bins depend on."""

    def __init__(self, *classes: Any) -> None:
        self.classes = classes
        self.is_classification = bool(classes)


def bins(*classes: Any) -> PredictionBins:
    return bins_of(Shape(*classes))  # type: ignore[arg-type]


VALUES, TWO, THREE = bins(), bins(False, True), bins("low", "mid", "high")
MANY = bins(*(f"class {number}" for number in range(40)))


def counted(
    found: PredictionBins, answers: list[list[float]], decided: list[int] | None = None
) -> dict[str, int]:
    cells = [0] * len(found.names)
    found.count(np.array(answers), None if decided is None else np.array(decided), cells)
    return {name: cell for name, cell in zip(found.names, cells, strict=True) if cell}


def test_two_classes_have_tenths_of_the_probability() -> None:
    answers = [[1 - p, p] for p in (0.0, 0.09, 0.1, 0.55, 0.999, 1.0)]

    assert counted(TWO, answers) == {"0": 2, "0.1": 1, "0.5": 1, "0.9": 2}


def test_more_classes_are_their_own_bins() -> None:
    assert counted(THREE, [[0.2, 0.5, 0.3]] * 3, [1, 1, 2]) == {"mid": 2, "high": 1}


def test_very_many_classes_share_bins_whatever_their_order() -> None:
    names = [f"class {number}" for number in range(40)]
    mixed = [names[3], *names[:3], *names[4:]]

    there = counted(MANY, [[0.0] * 40], [3])

    assert len(MANY.names) == CLASSES_MAX
    assert there == counted(bins(*mixed), [[0.0] * 40], [0])


def test_values_have_the_power_of_two_that_they_reach() -> None:
    answers = [[v] for v in (0.0, 1e-9, 1.0, 1.9, -2.0, 100.0, float("nan"), float("-inf"))]

    assert counted(VALUES, answers) == {
        "0": 3, "1": 2, "-2": 1, "64": 1, "-1.04858e+06": 1,
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("found", [VALUES, TWO, THREE, MANY])
@given(numbers=st.lists(st.floats(width=32), min_size=FEW_ROWS + 1, max_size=FEW_ROWS * 3))
def test_many_rows_are_counted_as_one_by_one(found: PredictionBins, numbers: list[float]) -> None:
    answers = [[number, number] for number in numbers]
    decided = [int(abs(number)) % 3 if abs(number) < 1e6 else 0 for number in numbers]
    together = [0] * len(found.names)
    alone = [0] * len(found.names)

    found.count(np.array(answers), np.array(decided), together)
    for row, position in zip(answers, decided, strict=True):
        found.count(np.array([row]), np.array([position]), alone)

    assert together == alone
    assert sum(together) == len(numbers)
