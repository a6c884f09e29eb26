"""A plan whose parts don't fit is refused when it is read, not when somebody asks it."""

from dataclasses import replace
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
    Operation,
    Ordinal,
    Plan,
    Scale,
    Select,
)
from serinus_runtime.artifact.plan_check import check_plan
from serinus_runtime.artifact.signature import Datatype, InputSpec, Signature

SIGNATURE = Signature(
    (
        InputSpec("a", Datatype.FP64),
        InputSpec("b", Datatype.INT64),
        InputSpec("c", Datatype.BYTES, categories=("u", "v")),
    ),
    (),
)


def whole(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype=np.int32)


NUMBERS = (Select(whole(0, 1)), Impute(np.array([1.0, np.nan])))
HOT = (Select(whole(2)), OneHot(whole(0, 4), whole(0, 1, -1, -1), 2))
ORDINAL = (Select(whole(2)), Ordinal(whole(0, 4), np.arange(4.0)))
SCALE = Scale(np.zeros(2), np.ones(2))


U_AND_V = Select(whole(2))


def linear(*operations: Operation, width: int = 2, outputs: int = 1) -> Plan:
    model = Linear(np.zeros((width, outputs)), np.zeros(outputs))
    return Plan(operations, model, Link.IDENTITY)


SOUND = [
    linear(*NUMBERS, SCALE),
    linear(*HOT),
    linear(*ORDINAL, width=1),
    linear(Concatenate((NUMBERS, (*NUMBERS, MissingIndicator(whole(1))), HOT)), width=7),
    linear(Cast(), *NUMBERS),
]


@pytest.mark.parametrize("plan", SOUND)
def test_a_plan_that_fits_its_inputs_is_taken(plan: Plan) -> None:
    check_plan(plan, SIGNATURE, n_answers=1)

    assert plan.answers(np.array([[1.0, np.nan, 2.0]])).shape == (1, 1)


WRONG: list[tuple[str, Plan, str]] = [
    ("a column that isn't there", linear(Select(whole(0, 3))), "the columns of select"),
    ("a column before the first", linear(Select(whole(-1, 0))), "the columns of select"),
    ("no column", linear(Select(whole())), "the columns of select"),
    ("more rows by imputing", linear(Select(whole(0)), Impute(np.zeros((10**6, 1)))), "of impute"),
    ("too few to impute", linear(Select(whole(0, 1)), Impute(np.zeros(1))), "of impute"),
    ("another scale", linear(*NUMBERS, Scale(np.zeros(2), np.ones((2, 2)))), "of scale"),
    ("an indicator outside", linear(*NUMBERS, MissingIndicator(whole(2))), "missing-indicator"),
    ("a table of a number", linear(Select(whole(0)), ORDINAL[1], width=1), "the categories"),
    ("a table that is short", linear(U_AND_V, Ordinal(whole(0, 3), np.arange(3.0)), width=1),
     "the categories"),
    ("a table that reaches on", linear(U_AND_V, Ordinal(whole(0, 4), np.arange(9.0)), width=1),
     "the categories"),
    ("tables over each other", linear(Select(whole(2, 2)), Ordinal(whole(0, 4, 4), np.arange(4.0))),
     "the categories"),
    ("codes that were used already", linear(*HOT, *HOT), "the columns of select"),
    ("hot columns without end", linear(U_AND_V, OneHot(whole(0, 4), whole(0, 1, -1, -1), 10**12)),
     "the width of one-hot"),
    ("a hot column outside", linear(Select(whole(2)), OneHot(whole(0, 4), whole(0, 2, -1, -1), 2)),
     "the positions of one-hot"),
    ("weights of another width", linear(*NUMBERS, width=3), "the weights"),
    ("an answer too many", linear(*NUMBERS, outputs=2), "the number of answers"),
    ("a link for one output", replace(linear(*NUMBERS, outputs=2), link=Link.SIGMOID), "the link"),
    ("a link for two answers", replace(linear(*NUMBERS), link=Link.SIGMOID), "the link"),
    ("an exponential of two", replace(linear(*NUMBERS, outputs=2), link=Link.EXP), "the link"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("plan", "told"), [pytest.param(plan, told, id=name) for name, plan, told in WRONG]
)
def test_a_plan_that_doesnt_fit_is_refused(plan: Plan, told: str) -> None:
    with pytest.raises(FormatRefused, match=f"plan: .*{told}.* don't fit"):
        check_plan(plan, SIGNATURE, n_answers=1)


def forest(**changes: Any) -> Plan:
    tree = Tree(
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
    made = forest_of(
        [tree, tree],
        n_features=2,
        aggregation=Aggregation.SUM,
        baseline=np.zeros(1),
        single_precision=False,
    )
    return Plan(NUMBERS, replace(made, **changes), Link.IDENTITY)


def test_a_forest_that_fits_is_taken() -> None:
    check_plan(forest(), SIGNATURE, n_answers=1)


@pytest.mark.parametrize(
    "changes",
    [
        {"n_features": 1},
        {"depth": 10**12},
        {"depth": -1},
        {"value": np.zeros((6, 2))},
        {"value": np.zeros((5, 1))},
        {"roots": whole()},
        {"baseline": np.zeros(3)},
        {"baseline": np.zeros((1, 1))},
        {"aggregation": Aggregation.MEAN, "baseline": np.zeros(2)},
    ],
    ids=str,
)
def test_a_forest_that_doesnt_fit_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(FormatRefused, match=r"the tables of the forest|the number of answers"):
        check_plan(forest(**changes), SIGNATURE, n_answers=1)
