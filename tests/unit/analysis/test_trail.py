"""Which samples are asked for; what becomes of them is told in test_advance."""

from dataclasses import replace
from datetime import timedelta

import pytest

from serinus.analysis.advance import queries
from serinus.analysis.spec import AnalysisContext
from serinus.analysis.state import InflationSource, RateState, decode_state, encode_state
from serinus.analysis.trail import Span, cohorts_in, is_behind, wanted_span
from tests.support.canary_world import (
    CANARY,
    CONTEXT,
    STABLE,
    START,
    CanaryWorld,
    pod_name,
    rules,
)
from tests.support.recorded_counters import labels, moment
from tests.support.rollout_rounds import new_state

LOOKBACK = 50
EXPOSED = replace(CONTEXT, exposed_only=True)


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
        (state(9000), CONTEXT, 9000 - LOOKBACK, None),
        (state(100), replace(CONTEXT, scrape_interval=timedelta(seconds=2)), 120, (90, 120)),
    ],
    ids=[
        "before the canary has traffic: nothing",
        "at first, stable's hour before",
        "at first, stable since its promotion",
        "then what is new, and a baseline before it",
        "after an outage, an hour at a time",
        "by a clock that is behind, nothing",
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


@pytest.mark.parametrize(
    ("before", "now", "then"),
    [(None, 0, False), (None, 3600, False), (None, 3601, True), (state(100), 3701, True)],
)
def test_a_look_that_ends_before_now_is_behind(
    before: RateState | None, now: int, then: bool
) -> None:
    assert is_behind(before, CONTEXT, now_ms=(START + now) * 1000) is then


@pytest.mark.parametrize(
    ("lengths", "first", "span", "starts"),
    [
        ((), 0, (0, 60), None),
        ((300,), 900, (0, 60), ()),
        ((300,), 0, (0, 60), (0, 300, 600)),
        ((300,), 600, (500, 700), (600, 900, 1200)),
        ((150, 300), 0, (0, 40), (0, 150, 300, 450, 600)),
        ((1,), 0, (1000, 1001), tuple(range(336, 1602))),
    ],
    ids=[
        "nobody knows how long they last: any",
        "none yet",
        "those that may have begun by a server's clock",
        "not those before the first",
        "those of both versions",
        "no more than servers keep",
    ],
)
def test_cohorts_that_may_come_in_a_span(
    lengths: tuple[int, ...], first: int, span: tuple[int, int], starts: tuple[int, ...] | None
) -> None:
    base = 1_700_000_100 - 1_700_000_100 % 300
    context = replace(CONTEXT, cohort_lengths=lengths, first_cohort_at=moment(base + first))
    found = cohorts_in(Span((base + span[0]) * 1000, (base + span[1]) * 1000), context)

    assert (found and tuple(start - base for start in found)) == starts


def served(world: CanaryWorld, at: float, **bad: int) -> None:
    """Two pods of stable and one of the canary answer 100 requests each, and are scraped.

    Until the start nobody is exposed, though the counters are there.
    """
    for pod, revision in (("a", STABLE), ("b", STABLE), ("c", CANARY)):
        own = {"pod": pod_name(pod, revision), "revision": revision}
        failed = bad.get(pod, 0)
        for exposed in ({}, {"exposed": "true"}):
            counts = bool(exposed) == (at > 0)
            for code, count in (("500", failed), ("200", 100 - failed)):
                series = labels("serinus_requests_total", code=code, **own, **exposed)
                world.count(pod, series, count if counts else 0)
    world.scrape(at)


def test_in_a_test_of_units_the_baseline_is_of_all_requests_and_the_evidence_of_exposed_ones() -> (
    None
):
    world = CanaryWorld(rules(inflation=None), EXPOSED)
    for at in range(-2400, 1, 10):
        served(world, at, a=10, b=10)
    for at in range(10, 101, 10):
        # Requests without a unit fail all at once: no evidence for either side.
        own = {"pod": pod_name("a", STABLE), "revision": STABLE}
        world.count("a", labels("serinus_requests_total", code="500", **own), 1000)
        served(world, at, a=2)

    first, second = world.look(50), world.look(100)

    (before,), (after,) = first.verdicts, second.verdicts
    assert (before.stable.bad, before.stable.total) == (10, 1000)
    assert (after.stable.bad, after.stable.total) == (20, 2000)
    assert (after.canary.bad, after.canary.total) == (0, 1000)
    baseline = decode_state(world.states["errors"]).baseline
    assert baseline.rate == pytest.approx(0.1, abs=0.005)
    assert baseline.inflation_source is InflationSource.MEASURED


def test_what_was_counted_of_all_requests_is_asked_for_once() -> None:
    asked = [
        queries(rules(), states, EXPOSED, moment(START + 60))[0].promql
        for states in ({}, {"errors": encode_state(state(20))})
    ]

    assert ['exposed="true"' in promql for promql in asked] == [False, True]
