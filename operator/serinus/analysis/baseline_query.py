"""Stable's labels before the rollout: what its pods counted in each minute of an hour.

Labels are counted by cohort, and each pod exports dozens of cohorts: an hour of their samples would
be megabytes a pod. So the provider sums them up, in the first question of a rollout; the second
asks for the samples since. That a restart or a new Prometheus blurs a minute does no harm here: the
sums are a guess of stable's rate and tell how much it varies, and are no evidence.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable

from serinus.analysis.arithmetic import rounded
from serinus.analysis.moments import to_ms
from serinus.analysis.promql import labels_before_query, summed_role
from serinus.analysis.samples import Query, QueryFailure, RangeVector
from serinus.analysis.spec import LABEL_TEMPLATES, AnalysisContext, RateRule
from serinus.api.verdicts import Counts

BASELINE_MS = 3_600_000
"""Stable is looked at for an hour before the rollout."""
_SLICE_MS = 60_000
_REFUSED_FOR_MS = 300_000
_AWAY_FOR_MS = BASELINE_MS


def baseline_from_ms(context: AnalysisContext) -> int:
    """From when on stable is looked at: since it is stable, and not longer than an hour."""
    earliest = to_ms(context.started_at) - BASELINE_MS
    return max(earliest, to_ms(context.stable_since)) if context.stable_since else earliest


def baseline_query(rule: RateRule, context: AnalysisContext) -> Query | None:
    """A metric's first question, for stable's labels; None where there is nothing to ask about.

    Other metrics than those of labels have none: their samples of an hour are few enough to be
    asked for with the rest. It is asked as of the moment at which the rollout began, however late.
    """
    slices = (to_ms(context.started_at) - baseline_from_ms(context)) // _SLICE_MS
    counted = rule.template in LABEL_TEMPLATES and rule.name not in context.incomparable
    if not counted or context.stable_revision is None or slices < 1:
        return None
    promql = labels_before_query(rule, context, slices=slices, slice_ms=_SLICE_MS)
    return Query(rule.name, promql, context.started_at)


def gives_up(failure: QueryFailure, context: AnalysisContext, *, now_ms: int) -> bool:
    """Whether the question isn't asked again.

    A refusal may pass, as may a partial answer; after five minutes it won't. A provider that is
    away is waited for, but not for longer than what was before the rollout is worth something.
    """
    asked_for_ms = now_ms - to_ms(context.started_at)
    return asked_for_ms > (_AWAY_FOR_MS if failure.is_away else _REFUSED_FOR_MS)


def counted_by_slice(
    vectors: Iterable[RangeVector], rule: RateRule
) -> tuple[tuple[Counts, ...], ...]:
    """What each pod counted in each slice of the answer, if it counted anything."""
    bad: defaultdict[tuple[float, str], list[float]] = defaultdict(list)
    total: defaultdict[tuple[float, str], list[float]] = defaultdict(list)
    for vector in vectors:
        role = summed_role(rule, vector.labels)
        if role is None:
            continue
        for at, value in vector.samples:
            if math.isfinite(value):
                place = (at, vector.labels.get("pod", ""))
                bad[place].append(role.bad * value)
                total[place].append(role.total * value)
    slices: defaultdict[float, list[Counts]] = defaultdict(list)
    for place in sorted(total):
        pods, labels = slices[place[0]], round(math.fsum(total[place]))
        if labels > 0:
            pods.append(Counts(rounded(min(max(math.fsum(bad[place]), 0.0), labels)), labels))
    return tuple(tuple(pods) for pods in slices.values())
