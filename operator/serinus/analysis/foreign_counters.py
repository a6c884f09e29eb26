"""Series of servers that aren't ours: which are asked for, and what each counts as.

They say nothing of deployments and revisions, so they are found by the pods' names, which begin
with the workload's. Canary and stable may be different servers: the series of both are asked for,
and each counts as its own name says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from serinus.api.counters import Counters, CounterSelector
from serinus.api.enums import MetricTemplate

_OF_THE_SCRAPE = frozenset(
    {
        "cluster", "container", "deployment", "exported_job", "instance", "job", "namespace",
        "node", "pod", "prometheus", "prometheus_replica", "replica", "revision",
    }
)  # fmt: skip
"""Labels that say who was scraped by whom; all others tell series of a pod apart."""


@dataclass(frozen=True, slots=True)
class Counted:
    """How a series counts: as one of all, as a bad one, or as a bucket of good ones."""

    bad: int
    total: int
    bucket: bool = False
    histogram: bool = False


def names_of(counters: Sequence[Counters], template: MetricTemplate) -> tuple[str, ...]:
    """Names of all series that the template needs."""
    found: dict[str, None] = {}
    for one in counters:
        if template is MetricTemplate.SLOW_REQUESTS:
            if one.duration is not None:
                found |= {f"{one.duration.name}_bucket": None, f"{one.duration.name}_count": None}
            continue
        for selector in (*(one.requests or ()), *(one.failed or ())):
            found[selector.name] = None
    return tuple(found)


def counted(
    counters: Sequence[Counters], template: MetricTemplate, labels: Mapping[str, str]
) -> Counted | None:
    """What a series counts as; None when it counts as nothing."""
    if template is MetricTemplate.SLOW_REQUESTS:
        return next(_of_histograms(counters, labels), None)
    bad = any(_fits(one, labels) for counter in counters for one in counter.failed or ())
    total = any(_fits(one, labels) for counter in counters for one in counter.requests or ())
    return Counted(int(bad), int(total)) if total else None


def identity(labels: Mapping[str, str]) -> tuple[str, ...]:
    """What tells two series of one pod apart. The bound of a bucket is no part of it."""
    return tuple(
        f"{name}={value}"
        for name, value in sorted(labels.items())
        if name not in _OF_THE_SCRAPE and name != "le"
    )


def _of_histograms(counters: Sequence[Counters], labels: Mapping[str, str]) -> Iterator[Counted]:
    name = labels.get("__name__", "")
    for one in counters:
        if one.duration is None or not _fits(one.duration, labels, name=one.duration.name):
            continue
        if name == f"{one.duration.name}_count":
            yield Counted(bad=1, total=1, histogram=True)
        elif name == f"{one.duration.name}_bucket":
            yield Counted(bad=-1, total=0, bucket=True, histogram=True)


def _fits(selector: CounterSelector, labels: Mapping[str, str], *, name: str | None = None) -> bool:
    if (name or labels.get("__name__")) != selector.name:
        return False
    wanted = all(
        re.fullmatch(pattern, labels.get(label, "")) for label, pattern in selector.labels.items()
    )
    unwanted = any(
        re.fullmatch(pattern, labels.get(label, "")) for label, pattern in selector.without.items()
    )
    return wanted and not unwanted
