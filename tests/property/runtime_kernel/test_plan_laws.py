"""Laws of a plan in C: it answers what NumPy answers, for any plan whose parts fit."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from serinus_runtime.artifact.plan_predictor import PlanPredictor
from tests.support.random_forests import Shape, random_forest

N_INPUTS = 5
N_CODES = 3
"""Inputs are codes 0 to 2, or missing: they fit each operation, look-ups too."""
BOUND = 1e-12

Chance = np.random.Generator


def select(chance: Chance, width: int) -> tuple[Operation, int]:
    n = int(chance.integers(1, 6))
    return Select(chance.integers(0, width, n).astype(np.int32)), n


def cast(_: Chance, width: int) -> tuple[Operation, int]:
    return Cast(), width


def impute(chance: Chance, width: int) -> tuple[Operation, int]:
    return Impute(np.where(chance.random(width) < 0.2, np.nan, chance.normal(size=width))), width


def indicate(chance: Chance, width: int) -> tuple[Operation, int]:
    n = int(chance.integers(0, width + 1))
    return MissingIndicator(chance.integers(0, width, n).astype(np.int32)), width + n


def scale(chance: Chance, width: int) -> tuple[Operation, int]:
    return Scale(chance.normal(size=width), chance.uniform(0.5, 3, width)), width


def starts(width: int) -> np.ndarray:
    return np.arange(0, (width + 1) * (N_CODES + 1), N_CODES + 1).astype(np.int32)


def ordinal(chance: Chance, width: int) -> tuple[Operation, int]:
    start = starts(width)
    values = chance.normal(size=int(start[-1]))
    return Ordinal(start, np.where(chance.random(len(values)) < 0.1, np.nan, values)), width


def one_hot(chance: Chance, width: int) -> tuple[Operation, int]:
    start = starts(width)
    out = int(chance.integers(1, 12))
    return OneHot(start, chance.integers(-1, out, int(start[-1])).astype(np.int32), out), out


LOOK_UPS = (ordinal, one_hot)
ANYWHERE = (select, cast, impute, indicate, scale)


def random_operations(
    chance: Chance, width: int, *, deep: int, codes: bool
) -> tuple[tuple[Operation, ...], int]:
    """Some operations on rows of that width; look-ups only on what is still a code."""
    operations: list[Operation] = []
    for _ in range(int(chance.integers(0, 4))):
        choices: list[Any] = [select] if codes else list(ANYWHERE)
        if codes and chance.random() < 0.6:
            choices = [*LOOK_UPS, *ANYWHERE[1:]]
        if deep and chance.random() < 0.3:
            branches = [
                random_operations(chance, width, deep=deep - 1, codes=codes)
                for _ in range(int(chance.integers(1, 4)))
            ]
            operations.append(Concatenate(tuple(branch for branch, _ in branches)))
            width, codes = sum(part for _, part in branches), False
            continue
        make = choices[int(chance.integers(0, len(choices)))]
        operation, width = make(chance, width)
        codes = codes and make is select
        operations.append(operation)
    return tuple(operations), width


def random_plan(seed: int, link: Link, *, is_forest: bool) -> Plan:
    chance = np.random.default_rng(seed)
    operations, width = random_operations(chance, N_INPUTS, deep=2, codes=True)
    outputs = 1 if link in (Link.SIGMOID, Link.SIGMOID_OF_DOUBLE) else int(chance.integers(1, 12))
    if is_forest:
        outputs = min(outputs, 3)
        forest = random_forest(Shape(n_outputs=outputs, n_features=width), seed=seed)
        return Plan(operations, forest, link)
    model = Linear(chance.normal(size=(width, outputs)), chance.normal(size=outputs))
    return Plan(operations, model, link)


def random_codes(n_rows: int, seed: int) -> np.ndarray:
    chance = np.random.default_rng(seed)
    codes = chance.integers(0, N_CODES, (n_rows, N_INPUTS)).astype(np.float64)
    return np.where(chance.random(codes.shape) < 0.2, np.nan, codes)


@given(
    seed=st.integers(0, 100_000),
    link=st.sampled_from(Link),
    is_forest=st.booleans(),
    n_rows=st.integers(0, 150),
)
def test_answers_are_numpys(seed: int, link: Link, is_forest: bool, n_rows: int) -> None:
    plan, rows = random_plan(seed, link, is_forest=is_forest), random_codes(n_rows, seed)
    predictor = PlanPredictor(plan, N_INPUTS)

    with np.errstate(all="ignore"):
        expected = plan.answers(rows) if n_rows else predictor.answers(rows)

    assert predictor.kernel is not None
    np.testing.assert_allclose(predictor.answers(rows), expected, rtol=BOUND, atol=BOUND)


@given(seed=st.integers(0, 100_000), link=st.sampled_from(Link), n_rows=st.integers(2, 150))
def test_a_row_has_its_answer_whatever_rows_are_beside_it(
    seed: int, link: Link, n_rows: int
) -> None:
    predictor = PlanPredictor(random_plan(seed, link, is_forest=bool(seed % 2)), N_INPUTS)
    rows = random_codes(n_rows, seed)

    alone = np.concatenate([predictor.answers(row[np.newaxis]) for row in rows])

    assert alone.tobytes() == predictor.answers(rows).tobytes()


def linear(operations: tuple[Operation, ...], width: int) -> Plan:
    return Plan(operations, Linear(np.ones((width, 1)), np.ones(1)), Link.IDENTITY)


ASTRAY: dict[str, Plan] = {
    "a column that isn't there": linear((Select(np.array([5], np.int32)),), 1),
    "a column below the first": linear((Select(np.array([-1], np.int32)),), 1),
    "an indicator of none": linear((MissingIndicator(np.array([9], np.int32)),), 6),
    "too few imputed": linear((Impute(np.zeros(4)),), 5),
    "too few offsets": linear((Scale(np.zeros(4), np.ones(5)),), 5),
    "too few look-ups": linear((Ordinal(np.array([0, 2], np.int32), np.zeros(2)),), 5),
    "a look-up beyond its table": linear(
        (Select(np.array([0], np.int32)), Ordinal(np.array([0, 3], np.int32), np.zeros(2))), 1
    ),
    "look-ups that seem to rise, in 32 bits": Plan(
        (Ordinal(np.array([0, 2**31 - 1, -(2**31) + 5, -(2**30), 9, 10], np.int32), np.zeros(10)),),
        Linear(np.ones((5, 1)), np.ones(1)),
        Link.IDENTITY,
    ),
    "an empty look-up": linear(
        (Select(np.array([0], np.int32)), Ordinal(np.array([0, 0], np.int32), np.zeros(0))), 1
    ),
    "a category beyond the width": linear(
        (
            Select(np.array([0], np.int32)),
            OneHot(np.array([0, 2], np.int32), np.array([0, 4], np.int32), 4),
        ),
        4,
    ),
    "a branch that is astray": linear((Concatenate(((Select(np.array([7], np.int32)),),)),), 1),
    "no branch": linear((Concatenate(()),), 5),
    "weights of other columns": linear((), 4),
    "a forest of other columns": Plan(
        (), random_forest(Shape(n_outputs=1, n_features=4), seed=1), Link.IDENTITY
    ),
    "two outputs for one probability": replace(
        Plan((), Linear(np.ones((5, 2)), np.ones(2)), Link.IDENTITY), link=Link.SIGMOID
    ),
}


@pytest.mark.parametrize("why", ASTRAY)
def test_a_plan_whose_parts_dont_fit_isnt_given_to_c(why: str) -> None:
    assert PlanPredictor(ASTRAY[why], N_INPUTS).kernel is None
