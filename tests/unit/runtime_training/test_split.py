"""Which rows train and which evaluate."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from serinus.api.trainingjob import Split
from serinus_runtime.training.split import SplitRows, split_rows
from serinus_runtime.user_error import ColumnError, TrainerError

START = datetime(2024, 1, 1, tzinfo=UTC)
FRAME = pl.DataFrame(
    {
        "at": [START + timedelta(days=day) for day in range(10)],
        "known_at": [START + timedelta(days=day + 1, hours=1) for day in range(10)],
        "airport": ["EWR", "JFK", "LGA", "EWR", "JFK", "LGA", "EWR", "JFK", "LGA", "EWR"],
    }
)


def split(given: dict[str, Any] | None, **more: Any) -> SplitRows:
    chosen = Split.model_validate(given) if given else None
    settings = {"timestamp_field": "at", "label_known_field": None, "seed": 0} | more
    return split_rows(FRAME, chosen, **settings)


def test_rows_before_the_cutoff_train_and_the_others_evaluate() -> None:
    rows = split({"type": "time", "cutoff": "2024-01-08T00:00:00Z"})

    assert rows.training.to_list() == [True] * 7 + [False] * 3
    assert rows.evaluation.to_list() == [False] * 7 + [True] * 3


def test_a_label_known_only_after_the_cutoff_trains_nothing() -> None:
    rows = split({"type": "time", "cutoff": "2024-01-08T00:00:00Z"}, label_known_field="known_at")

    assert rows.counts == (6, 3)
    assert rows.late_labels == 1


def test_without_a_cutoff_the_newest_quarter_evaluates() -> None:
    rows = split(None)

    assert rows.evaluation.to_list() == [False] * 7 + [True] * 3


def test_without_a_time_rows_are_split_by_chance_repeatably() -> None:
    first, again = split(None, timestamp_field=None), split(None, timestamp_field=None)
    other = split(None, timestamp_field=None, seed=1)

    assert first.counts == (8, 2)
    assert first.training.to_list() == again.training.to_list()
    assert first.training.to_list() != other.training.to_list()


def test_a_group_is_on_one_side() -> None:
    rows = split({"type": "group", "groupField": "airport", "testFraction": "0.5"}, seed=1)

    training = set(FRAME.filter(rows.training)["airport"])
    evaluation = set(FRAME.filter(rows.evaluation)["airport"])
    assert training
    assert evaluation
    assert not training & evaluation


@pytest.mark.parametrize(
    ("given", "more", "error", "told"),
    [
        ({"type": "time", "cutoff": "2030-01-01T00:00:00Z"}, {}, TrainerError, "no row evaluates"),
        ({"type": "time", "cutoff": "2000-01-01T00:00:00Z"}, {}, TrainerError, "no row trains"),
        ({"type": "time", "cutoff": "soon"}, {}, TrainerError, "`soon` is no time"),
        ({"type": "time"}, {"timestamp_field": None}, ColumnError, "needs a FeatureSet with"),
        ({"type": "group", "groupField": "city"}, {}, ColumnError, "no column `city`"),
    ],
)
def test_a_split_that_cant_be_is_told(
    given: dict[str, Any], more: dict[str, Any], error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        split(given, **more)
