"""When two answers are equal, and how rows are compared."""

from collections.abc import Callable

import numpy as np
import pytest

from serinus_runtime.artifact.equality import (
    SINGLE_ROWS,
    EvaluationRows,
    equal_rows,
    measured_equality,
    tolerated,
)
from serinus_runtime.artifact.manifest import Equality

NAN, INF = np.nan, np.inf


@pytest.mark.parametrize(
    ("answer", "expected", "is_equal"),
    [
        (0.25, 0.25, True),
        (0.25 + 9e-10, 0.25, True),
        (0.25 + 2e-9, 0.25, False),
        (1e12, 1e12 + 100.0, True),
        (1e12, 1e12 + 10_000.0, False),
        (-0.0, 0.0, True),
        (NAN, NAN, True),
        (INF, INF, True),
        (-INF, INF, False),
        (NAN, 0.0, False),
        (0.0, NAN, False),
        (INF, 0.0, False),
        (1e300, INF, False),
    ],
)
def test_an_answer_is_equal_or_not(answer: float, expected: float, is_equal: bool) -> None:
    assert equal_rows(np.array([[answer]]), np.array([[expected]])).tolist() == [is_equal]


def test_answers_of_another_shape_are_never_equal() -> None:
    assert equal_rows(np.zeros((2, 1)), np.zeros((2, 2))).tolist() == [False, False]


class Scripted:
    """Answers by a function of the rows."""

    def __init__(self, answer: Callable[[np.ndarray], np.ndarray], kind: str = "linear") -> None:
        self.kind = kind
        self.asked: list[int] = []
        self._answer = answer

    def answers(self, rows: np.ndarray) -> np.ndarray:
        self.asked.append(len(rows))
        return self._answer(rows)


def pairs(positive: np.ndarray) -> np.ndarray:
    return np.stack([1.0 - positive, positive], axis=1)


def compared(
    predictor: Scripted, expected: np.ndarray, *, threshold: float | None = None
) -> Equality:
    rows = EvaluationRows(np.arange(len(expected), dtype=float)[:, np.newaxis], expected)
    return measured_equality(
        predictor, rows, threshold=threshold, is_classification=expected.shape[1] > 1
    )


@pytest.mark.parametrize(
    ("expected", "answer", "mismatches"),
    [
        (0.7, 0.7 + 1e-10, 0),
        (0.5, 0.5 - 1e-10, 0),  # on the border: the last bit decides, on each machine for itself
        (0.5 + 1e-8, 0.5 + 1e-8, 0),
        (0.5, 0.4, 1),
        (0.5 + 5e-9, 0.5 - 5e-9, 1),
    ],
)
def test_a_class_on_the_border_may_fall_to_either_side(
    expected: float, answer: float, mismatches: int
) -> None:
    found = compared(
        Scripted(lambda rows: pairs(np.full(len(rows), answer))),
        pairs(np.array([expected])),
        threshold=0.5,
    )

    assert found.mismatches == mismatches


def test_a_tie_of_many_classes_may_be_broken_either_way() -> None:
    tie = np.array([[0.4, 0.4, 0.2]])
    broken = tie + np.array([[0.0, 1e-10, -1e-10]])

    assert compared(Scripted(lambda _: broken), tie).mismatches == 0


def test_some_rows_are_asked_alone_and_the_others_together() -> None:
    compiled = Scripted(lambda rows: rows)
    native = Scripted(lambda rows: rows, kind="native")
    expected = np.arange(5000.0)[:, np.newaxis]

    assert compared(compiled, expected).rows == compared(native, expected).rows == 5000
    assert compiled.asked == [1] * SINGLE_ROWS + [2000, 2000, 900]
    assert native.asked == [1] * 5 + [2000, 2000, 995]


def test_a_predictor_that_errs_on_single_rows_only_is_found_out() -> None:
    wrong_alone = Scripted(lambda rows: rows + (len(rows) == 1))

    assert compared(wrong_alone, np.arange(3000.0)[:, np.newaxis]).mismatches == SINGLE_ROWS


@pytest.mark.parametrize(
    ("kind", "rows", "allowed"),
    [("linear", 100_000, 0), ("forest", 100_000, 0), ("native", 999, 0), ("native", 20_000, 20)],
)
def test_only_the_original_itself_may_differ_and_on_few_rows(
    kind: str, rows: int, allowed: int
) -> None:
    assert tolerated(Equality(rows, 0, 1e-9, 0.0), kind) == allowed
