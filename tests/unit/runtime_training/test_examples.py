"""Rows of a snapshot as a model sees them."""

from typing import Any

import polars as pl
import pytest

from serinus.api.featureset import FeatureSetSpec
from serinus.api.trainingjob import TrainingJobSpec
from serinus_runtime.features.snapshot import LoadedSnapshot
from serinus_runtime.training.examples import Examples, examples
from serinus_runtime.user_error import ColumnError, LabelError
from tests.support.feature_sets import feature_set, training_job

FEATURES = [{"name": "x", "type": "float64"}, {"name": "carrier", "type": "string"}]


def made(late: list[Any], *, label_type: str = "boolean", **job: Any) -> Examples:
    """Ten rows in the order of time, of which the last three evaluate."""
    spec = FeatureSetSpec.model_validate(
        feature_set(
            features=job.pop("features", FEATURES),
            labels=[{"name": "late", "type": label_type}],
        )
    )
    times = [f"2024-01-{day:02d}T00:00:00Z" for day in range(1, 11)]
    frame = pl.DataFrame(
        {
            "scheduled_at": pl.Series(times).str.to_datetime(time_unit="us", time_zone="UTC"),
            "x": [float(n) for n in range(10)],
            "carrier": ["AA", "UA"] * 4 + ["ZZ", None],
            "late": late,
        }
    )
    split = {"type": "time", "cutoff": "2024-01-08T00:00:00Z"}
    given = TrainingJobSpec.model_validate(training_job(split=split) | job)
    return examples(LoadedSnapshot(frame, spec), given)


def test_rows_are_divided_and_labels_are_positions_of_classes() -> None:
    rows = made([False, True] * 5)

    assert rows.classes == (False, True)
    assert rows.training.truth.tolist() == [0, 1, 0, 1, 0, 1, 0]
    assert rows.evaluation.truth.tolist() == [1, 0, 1]


def test_categories_are_those_of_the_training_rows() -> None:
    rows = made([False, True] * 5)

    assert rows.inputs[1].categories == ("AA", "UA")
    assert rows.evaluation.matrix[:, 1].tolist() == ["UA", "unseen", None]


def test_rows_without_label_are_left_out() -> None:
    rows = made([None, True, False, None] + [False, True] * 3)

    assert rows.training.frame.height == 5
    assert rows.training.frame["x"].to_list() == [1.0, 2.0, 4.0, 5.0, 6.0]


def test_rows_that_a_policy_rejects_are_left_out_and_counted() -> None:
    limited = {"name": "x", "type": "float64", "expect": {"min": "2"}}
    rows = made([False, True] * 5, features=[limited | {"onViolation": {"action": "reject"}}])

    assert (rows.training.rejected, rows.evaluation.rejected) == (2, 0)
    assert rows.training.matrix[:, 0].tolist() == [2.0, 3.0, 4.0, 5.0, 6.0]


def test_classes_may_be_texts_and_whole_numbers() -> None:
    assert made(["b", "a"] * 5, label_type="string").classes == ("a", "b")
    assert made([3, 1, 2] * 3 + [1], label_type="int64").classes == (1, 2, 3)


@pytest.mark.parametrize(
    ("late", "label_type", "error", "told"),
    [
        ([True] * 10, "boolean", LabelError, "one class in the 7 training rows: `true`"),
        ([None] * 10, "boolean", LabelError, "`late` is null in all 10 rows"),
        ([0.5, 1.5] * 5, "float64", LabelError, "Use `task: regression`"),
        (["a", "b"] * 4 + ["c", "a"], "string", LabelError, "1 evaluation rows have a class"),
    ],
)
def test_a_label_that_cant_be_learnt_is_told(
    late: list[Any], label_type: str, error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        made(late, label_type=label_type)


def test_policies_that_leave_no_row_are_told() -> None:
    never = {"name": "x", "type": "float64", "expect": {"max": "-1"}}
    with pytest.raises(ColumnError, match="all 7 rows of one side are rejected"):
        made([False, True] * 5, features=[never | {"onViolation": {"action": "reject"}}])
