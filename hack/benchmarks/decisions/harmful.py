"""Versions that have to be found, and how fast: from a dead one to one twice as bad."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from benchmarks.decisions.case import Case, Group, Measure
from benchmarks.decisions.rules import (
    NO_TOLERANCE,
    RATIO,
    Metrics,
    at_least,
    at_most,
    errors,
    judged_by,
)
from benchmarks.decisions.spread import Bursts
from benchmarks.decisions.traffic import Traffic, always, from_second


def harmful_cases() -> Iterator[Case]:
    """In the order of the rows of figures to reach; what is only shown comes after its like."""
    yield from _dead()
    yield from _worse()
    yield from _late()
    yield from _one_of_several()


def _case(name: str, title: str, rps: float, metric: Metrics, **more: Any) -> Case:
    inflation = more.pop("inflation", None)
    metrics, rules = judged_by(metric, inflation=inflation)
    settings = {"fault_at": 0.0, "rollouts_share": 1.0 if "row" in more else 0.2, **more}
    return Case(name, title, Group.HARMFUL, Traffic(rps), metrics, rules, **settings)


def _dead() -> Iterator[Case]:
    for rps, row, requirements in (
        (5, "7", (at_most(Measure.P95_REQUESTS, 17), at_most(Measure.P95_SECONDS, 60))),
        (50, "7", (at_most(Measure.P95_SECONDS, 45),)),
    ):
        yield _case(
            f"dead-{rps:g}",
            f"every answer is an error, {rps:g} requests/s, 0.1 % before",
            rps,
            errors(0.001, always(1.0)),
            row=row,
            requirements=(at_least(Measure.ROLLED_BACK, 0.99), *requirements),
        )
    little = "every answer is an error, 0.5 requests/s, 0.1 % before"
    yield _case(
        "dead-0.5",
        f"{little}; errors are known not to come in bursts",
        0.5,
        errors(0.001, always(1.0)),
        row="8",
        inflation=1.0,
        requirements=(at_least(Measure.ROLLED_BACK, 0.99), at_most(Measure.P95_REQUESTS, 6)),
    )
    yield _case(
        "dead-0.5-unknown-bursts",
        f"{little}; too few to know whether errors come in bursts",
        0.5,
        errors(0.001, always(1.0)),
        requirements=(at_least(Measure.ROLLED_BACK, 0.99),),
    )


def _worse() -> Iterator[Case]:
    for rps, row, requirements in (
        (5, "9", (at_most(Measure.MEAN_OVER_BOUND, 1.7), at_most(Measure.P95_SECONDS, 900))),
        (50, "10", (at_most(Measure.MEAN_OVER_BOUND, 1.75), at_most(Measure.MEDIAN_SECONDS, 90))),
    ):
        yield _case(
            f"five-times-{rps}",
            f"five times the errors, {rps} requests/s, 1 % before; no tolerance, no cap",
            rps,
            errors(0.01, always(0.05), comparison=NO_TOLERANCE),
            row=row,
            inflation=1.0,
            cap=math.inf,
            requirements=requirements,
        )
    yield _case(
        "five-times",
        "five times the errors, 50 requests/s, 1 % before",
        50,
        errors(0.01, always(0.05)),
        row="11",
        requirements=(
            at_most(Measure.MEDIAN_SECONDS, 120),
            at_most(Measure.P95_SECONDS, 240),
        ),
    )
    yield _case(
        "twice-ratio",
        "twice the errors, 50 requests/s, 1 % before; a ratio of 1.25 is tolerated and no increase",
        50,
        errors(0.01, always(0.02), comparison=RATIO),
        row="12",
        requirements=(at_least(Measure.ROLLED_BACK, 0.99), at_most(Measure.MEAN_OVER_BOUND, 1.7)),
    )
    yield _case(
        "twice",
        "twice the errors, 50 requests/s, 1 % before; the default tolerance, and within the "
        "default margin",
        50,
        errors(0.01, always(0.02)),
    )
    for times in (1.5, 3):
        yield _case(
            f"times-{times:g}",
            f"{times:g} times the errors, 50 requests/s, 1 % before",
            50,
            errors(0.01, always(0.01 * times)),
        )
    yield _case(
        "twice-5-5",
        "twice the errors, 5 requests/s, 5 % before",
        5,
        errors(0.05, always(0.1)),
    )
    yield _case(
        "five-times-bursts-5",
        "five times the errors, in bursts of 5 on average",
        50,
        errors(0.01, always(0.05), spread=Bursts(5)),
        true_inflation=9.0,
    )


def _late() -> Iterator[Case]:
    for rps in (5, 50):
        yield _case(
            f"late-{rps}",
            f"five times the errors from the 15th minute on, {rps} requests/s",
            rps,
            errors(0.01, from_second(900, 0.05, before=0.01)),
            fault_at=900.0,
        )


def _one_of_several() -> Iterator[Case]:
    names = [f"metric-{number}" for number in range(5)]
    yield _case(
        "one-of-five",
        "one of five metrics is five times as bad",
        50,
        tuple(
            errors(0.01, always(0.05) if name == names[0] else None, name=name) for name in names
        ),
        row="15",
        requirements=(at_most(Measure.MEDIAN_SECONDS, 165),),
    )
    yield _case(
        "one-of-twenty",
        "one of five metrics in one of four slices is five times as bad",
        50,
        tuple(
            errors(
                0.01,
                always(0.05) if (name, part) == (names[0], "north") else None,
                name=f"{name}-{part}",
                users=part,
                share=0.25,
            )
            for name in names
            for part in ("north", "east", "south", "west")
        ),
        rollouts_share=0.2,
    )
