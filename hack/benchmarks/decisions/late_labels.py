"""Labels that come late, sooner for one outcome than for another; scores; and crashes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.decisions.case import Case, Group, Measure
from benchmarks.decisions.labels import LabelDelay
from benchmarks.decisions.rules import (
    BETA,
    NO_FALSE_ROLLBACK,
    Metrics,
    at_most,
    brier,
    errors,
    judged_by,
    wrong_predictions,
)
from benchmarks.decisions.spread import Scores
from benchmarks.decisions.traffic import Traffic

_MINUTE = 60.0
_QUARTER = ((0.0, 0.25),)
_GROWING = ((0.0, 0.05), (1200.0, 0.25), (2400.0, 0.5))
_DELAYS = {
    "sooner": LabelDelay(wrong_seconds=10 * _MINUTE, right_seconds=40 * _MINUTE),
    "later": LabelDelay(wrong_seconds=60 * _MINUTE, right_seconds=20 * _MINUTE),
}


def label_cases() -> Iterator[Case]:
    """In the order of the rows of figures to reach; what is only shown comes after its like."""
    for when, delay in _DELAYS.items():
        for name, steps, what in (
            ("", _QUARTER, "a quarter of the traffic"),
            ("-growing", _GROWING, "a share that grows"),
        ):
            yield _case(
                f"labels-{when}{name}",
                f"the same version, labels of wrong answers come {when}, {what}",
                Traffic(5, steps=steps, duration_seconds=5400, scrape_seconds=60),
                wrong_predictions(0.05, 0.05, delay),
                row="16",
                requirements=(NO_FALSE_ROLLBACK,),
            )
    mature = LabelDelay(10 * _MINUTE, 40 * _MINUTE, maturity_seconds=60 * _MINUTE)
    long = Traffic(5, steps=_GROWING, duration_seconds=10_800, scrape_seconds=60)
    yield _case(
        "labels-mature",
        "the same version, labels of wrong answers come sooner but count after an hour",
        long,
        wrong_predictions(0.05, 0.05, mature),
        requirements=(NO_FALSE_ROLLBACK,),
        rollouts_share=0.2,
    )
    yield _case(
        "labels-mature-at-margin",
        "wrong answers at the default margin, 8 after 5 %; their labels come later but count "
        "after two hours",
        Traffic(5, steps=_GROWING, duration_seconds=14_400, scrape_seconds=60),
        wrong_predictions(
            0.05,
            0.08,
            LabelDelay(20 * _MINUTE, 5 * _MINUTE, maturity_seconds=120 * _MINUTE),
        ),
        requirements=(at_most(Measure.PROMOTED, BETA),),
        rollouts_share=0.2,
    )
    for when, delay in _DELAYS.items():
        yield _case(
            f"labels-{when}-twice",
            f"twice as many wrong answers, whose labels come {when}",
            Traffic(5, steps=_QUARTER, duration_seconds=5400, scrape_seconds=60),
            wrong_predictions(0.05, 0.1, delay),
            rollouts_share=0.2,
        )
    scores = Traffic(5, duration_seconds=1800)
    yield _case(
        "scores",
        "the same version, Brier scores of 0.2 on average",
        scores,
        brier(0.2, 0.2, Scores(2.0)),
        requirements=(NO_FALSE_ROLLBACK,),
        rollouts_share=0.2,
    )
    yield _case(
        "scores-worse",
        "Brier scores of 0.25 after 0.2",
        scores,
        brier(0.2, 0.25, Scores(2.0)),
        fault_at=0.0,
        rollouts_share=0.2,
    )
    yield _case(
        "crashes",
        "passes that are lost before they were written, at random moments",
        Traffic(50),
        errors(0.01),
        row="17",
        requirements=(NO_FALSE_ROLLBACK, at_most(Measure.DIFFERENT_STATES, 0)),
        rollouts_share=0.1,
    )


def _case(name: str, title: str, traffic: Traffic, metric: Metrics, **more: Any) -> Case:
    metrics, rules = judged_by(metric)
    return Case(name, title, Group.LABELS, traffic, metrics, rules, **more)
