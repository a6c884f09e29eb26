"""What is promoted: equal versions, and none at the margin."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.decisions.case import Case, Group, Measure
from benchmarks.decisions.rules import (
    BETA,
    DEFAULT,
    RATIO,
    Metrics,
    at_least,
    at_most,
    errors,
    judged_by,
)
from benchmarks.decisions.traffic import Traffic, always


def promotion_cases() -> Iterator[Case]:
    """In the order of the rows of figures to reach; what is only shown comes after its like."""
    no_more = (at_most(Measure.PROMOTED, BETA),)
    nearly_all = (at_least(Measure.PROMOTED, 0.99),)
    for rps, base in ((5, 0.01), (50, 0.001)):
        yield _case(
            f"at-margin-{rps}",
            f"exactly twice the errors, which is the margin, {rps} requests/s, "
            f"{100 * base:g} % before",
            rps,
            errors(base, always(2 * base), comparison=RATIO),
            row="13",
            requirements=no_more,
        )
    edge = DEFAULT.margin.rate(0.01)
    yield _case(
        "at-default-margin",
        f"exactly at the default margin, {100 * edge:g} % errors after 1 %, 5 requests/s",
        5,
        errors(0.01, always(edge)),
        row="13",
        requirements=no_more,
    )
    for rps, base in ((50, 0.01), (5, 0.05)):
        yield _case(
            f"equal-promoted-{rps}",
            f"the same version, {rps} requests/s, {100 * base:g} % errors",
            rps,
            errors(base),
            row="14",
            requirements=nearly_all,
        )
    yield _case(
        "flawless",
        "no error on either side, 5 requests/s",
        5,
        errors(0.0),
        requirements=nearly_all,
    )
    yield _case(
        "equal-little-traffic",
        "the same version, 0.5 requests/s, 1 % errors",
        0.5,
        errors(0.01),
        rollouts_share=0.2,
    )


def _case(name: str, title: str, rps: float, metric: Metrics, **more: Any) -> Case:
    metrics, rules = judged_by(metric)
    return Case(name, title, Group.PROMOTION, Traffic(rps), metrics, rules, **more)
