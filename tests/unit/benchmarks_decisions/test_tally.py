"""Counts become figures; whoever isn't rolled back comes last in the quantiles."""

import math

import pytest

from benchmarks.decisions.case import Measure, Requirement, Sense
from benchmarks.decisions.tally import Decisions, Tally, interval, measured


def tally() -> Tally:
    product = Decisions(
        rollouts=4, rolled_back=3, promoted=1, seconds=[30, 15, 45], requests=[20, 10, 60]
    )
    return Tally(product=product, product_seconds=0.5, metric_rounds=1000)


@pytest.mark.parametrize(
    ("measure", "figure"),
    [
        (Measure.ROLLED_BACK, 0.75),
        (Measure.PROMOTED, 0.25),
        (Measure.MEDIAN_SECONDS, 30),
        (Measure.P95_SECONDS, math.inf),
        (Measure.P95_REQUESTS, math.inf),
        (Measure.MEAN_OVER_BOUND, 3),
        (Measure.MILLISECONDS, 0.5),
        (Measure.DIFFERENT_STATES, math.inf),  # nothing was replayed: not shown
    ],
)
def test_figures(measure: Measure, figure: float) -> None:
    assert measured(tally(), measure, 10) == figure


def test_chunks_add_up() -> None:
    both, other = tally(), tally()
    other.peers["z"] = Decisions(rollouts=4, rolled_back=1)
    other.replayed, other.replay_differs, other.whole_way = 2, 1, 3
    both.add(other)
    both.add(other)

    assert (both.product.rollouts, both.product.rolled_back) == (12, 9)
    assert sorted(both.product.seconds) == [15] * 3 + [30] * 3 + [45] * 3
    assert both.peers["z"].rolled_back == 2
    assert measured(both, Measure.DIFFERENT_STATES, None) == 2
    assert both.whole_way == 6


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [(0, 10_000, 0, 0.000369), (100, 10_000, 0.00814, 0.01215), (10, 10, 0.6915, 1)],
)
def test_intervals_of_clopper_and_pearson(count: int, of: int, low: float, high: float) -> None:
    assert interval(count, of) == pytest.approx((low, high), abs=1e-5)


def test_a_figure_that_is_its_limit_is_reached() -> None:
    most = Requirement(Measure.ROLLED_BACK, Sense.AT_MOST, 0.01)
    least = Requirement(Measure.PROMOTED, Sense.AT_LEAST, 0.99)

    assert (most.is_met(0.01), most.is_met(0.011)) == (True, False)
    assert (least.is_met(0.99), least.is_met(0.98)) == (True, False)
