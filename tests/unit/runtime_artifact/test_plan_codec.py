"""A plan written and read is the same plan; what isn't one is refused by name."""

from typing import Any

import numpy as np
import pytest

from serinus_runtime.artifact.errors import FormatRefused
from serinus_runtime.artifact.forest import Aggregation
from serinus_runtime.artifact.forest_layout import NO_CATEGORY_SPLIT, Tree, forest_of
from serinus_runtime.artifact.plan import (
    Cast,
    Concatenate,
    Impute,
    Linear,
    Link,
    MissingIndicator,
    OneHot,
    Ordinal,
    Plan,
    Scale,
    Select,
)
from serinus_runtime.artifact.plan_codec import cover_of, parse, render


def whole(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype=np.int32)


OPERATIONS = (
    Concatenate(
        (
            (Select(whole(0, 1)), Impute(np.array([1.0, np.nan])), MissingIndicator(whole(0, 1))),
            (Select(whole(2)), OneHot(whole(0, 4), whole(0, 1, -1, -1), 2)),
            (Select(whole(2)), Ordinal(whole(0, 4), np.array([5.0, 6.0, 7.0, 8.0]))),
        )
    ),
    Scale(np.zeros(7), np.full(7, 3.0)),
    Cast(),
)
ROWS = np.array([[1.5, np.nan, 0], [np.nan, 2.0, 1], [3.0, 4.0, 2], [5.0, 6.0, np.nan]])
EXPECTED = np.array(
    [
        [1.5, np.nan, 0, 1, 1, 0, 5],
        [1.0, 2.0, 0, 0, 0, 1, 6],
        [3.0, 4.0, 0, 0, 0, 0, 7],
        [5.0, 6.0, 0, 0, 0, 0, 8],
    ]
)


def stump() -> Tree:
    """x <= 1 goes left to -1, else to +1; missing goes right."""
    return Tree(
        feature=whole(0, 0, 0),
        threshold=np.array([1.0, 0.0, 0.0]),
        left=whole(1, -1, -1),
        right=whole(2, -1, -1),
        missing_left=np.zeros(3, dtype=np.bool_),
        value=np.array([[0.0], [-1.0], [1.0]]),
        category_split=np.full(3, NO_CATEGORY_SPLIT, dtype=np.int32),
        category_left=np.zeros((0, 256), dtype=np.bool_),
        cover=np.array([3.0, 2.0, 1.0]),
    )


def forest_plan() -> Plan:
    forest = forest_of(
        [stump(), stump()],
        n_features=1,
        aggregation=Aggregation.SUM,
        baseline=np.array([10.0]),
        single_precision=False,
    )
    return Plan((), forest, Link.IDENTITY)


def linear_plan(columns: int = 7) -> Plan:
    return Plan(OPERATIONS, Linear(np.eye(columns), np.zeros(columns)), Link.IDENTITY)


def test_operations_do_what_they_say() -> None:
    columns = OPERATIONS[0]
    from serinus_runtime.artifact.plan import transformed

    made = transformed(columns, ROWS)

    # The indicator sees the columns after imputation: only what stays missing is marked.
    np.testing.assert_array_equal(np.isnan(made), np.isnan(EXPECTED))
    np.testing.assert_array_equal(made[:, [0, 1, 4, 5, 6]], EXPECTED[:, [0, 1, 4, 5, 6]])
    np.testing.assert_array_equal(made[:, 3], [1, 0, 0, 0])


@pytest.mark.parametrize("plan", [linear_plan(), forest_plan()], ids=["linear", "forest"])
def test_a_plan_survives_writing_and_reading(plan: Plan) -> None:
    document, arrays = render(plan)
    rows = ROWS if plan.kind == "linear" else ROWS[:, :1]

    again = parse(document, arrays)

    np.testing.assert_array_equal(again.answers(rows), plan.answers(rows))
    assert render(again)[0]["operations"] == document["operations"]
    assert render(again)[0]["model"] == without(document["model"], "cover")


def test_the_weights_of_training_rows_are_read_by_who_asks_for_them() -> None:
    document, arrays = render(forest_plan())
    before = document | {"model": without(document["model"], "cover")}

    cover = cover_of(document, arrays)

    assert cover is not None
    assert cover.tolist() == [3.0, 1.0, 2.0] * 2  # the greater side first: missing goes right
    assert cover_of(before, arrays) is None
    assert parse(document, arrays).model.cover is None  # type: ignore[union-attr]


def test_a_stump_sends_values_and_missing_values_their_ways() -> None:
    rows = np.array([[1.0], [np.nextafter(1.0, 2.0)], [np.nan], [-np.inf], [5e-324]])

    answers = forest_plan().answers(rows)[:, 0].tolist()

    assert answers == [8.0, 12.0, 12.0, 8.0, 8.0]


def without(document: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != key}


def test_what_is_no_plan_is_refused() -> None:
    document, arrays = render(linear_plan())
    strange = document | {"operations": [{"op": "eval"}]}
    lost = {name: array for name, array in arrays.items() if name != "a0"}
    narrow = arrays | {"a0": arrays["a0"].astype(np.int64)}

    for wrong, given, message in [
        (without(document, "link"), arrays, "plan can't be read: KeyError"),
        (document | {"link": "eval"}, arrays, "plan can't be read: ValueError"),
        (strange, arrays, "unknown operation `eval`"),
        (document | {"model": {"kind": "code"}}, arrays, "unknown model kind `code`"),
        (document, lost, "plan can't be read: KeyError"),
        (document, narrow, "`a0` is int64, expected int32"),
    ]:
        with pytest.raises(FormatRefused, match=message):
            parse(wrong, given)


@pytest.mark.parametrize("table", ["feature", "left", "roots"])
def test_a_forest_that_points_outside_itself_is_refused(table: str) -> None:
    document, arrays = render(forest_plan())
    name = document["model"][table]

    with pytest.raises(FormatRefused, match="the tables of the forest don't fit each other"):
        parse(document, dict(arrays) | {name: arrays[name] + np.int32(1000)})
