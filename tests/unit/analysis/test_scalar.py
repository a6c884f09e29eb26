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
    is_measured,
    measurement,
    scalar_due_ms,
    scalar_verdict,
)
from serinus.analysis.spec import ScalarRule
from serinus.api.verdicts import Verdict
from tests.support.canary_world import CONTEXT, START
from tests.support.recorded_counters import moment

QUEUE = ScalarRule("queue", "q", minimum=1, maximum=100, failure_limit=1, consecutive_error_limit=2)
REFUSED = QueryFailure(QueryFailureKind.REJECTED, "parse error")
MINUTE = 60


def value(number: float) -> QueryResult:
    return (RangeVector({}, ((0.0, number),)),)


TWO_SERIES: QueryResult = (RangeVector({"a": "1"}, ((0, 1),)), RangeVector({"a": "2"}, ((0, 1),)))


@dataclass
class Case:
    says: str
    given: list[QueryResult]
    then: Verdict
    failures: int = 0
    minutes_later: int = 0


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
    Case("refused for as long as tolerated", [REFUSED] * 2, Verdict.INCONCLUSIVE),
    Case("refused for longer", [REFUSED] * 3, Verdict.ERROR),
    Case("refused and answered again", [REFUSED] * 3 + [value(5)], Verdict.SUCCESSFUL),
    Case("nothing returned yet", [()], Verdict.INCONCLUSIVE),
    Case("nothing returned for long", [()], Verdict.NO_DATA, minutes_later=5),
    Case("nothing returned once", [value(5), ()], Verdict.INCONCLUSIVE),
    Case("nothing returned any more", [value(5), ()], Verdict.NO_DATA, minutes_later=5),
    Case(
        "failed, then refused",
        [value(0), value(0), REFUSED, REFUSED, REFUSED],
        Verdict.FAILED,
        failures=2,
    ),
]


def at(minute: float) -> int:
    """Unix milliseconds of a minute of the rollout."""
    return round((START + minute * MINUTE) * 1000)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says)
def test_verdict(case: Case) -> None:
    state = ScalarState()
    for number, answer in enumerate(case.given):
        state = after_measurement(QUEUE, state, measurement(answer), due_ms=at(number))
        state = decode_scalar_state(encode_scalar_state(state))
    now = moment(START + (len(case.given) + case.minutes_later) * MINUTE)

    assert scalar_verdict(QUEUE, state, CONTEXT, now) is case.then
    assert state.failures == case.failures


@pytest.mark.parametrize(
    ("answers", "measured"),
    [
        ([], False),
        ([value(5)], False),
        ([value(5), value(5)], True),
        ([value(5), value(200)], True),
        ([value(5), value(5), ()], False),
        ([value(5), value(5), REFUSED], False),
    ],
    ids=[
        "never",
        "before the step",
        "in the step",
        "in the step and outside the limits",
        "in the step, and then not",
        "in the step, and then refused",
    ],
)
def test_only_a_number_of_the_present_step_says_something_about_it(
    answers: list[QueryResult], measured: bool
) -> None:
    context = replace(CONTEXT, measured_since=moment(START + 0.5 * MINUTE))
    state = ScalarState()
    for number, answer in enumerate(answers):
        state = after_measurement(QUEUE, state, measurement(answer), due_ms=at(number))

    assert is_measured(state, context) is measured
    if not measured:
        now = moment(START + len(answers) * MINUTE)
        assert scalar_verdict(QUEUE, state, context, now) is Verdict.INCONCLUSIVE


def test_a_state_from_before_the_time_of_the_last_number_was_kept_can_be_read() -> None:
    state = decode_scalar_state('s1[1700000000000,3,1,0,5.0,"Successful",""]')

    assert (state.failures, state.value, state.numbered_at_ms) == (1, 5.0, None)
    assert scalar_verdict(QUEUE, state, CONTEXT, moment(START)) is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (REFUSED, "Rejected: parse error"),
        ((), "the query returns nothing; check its metric and labels"),
        (TWO_SERIES, "the query returns 2 series instead of one; aggregate with max or sum"),
        (
            value(float("nan")),
            "the query returns nan, which is no number; guard what it divides by",
        ),
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


@pytest.mark.parametrize("text", ["\N{SNOWMAN}", '"', "\\", "\x00", "\n", "\x7f"])
def test_the_state_of_a_long_problem_is_small(text: str) -> None:
    refused = QueryFailure(QueryFailureKind.REJECTED, f"parse error {text * 5000}")
    state = after_measurement(QUEUE, ScalarState(), measurement(refused), due_ms=0)

    assert len(encode_scalar_state(state)) < 400
    assert decode_scalar_state(encode_scalar_state(state)) == state
