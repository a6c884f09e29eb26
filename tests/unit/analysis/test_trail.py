"""Which samples are asked for; what becomes of them is told in test_advance."""

from dataclasses import replace
from datetime import timedelta

import pytest

from serinus.analysis.spec import AnalysisContext
from serinus.analysis.state import RateState
from serinus.analysis.trail import Span, wanted_span
from tests.support.canary_world import CONTEXT, START
from tests.support.recorded_counters import moment
from tests.support.rollout_rounds import new_state

LOOKBACK = 50


def state(watermark: int) -> RateState:
    return replace(new_state(0.01, 1, 1), watermark_ms=(START + watermark) * 1000)


@pytest.mark.parametrize(
    ("before", "context", "now", "then"),
    [
        (None, CONTEXT, 0, None),
        (None, CONTEXT, 20, (-3600 - LOOKBACK, 20)),
        (None, replace(CONTEXT, stable_since=moment(START - 60)), 20, (-60 - LOOKBACK, 20)),
        (state(100), CONTEXT, 120, (100 - LOOKBACK, 120)),
        (state(100), CONTEXT, 9000, (100 - LOOKBACK, 3700)),
        (state(100), replace(CONTEXT, scrape_interval=timedelta(seconds=2)), 120, (90, 120)),
    ],
    ids=[
        "before the canary has traffic: nothing",
        "at first, stable's hour before",
        "at first, stable since its promotion",
        "then what is new, and a baseline before it",
        "after an outage, an hour at a time",
        "the lookback follows the scrape interval",
    ],
)
def test_wanted_span(
    before: RateState | None,
    context: AnalysisContext,
    now: int,
    then: tuple[int, int] | None,
) -> None:
    span = wanted_span(before, context, now_ms=(START + now) * 1000)

    expected = then and Span((START + then[0]) * 1000, (START + then[1]) * 1000)
    assert span == expected
