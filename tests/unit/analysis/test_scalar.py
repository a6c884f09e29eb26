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
    Unmeasured,
    after_measurement,
    decode_scalar_state,
    encode_scalar_state,
    is_left_to_a_person,
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

    assert is_measured(QUEUE, state, context) is measured
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


BAND = replace(QUEUE, maximum=100, success_maximum=80, failure_limit=0, inconclusive_limit=1)


@pytest.mark.parametrize(
    ("numbers", "then", "for_a_person"),
    [
        ([80], Verdict.SUCCESSFUL, False),
        ([81], Verdict.INCONCLUSIVE, False),
        ([100, 80], Verdict.SUCCESSFUL, False),
        ([90, 90], Verdict.INCONCLUSIVE, True),
        ([90, 90, 5], Verdict.INCONCLUSIVE, True),
        ([90, 90, 101], Verdict.FAILED, True),
        ([101], Verdict.FAILED, False),
    ],
    ids=[
        "the bound of success is a success",
        "between success and failure",
        "as often inconclusive as tolerated",
        "once more",
        "which no success takes back",
        "harm goes before doubt",
        "beyond the limit it is a failure",
    ],
)
def test_between_success_and_failure_a_measurement_is_inconclusive(
    numbers: list[float], then: Verdict, for_a_person: bool
) -> None:
    state = ScalarState()
    for minute, number in enumerate(numbers):
        state = after_measurement(BAND, state, number, due_ms=at(minute))
        state = decode_scalar_state(encode_scalar_state(state))

    assert scalar_verdict(BAND, state, CONTEXT, moment(START + 600)) is then
    assert is_left_to_a_person(BAND, state) is for_a_person


COUNTED = replace(QUEUE, count=2, failure_limit=1, interval=timedelta(minutes=1))


def measured_minutes(
    rule: ScalarRule, found: list[float | Unmeasured], *, steps: dict[int, int], until: int
) -> list[int]:
    """In which minutes it is measured; `steps` says at which minute which step begins."""
    state, minutes, answers = ScalarState(), [], iter(found)
    began = 0
    for minute in range(until):
        began = steps.get(minute, began)
        step, now = at(began), at(minute)
        due = scalar_due_ms(rule, state, started_ms=at(0), now_ms=now, step_ms=step)
        if due is not None:
            minutes.append(minute)
            answer = next(answers)
            state = after_measurement(rule, state, answer, due_ms=due, step_ms=step)
            state = decode_scalar_state(encode_scalar_state(state))
    return minutes


def test_a_step_takes_as_many_measurements_as_the_count_says_and_the_next_begins_anew() -> None:
    found: list[float | Unmeasured] = [5.0] * 4

    assert measured_minutes(COUNTED, found, steps={5: 5}, until=9) == [0, 1, 5, 6]


def test_what_is_no_number_does_not_count() -> None:
    found = [5.0, Unmeasured(Verdict.ERROR, "refused"), Unmeasured(Verdict.NO_DATA, ""), 5.0]

    assert measured_minutes(COUNTED, found, steps={}, until=9) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("numbers", "then", "measured"),
    [
        ([5], Verdict.INCONCLUSIVE, False),
        ([5, 200], Verdict.SUCCESSFUL, True),
        ([200, 200], Verdict.FAILED, True),
    ],
    ids=["not all of them yet", "the last may fail within the limit", "more failed than tolerated"],
)
def test_when_the_count_is_reached_the_limits_decide(
    numbers: list[float], then: Verdict, measured: bool
) -> None:
    began = moment(START)
    context = replace(CONTEXT, measured_since=began, step_started_at=began)
    state = ScalarState()
    for minute, number in enumerate(numbers):
        state = after_measurement(COUNTED, state, number, due_ms=at(minute), step_ms=at(0))

    assert scalar_verdict(COUNTED, state, context, moment(START + 600)) is then
    assert is_measured(COUNTED, state, context) is measured


def test_a_count_that_an_earlier_step_reached_says_nothing_of_this_one() -> None:
    context = replace(CONTEXT, step_started_at=moment(START + 10 * MINUTE))
    state = ScalarState()
    for minute in range(2):
        state = after_measurement(COUNTED, state, 5.0, due_ms=at(minute), step_ms=at(0))

    assert not is_measured(COUNTED, state, context)
    assert scalar_due_ms(COUNTED, state, started_ms=at(0), now_ms=at(9.5), step_ms=at(9.2)) is None


def test_a_state_from_before_counts_were_kept_can_be_read() -> None:
    state = decode_scalar_state('s1[1700000000000,3,1,0,5.0,"Successful","",1700000000000]')

    assert (state.numbered_at_ms, state.inconclusive, state.counted) == (1700000000000, 0, 0)
