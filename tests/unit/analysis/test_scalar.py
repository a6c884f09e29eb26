"""A custom scalar, measurement by measurement."""

from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from serinus.analysis.samples import (
    QueryFailure,
    QueryFailureKind,
    QueryResult,
    RangeVector,
)
from serinus.analysis.scalar import (
    ScalarState,
    after_measurement,
    decode_scalar_state,
    encode_scalar_state,
    measurement,
    scalar_due_ms,
    scalar_verdict,
)
from serinus.analysis.spec import ScalarRule
from serinus.api.verdicts import Verdict

QUEUE = ScalarRule("queue", "q", minimum=1, maximum=100, failure_limit=1, consecutive_error_limit=2)
AWAY = QueryFailure(QueryFailureKind.UNREACHABLE, "connection refused")


def value(number: float) -> QueryResult:
    return (RangeVector({}, ((0.0, number),)),)


TWO_SERIES: QueryResult = (RangeVector({"a": "1"}, ((0, 1),)), RangeVector({"a": "2"}, ((0, 1),)))


@dataclass
class Case:
    says: str
    given: list[QueryResult]
    then: Verdict
    failures: int = 0


CASES = [
    Case("nothing measured", [], Verdict.INCONCLUSIVE),
    Case("within", [value(50)], Verdict.SUCCESSFUL),
    Case("the limits are within", [value(1), value(100)], Verdict.SUCCESSFUL),
    Case("as many failures as tolerated", [value(101)], Verdict.INCONCLUSIVE, failures=1),
    Case("tolerated and well again", [value(0), value(5)], Verdict.SUCCESSFUL, failures=1),
    Case("one failure more", [value(101), value(5), value(0)], Verdict.FAILED, failures=2),
    Case("failed stays failed", [value(101), value(0), value(5)], Verdict.FAILED, failures=2),
    Case("not a number is no failure", [value(float("nan"))] * 2, Verdict.INCONCLUSIVE),
    Case("infinity is no failure", [value(float("inf"))] * 2, Verdict.INCONCLUSIVE),
    Case("two series are an error", [TWO_SERIES] * 3, Verdict.ERROR),
    Case("away for as long as tolerated", [AWAY] * 2, Verdict.INCONCLUSIVE),
    Case("away for longer", [AWAY] * 3, Verdict.ERROR),
    Case("away and back", [AWAY] * 3 + [value(5)], Verdict.SUCCESSFUL),
    Case("nothing returned", [()], Verdict.NO_DATA),
    Case("nothing returned any more", [value(5), ()], Verdict.NO_DATA),
    Case("failed, then away", [value(0), value(0), AWAY, AWAY, AWAY], Verdict.FAILED, failures=2),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says)
def test_verdict(case: Case) -> None:
    state = ScalarState()
    for number, answer in enumerate(case.given):
        state = after_measurement(QUEUE, state, measurement(answer), due_ms=number)
        state = decode_scalar_state(encode_scalar_state(state))

    assert scalar_verdict(QUEUE, state) is case.then
    assert state.failures == case.failures


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (AWAY, "Unreachable: connection refused"),
        ((), "the query returns nothing"),
        (TWO_SERIES, "the query returns 2 series instead of one; aggregate with max or sum"),
        (value(float("nan")), "the query returns nan, which is no number"),
    ],
)
def test_what_was_wrong_is_said(answer: QueryResult, problem: str) -> None:
    state = after_measurement(QUEUE, ScalarState(), measurement(answer), due_ms=0)

    assert state.problem == problem


def test_measurements_lie_on_a_grid_and_missed_ones_are_left_out() -> None:
    rule = replace(QUEUE, interval=timedelta(seconds=60))
    state = ScalarState()
    due = []
    for now in (99, 100, 101, 159, 160, 185, 400, 401):
        at = scalar_due_ms(rule, state, started_ms=100_000, now_ms=now * 1000)
        if at is not None:
            due.append(at / 1000)
            state = after_measurement(rule, state, 5.0, due_ms=at)

    assert due == [100, 160, 400]


def test_the_state_of_a_long_problem_is_small() -> None:
    away = QueryFailure(QueryFailureKind.REJECTED, "\N{SNOWMAN}" * 5000)
    state = after_measurement(QUEUE, ScalarState(), measurement(away), due_ms=0)

    assert len(encode_scalar_state(state)) < 1024
