"""How stable's labels were before a rollout is asked of the provider, and summed up by it."""

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from serinus.analysis.baseline_query import baseline_query, counted_by_slice
from serinus.analysis.samples import RangeVector
from serinus.analysis.spec import AgainstMaximum, AnalysisContext, RateRule
from serinus.api.enums import MetricTemplate
from serinus.api.verdicts import Counts
from tests.support.canary_world import CONTEXT, START, errors

MAXIMUM = (AgainstMaximum(0.1),)
WRONG = RateRule("wrong", MetricTemplate.WRONG_PREDICTIONS, MAXIMUM)
BRIER = RateRule("brier", MetricTemplate.PREDICTION_LOSS, MAXIMUM, score="brier")
MISSED = RateRule("missed", MetricTemplate.FALSE_NEGATIVES, MAXIMUM)


def test_queries(golden: Callable[[str, str], None]) -> None:
    far = replace(BRIER, name="far", score="pinball", bound="60", quantile="0.9")
    found = [baseline_query(rule, CONTEXT) for rule in (WRONG, BRIER, far, MISSED)]

    golden("promql/labels-before.txt", "\n".join(f"{one.promql}\n" for one in found if one))
    assert {one.evaluated_at for one in found if one} == {CONTEXT.started_at}


@pytest.mark.parametrize(
    ("since", "minutes"),
    [(None, 60), (timedelta(hours=5), 60), (timedelta(seconds=179), 2), (timedelta(seconds=60), 1)],
)
def test_it_asks_for_the_whole_minutes_of_an_hour_in_which_stable_was_stable(
    since: timedelta | None, minutes: int
) -> None:
    context = replace(CONTEXT, stable_since=CONTEXT.started_at - since if since else None)
    found = baseline_query(WRONG, context)

    assert found
    assert found.promql.endswith(f"[{minutes * 60_000}ms:60000ms]")


@pytest.mark.parametrize(
    ("rule", "context"),
    [
        (errors(), CONTEXT),
        (WRONG, replace(CONTEXT, stable_revision=None)),
        (WRONG, replace(CONTEXT, incomparable={"wrong": "by another bound"})),
        (WRONG, replace(CONTEXT, stable_since=CONTEXT.started_at - timedelta(seconds=59))),
    ],
    ids=["not of labels", "no stable", "judged otherwise", "stable for less than a minute"],
)
def test_there_may_be_nothing_to_ask_about(rule: RateRule, context: AnalysisContext) -> None:
    assert baseline_query(rule, context) is None


def series(*values: float, pod: str = "a", **labels: str) -> RangeVector:
    samples = tuple((START + 60.0 * number, value) for number, value in enumerate(values))
    return RangeVector({"pod": pod, **labels}, samples)


def test_each_pod_has_its_counts_in_each_minute() -> None:
    answer = (
        series(90, 0, 50, outcome="right"),
        series(10, 0, 0, outcome="wrong"),
        series(40, 0, 30, pod="b", outcome="right"),
    )

    assert counted_by_slice(answer, WRONG) == (
        (Counts(10, 100), Counts(0, 40)),
        (),
        (Counts(0, 50), Counts(0, 30)),
    )


def test_a_loss_is_held_against_the_labels_and_is_no_more_than_they_are() -> None:
    answer = (
        series(9, 1, outcome="right"),
        series(1, 1, outcome="wrong"),
        series(2.5, 7, score="brier"),
    )

    assert counted_by_slice(answer, BRIER) == ((Counts(2.5, 10),), (Counts(2, 2),))


def test_classes_that_were_missed_are_those_that_are_positive() -> None:
    answer = (
        series(8, actual="positive", outcome="right"),
        series(2, actual="positive", outcome="wrong"),
    )

    assert counted_by_slice(answer, MISSED) == ((Counts(2, 10),),)


def test_what_is_no_number_and_what_counts_as_nothing_is_left_out() -> None:
    answer = (
        series(math.nan, math.inf, 5, outcome="right"),
        series(7, 7, 7, outcome="odd", score="logLoss"),
    )

    assert counted_by_slice(answer, WRONG)[-1] == (Counts(0, 5),)
    assert counted_by_slice((), WRONG) == ()
