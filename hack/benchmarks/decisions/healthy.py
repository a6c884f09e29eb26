"""Versions that must not be rolled back: equal ones, in all weathers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from benchmarks.decisions.case import (
    Case,
    Disturbance,
    Group,
    Measure,
    Replacement,
    SimulatedMetric,
)
from benchmarks.decisions.rules import (
    DEFAULT,
    NO_FALSE_ROLLBACK,
    NO_TOLERANCE,
    RATIO,
    Metrics,
    at_least,
    at_most,
    errors,
    judged_by,
    slow,
)
from benchmarks.decisions.spread import Bursts, RateOfPod, RateOfScrape, Spread
from benchmarks.decisions.traffic import STEPS, Traffic, always, during

DAY_SECONDS = 86_400.0
_CAP_OFF = math.inf


def healthy_cases() -> Iterator[Case]:
    """In the order of the rows of figures to reach; what is only shown comes after its like."""
    yield from _equal()
    yield from _outages()
    yield from _overdispersed()
    yield from _disturbed()
    yield from _several_metrics()


def _case(name: str, title: str, rps: float, metric: Metrics, **more: Any) -> Case:
    inflation = more.pop("inflation", None)
    traffic = more.pop("traffic", Traffic(rps))
    metrics, rules = judged_by(metric, inflation=inflation)
    share = 1.0 if "row" in more else 0.2
    settings = {"requirements": (NO_FALSE_ROLLBACK,), "rollouts_share": share, **more}
    return Case(name, title, Group.HEALTHY, traffic, metrics, rules, **settings)


def _equal() -> Iterator[Case]:
    yield _case(
        "equal",
        "the same version, 50 requests/s, 1 % errors",
        50,
        errors(0.01),
        row="1",
        requirements=(NO_FALSE_ROLLBACK, at_most(Measure.MILLISECONDS, 1.0)),
    )
    for rps in (0.5, 5, 50, 500):
        for base in (0.001, 0.01, 0.05):
            yield _case(
                f"equal-{rps:g}-{base:g}",
                f"the same version, {rps:g} requests/s, {100 * base:g} % errors; "
                "no tolerance, no cap",
                rps,
                errors(base, comparison=NO_TOLERANCE),
                row="2",
                inflation=1.0,
                cap=_CAP_OFF,
            )
    for rps in (5, 50):
        yield _case(
            f"equal-day-{rps:g}",
            f"the same version for 24 hours, {rps:g} requests/s; no tolerance, no cap",
            rps,
            errors(0.01, comparison=NO_TOLERANCE),
            row="2b",
            traffic=Traffic(rps, duration_seconds=DAY_SECONDS),
            inflation=1.0,
            cap=_CAP_OFF,
            rollouts_share=0.1,
        )
    yield _case(
        "at-tolerance",
        "exactly 1.25 times the errors, which the rule tolerates",
        50,
        errors(0.01, always(0.0125), comparison=RATIO),
        row="3",
        inflation=1.0,
    )
    for seconds in (5, 60):
        yield _case(
            f"scraped-each-{seconds}s",
            f"the same version, scraped each {seconds} s; no tolerance",
            50,
            errors(0.01, comparison=NO_TOLERANCE),
            traffic=Traffic(50, scrape_seconds=seconds),
            inflation=1.0,
        )


def _outages() -> Iterator[Case]:
    for rps, rate in ((5, 0.5), (50, 1.0), (500, 0.5)):
        for step, (begins, _) in enumerate(STEPS, start=1):
            yield _case(
                f"outage-{rps}-step-{step}",
                f"3 minutes in which both versions answer {100 * rate:g} % of {rps} requests/s "
                f"badly, in step {step}; no tolerance",
                rps,
                _outage(rate, begins + 150),
                row="4",
                inflation=1.0,
            )
    yield _case(
        "outage-across-a-step",
        "an outage of both versions that begins with a step, both in the middle of a round",
        50,
        _outage(0.5, 610),
        traffic=Traffic(50, steps=((0, 0.05), (610, 0.25), (790, 0.5)), slices_per_scrape=3),
        inflation=1.0,
    )


def _outage(rate: float, start: float) -> SimulatedMetric:
    broken = during(start, start + 180, rate, otherwise=0.01)
    return errors(0.01, stable=broken, comparison=NO_TOLERANCE)


def _overdispersed() -> Iterator[Case]:
    spreads: tuple[tuple[str, str, Spread], ...] = (
        *(
            (f"bursts-{length}", f"errors in bursts of {length} on average", Bursts(length))
            for length in (2, 5, 10, 30)
        ),
        *(
            (
                f"correlated-{correlation:g}",
                f"another error rate in each scrape, intra-class correlation {correlation:g}",
                RateOfScrape(correlation),
            )
            for correlation in (0.005, 0.02)
        ),
    )
    for name, title, spread in spreads:
        for suffix, comparison in (("", DEFAULT), ("-no-tolerance", NO_TOLERANCE)):
            yield _case(
                name + suffix,
                title + suffix.replace("-no-", "; no "),
                50,
                errors(0.01, comparison=comparison, spread=spread),
                row="5",
            )
    for coefficient in (0.2, 0.4):
        yield _case(
            f"pods-differ-{coefficient:g}",
            f"every pod has an error rate of its own, coefficient of variation {coefficient:g}",
            50,
            errors(0.01, comparison=DEFAULT, spread=RateOfPod(coefficient)),
            requirements=(NO_FALSE_ROLLBACK,) if coefficient < 0.3 else (),
        )


def _disturbed() -> Iterator[Case]:
    few = {"traffic": Traffic(50, canary_pods=2, stable_pods=2), "inflation": 1.0}
    for name, title, disturbance in (
        ("missed-scrapes", "every fifth scrape of a pod is missed", Disturbance(missed_share=0.2)),
        ("restarts", "pods restart in 2 % of the intervals", Disturbance(restart_share=0.02)),
    ):
        yield _case(
            name,
            f"{title}; no tolerance",
            50,
            errors(0.01, comparison=NO_TOLERANCE),
            row="6",
            disturbance=disturbance,
            **few,
        )
    yield _case(
        "vanished-series",
        "a pod of each version vanishes, and another comes a minute later; no tolerance",
        50,
        errors(0.01, comparison=NO_TOLERANCE),
        disturbance=Disturbance(
            canary_replaced=(Replacement(1, 705, 765),),
            stable_replaced=(Replacement(0, 900, 960),),
        ),
        **few,
    )
    yield _case(
        "provider-away",
        "nothing is scraped and nothing answered for 5 minutes",
        50,
        errors(0.01),
        disturbance=Disturbance(provider_away=(700, 1000)),
        traffic=Traffic(50, canary_pods=2, stable_pods=2),
        requirements=(NO_FALSE_ROLLBACK, at_least(Measure.PROMOTED, 0.99)),
    )

    cold = during(0, 45, 0.4, otherwise=0.01)
    yield _case(
        "cold-start",
        "a canary that is slow in 40 % of its answers until it is warm, within the warm-up",
        50,
        slow(0.01, cold),
        warmup_seconds=60.0,
        traffic=Traffic(50, canary_pods=2, stable_pods=2),
        requirements=(NO_FALSE_ROLLBACK, at_least(Measure.PROMOTED, 0.99)),
    )


def _several_metrics() -> Iterator[Case]:
    yield _case(
        "five-metrics",
        "five metrics, all of them the same as before",
        50,
        tuple(errors(0.01, name=f"metric-{number}") for number in range(5)),
        row="15",
    )
    yield _case(
        "five-metrics-four-slices",
        "five metrics in each of four slices of the users, all the same as before; no tolerance",
        50,
        tuple(
            errors(
                0.01,
                name=f"metric-{number}-{part}",
                users=part,
                share=0.25,
                comparison=NO_TOLERANCE,
            )
            for number in range(5)
            for part in ("north", "east", "south", "west")
        ),
        inflation=1.0,
        rollouts_share=0.2,
    )
