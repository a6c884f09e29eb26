"""What vouches for a predictor goes into the package and comes back, and is complete."""

from typing import Any

import numpy as np
import pytest

from serinus_runtime.artifact.archive import array_bytes
from serinus_runtime.artifact.equality import EvaluationRows
from serinus_runtime.artifact.errors import FormatRefused
from serinus_runtime.artifact.golden import GOLDEN_ROWS
from serinus_runtime.artifact.proof import (
    Proof,
    answers_where_any,
    compared,
    make_proof,
    parse,
    render,
)
from serinus_runtime.artifact.signature import Datatype, InputSpec, PolicyAction, Signature

SIGNATURE = Signature(
    (
        InputSpec("a", Datatype.FP64, minimum=0.0, on_violation=PolicyAction.REJECT),
        InputSpec("c", Datatype.BYTES, categories=("u", "v")),
    ),
    (),
)
ROWS = [{"a": float(number % 10) - 1.0, "c": "uv"[number % 2]} for number in range(100)]


class Doubling:
    """Answers twice the first input; raises where a row holds what it can't take."""

    kind = "linear"

    def answers(self, rows: np.ndarray) -> np.ndarray:
        if (rows[:, 0] > 1e30).any():
            raise ValueError("Input contains infinity or a value too large for dtype('float32')")
        return np.nan_to_num(rows[:, :1]) * 2.0


def answered(rows: list[dict[str, Any]]) -> np.ndarray:
    return np.array([[row["a"] * 2.0] for row in rows])


PROOF, GOLDEN = make_proof(SIGNATURE, ROWS, answered(ROWS), Doubling())


def test_rows_that_a_policy_refuses_are_no_part_of_it() -> None:
    assert (PROOF.evaluation.rows[:, 0] >= 0.0).all()
    assert len(PROOF.evaluation.rows) == 90
    assert not (PROOF.derived.rows[:, 0] < 0.0).any()


def test_the_derived_rows_reach_what_the_evaluation_never_saw() -> None:
    codes = set(PROOF.derived.rows[:, 1][~np.isnan(PROOF.derived.rows[:, 1])])

    assert codes == {0.0, 1.0, 2.0}  # 2 is a category that training never saw
    assert np.isnan(PROOF.derived.rows).any(axis=0).all()
    assert len(PROOF.derived.rows) > 500


def test_what_the_original_cant_answer_is_left_out() -> None:
    assert (PROOF.derived.rows[:, 0] <= 1e30)[~np.isnan(PROOF.derived.rows[:, 0])].all()
    assert not np.isnan(PROOF.derived.expected).any()


def test_one_row_that_raises_takes_no_other_along() -> None:
    rows = np.array([[1.0], [2.0], [1e31], [4.0], [1e32]])

    can, answers = answers_where_any(Doubling(), rows)

    assert can.tolist() == [True, True, False, True, False]
    assert answers[can].tolist() == [[2.0], [4.0], [8.0]]


def test_golden_rows_are_of_both_kinds() -> None:
    assert len(GOLDEN.rows) == GOLDEN_ROWS == len(GOLDEN.answers)
    assert list(GOLDEN.rows[:2]) == [row for row in ROWS if row["a"] >= 0.0][:2]
    assert {"a": None, "c": None} in GOLDEN.rows


def test_it_survives_writing_and_reading() -> None:
    again = parse(render(PROOF), n_inputs=2, n_answers=1)

    for mine, theirs in ((PROOF.evaluation, again.evaluation), (PROOF.derived, again.derived)):
        np.testing.assert_array_equal(mine.rows, theirs.rows)
        np.testing.assert_array_equal(mine.expected, theirs.expected)


def test_all_derived_rows_are_compared_however_little_time_there_is() -> None:
    found = compared(
        Doubling(), PROOF, threshold=None, is_classification=False, may_go_on=lambda _: False
    )

    assert (found.rows, found.mismatches) == (len(PROOF.derived.rows), 0)


def test_a_mismatch_on_a_derived_row_alone_counts() -> None:
    class WrongWhereMissing(Doubling):
        def answers(self, rows: np.ndarray) -> np.ndarray:
            return super().answers(rows) + np.isnan(rows[:, :1])

    found = compared(WrongWhereMissing(), PROOF, threshold=None, is_classification=False)

    assert found.mismatches == np.isnan(PROOF.derived.rows[:, 0]).sum() > 0


def stored(**changes: Any) -> bytes:
    rows, answers = np.zeros((3, 2)), np.zeros((3, 1))
    arrays = {"rows": rows, "expected": answers, "derived_rows": rows, "derived_expected": answers}
    return array_bytes({k: v for k, v in (arrays | changes).items() if v is not None})


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (stored(derived_rows=None), "expected the arrays rows, expected, derived_rows"),
        (stored(more=np.zeros(1)), "expected the arrays"),
        (stored(rows=np.zeros((3, 5))), r"shape \(3, 5\)"),
        (stored(expected=np.zeros((2, 1))), r"answers of shape \(2, 1\)"),
        (stored(derived_expected=np.zeros((3, 2))), r"answers of shape \(3, 2\)"),
        (stored(rows=np.zeros(3)), r"shape \(3,\)"),
        (stored(rows=np.array([["a", "b"]] * 3)), "numbers"),
    ],
)
def test_what_doesnt_fit_the_model_is_refused(content: bytes, told: str) -> None:
    with pytest.raises(FormatRefused, match=told):
        parse(content, n_inputs=2, n_answers=1)


def test_a_proof_is_two_sets_of_rows() -> None:
    some = EvaluationRows(np.zeros((1, 2)), np.zeros((1, 1)))

    assert parse(render(Proof(some, some)), n_inputs=2, n_answers=1).derived.rows.shape == (1, 2)
