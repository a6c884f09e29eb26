"""Recorded samples say what was drawn, as long as nothing disturbs them, and what was lost."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.decisions.case import Case, Disturbance, Replacement
from benchmarks.decisions.catalogue import catalogue
from benchmarks.decisions.recording import CANARY, STABLE, START, Recording, moment, recorded
from benchmarks.decisions.simulation import drawn_metrics
from benchmarks.decisions.traffic import Drawn
from serinus.analysis.samples import Query

EQUAL = catalogue()["equal"]


def recording(disturbance: Disturbance | None = None) -> tuple[Drawn, Recording]:
    case: Case = replace(EQUAL, disturbance=disturbance)
    (drawn,) = drawn_metrics(case, np.random.default_rng(1), 1)
    assert isinstance(drawn, Drawn)
    return drawn, recorded(case, case.metrics[0], drawn, 0, np.random.default_rng(2))


def grown(found: Recording, revision: str, code: str, *, since: float = -3700) -> float:
    """What the counters of a revision and code grew by."""
    return sum(
        samples[-1] - samples[0]
        for one in found.series
        if (one.labels["revision"], one.labels["code"]) == (revision, code)
        and (samples := [value for at, value in one.samples if at - START > since])
    )


def test_counters_grow_by_what_was_drawn() -> None:
    drawn, found = recording()

    bad = drawn.stable.bad.sum() + drawn.before.bad.sum()
    assert grown(found, STABLE, "500") == bad
    assert grown(found, STABLE, "200") == (
        drawn.stable.total.sum() + drawn.before.total.sum() - bad
    )
    assert grown(found, CANARY, "500") == drawn.canary.bad.sum()
    first = min(at for one in found.series for at, _ in one.samples)
    assert START - 3615 < first < START - 3600


def test_every_pod_is_scraped_once_in_each_interval_at_a_phase_of_its_own() -> None:
    _, found = recording()

    phases = {one.labels["pod"]: {at % 15 for at in one.times} for one in found.series}
    assert all(len(of_pod) == 1 for of_pod in phases.values())
    assert len(set.union(*phases.values())) == len(phases) == 7


def test_a_query_gets_its_range_open_on_the_left() -> None:
    _, found = recording()
    times = found.series[0].times

    (vector, *_) = found.answer(Query("errors", "{}[30000ms]", moment(times[10] - START)))

    assert [at for at, _ in vector.samples] == list(times[9:11])


@pytest.mark.parametrize(
    ("disturbance", "scrapes"),
    [(Disturbance(missed_share=0.2), 0.8), (Disturbance(provider_away=(0, 900)), 0.5)],
    ids=["missed scrapes", "provider away"],
)
def test_scrapes_that_didnt_happen(disturbance: Disturbance, scrapes: float) -> None:
    _, found = recording(disturbance)

    canary = [one for one in found.series if one.labels["revision"] == CANARY]
    assert sum(map(len, (one.samples for one in canary))) == pytest.approx(
        scrapes * 121 * len(canary), rel=0.05
    )


def test_a_restart_loses_what_wasnt_scraped_and_begins_at_0() -> None:
    drawn, found = recording(Disturbance(restart_share=0.02))

    falls = [
        (before, after)
        for one in found.series
        for (_, before), (_, after) in zip(one.samples, one.samples[1:], strict=False)
        if after < before
    ]
    assert falls
    assert grown(found, CANARY, "200") < drawn.canary.total.sum()


def test_a_pod_that_goes_leaves_its_series_and_another_begins() -> None:
    gone = Disturbance(canary_replaced=(Replacement(1, 705, 765),))
    _, found = recording(gone)

    spans = {
        one.labels["pod"]: (one.times[0] - START, one.times[-1] - START)
        for one in found.series
        if one.labels["revision"] == CANARY
    }
    assert set(spans) == {"canary-0-0", "canary-1-0", "canary-1-1", "canary-2-0"}
    assert 690 <= spans["canary-1-0"][1] < 705
    assert 750 <= spans["canary-1-1"][0] < 765
