"""How much more errors vary than independent requests would: they come in bursts.

Measured between the pods of stable within the same minute, so that the time of day and incidents
that hit all pods cancel; shorter slices would miss bursts that cross their borders.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from serinus.analysis.arithmetic import rounded
from serinus.analysis.cells import Arm, PodCounts, Rejected
from serinus.analysis.counters import CounterSeries, pod_increments
from serinus.analysis.rounds import Round
from serinus.api.verdicts import Counts

FALLBACK = 2.0
"""Used where stable is too quiet or too small to measure."""
MIN_MINUTES = 30
MIN_PODS = 2

_MINUTE_MS = 60_000


def stable_minutes(
    series: Sequence[CounterSeries], *, from_ms: int, until_ms: int
) -> tuple[tuple[Counts, ...], ...]:
    """What each stable pod counted in each whole minute between the two moments.

    Minutes with contradicting numbers are left out, as are those of pods without requests.
    """
    mine = [one for one in series if one.arm is Arm.STABLE]
    edges = range(from_ms, until_ms - _MINUTE_MS + 1, _MINUTE_MS)
    minutes = [Round(start, start + _MINUTE_MS) for start in edges]
    counted = pod_increments(mine, minutes, lookback_ms=_MINUTE_MS, pods_started_ms={})
    return tuple(
        tuple(counts for counts in _by_pod(minute) if counts.total > 0)
        for minute in counted
        if not isinstance(minute, Rejected)
    )


def _by_pod(minute: PodCounts) -> Iterator[Counts]:
    """Labels of all cohorts together: what a pod counted in that minute."""
    pods: defaultdict[str, list[Counts]] = defaultdict(list)
    for cell, counts in minute.items():
        pods[cell.pod].append(counts)
    for mine in pods.values():
        yield Counts(rounded(math.fsum(one.bad for one in mine)), sum(one.total for one in mine))


def measured_inflation(minutes: Iterable[Sequence[Counts]]) -> float | None:
    """Variance of bad events over that of independent ones, at least 1.

    None without two pods in 30 minutes that had bad events.

    References
    ----------
    .. [1] Pearson's chi-square over its degrees of freedom, the usual estimate of overdispersion;
       P. McCullagh, J. Nelder (1989), Generalized Linear Models, section 4.5.
    """
    chi_square, freedom, used = 0.0, 0, 0
    for pods in minutes:
        bad, total = math.fsum(pod.bad for pod in pods), sum(pod.total for pod in pods)
        if len(pods) < MIN_PODS or not 0 < bad < total:
            continue
        rate = bad / total
        chi_square += math.fsum(
            (pod.bad - pod.total * rate) ** 2 / (pod.total * rate * (1 - rate)) for pod in pods
        )
        freedom += len(pods) - 1
        used += 1
    return max(1.0, chi_square / freedom) if used >= MIN_MINUTES else None
