"""What stable does today: asked of Prometheus through the API server, or given by hand.

The same queries and counters as in a rollout, over the same hour before it: what comes out is the
baseline that a rollout would start with.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from urllib.parse import urlencode

from serinus.analysis.baseline_query import baseline_query, counted_by_slice
from serinus.analysis.counters import counter_series
from serinus.analysis.evidence import baseline
from serinus.analysis.inflation import FALLBACK, stable_minutes
from serinus.analysis.plan import MetricBaseline
from serinus.analysis.promql import rate_query
from serinus.analysis.samples import RangeVector
from serinus.analysis.spec import AnalysisContext, AnalysisRules, RateRule
from serinus.analysis.state import Baseline, InflationSource
from serinus.api.verdicts import Counts
from serinus.cli.errors import ClusterError, CommandError
from serinus.cli.kubectl import Cluster
from serinus.manifests.naming import revision_object_name

LOOKED_BACK = timedelta(hours=1)
_BEFORE = timedelta(minutes=5)  # samples before the hour: what its first counters are compared with
_NOBODY = "none"  # no revision is called so
GIVEN_WEIGHT_REQUESTS = 5000.0


def given_baselines(
    rules: AnalysisRules, rates: Mapping[str, float], *, requests_per_second: float
) -> dict[str, MetricBaseline]:
    """What the user says: a rate for each metric that is to be planned."""
    inflation = rules.variance_inflation
    return {
        rule.name: MetricBaseline(
            Baseline(
                rate=rates[rule.name],
                requests=GIVEN_WEIGHT_REQUESTS,
                variance_inflation=FALLBACK if inflation is None else max(1.0, inflation),
                inflation_source=InflationSource.GIVEN,
            ),
            requests_per_second,
        )
        for rule in rules.rates
        if rule.name in rates
    }


def measured_baselines(
    cluster: Cluster,
    service: str,
    rules: AnalysisRules,
    context: AnalysisContext,
    now: datetime,
) -> dict[str, MetricBaseline]:
    """What Prometheus shows of the last hour; metrics without any event are left out.

    Raises
    ------
    CommandError
        If Prometheus can't be asked.
    """
    found: dict[str, MetricBaseline] = {}
    for rule in rules.rates:
        minutes = _minutes(cluster, service, rule, context, now)
        total = sum(pod.total for pods in minutes for pod in pods)
        if total:
            found[rule.name] = MetricBaseline(
                baseline(minutes, given_inflation=rules.variance_inflation),
                total / (len(minutes) * 60),
            )
    return found


def context_of(namespace: str, deployment: str, stable: str, now: datetime) -> AnalysisContext:
    """The hour before a rollout that would begin now."""
    return AnalysisContext(
        namespace=namespace,
        deployment=deployment,
        stable_revision=stable,
        canary_revision=_NOBODY,
        workloads=(revision_object_name(deployment, stable),),
        started_at=now,
        first_cohort_at=now,
    )


def _minutes(
    cluster: Cluster, service: str, rule: RateRule, context: AnalysisContext, now: datetime
) -> tuple[tuple[Counts, ...], ...]:
    if (first := baseline_query(rule, context)) is not None:
        answer = _asked(cluster, service, first.promql, first.evaluated_at)
        found = counted_by_slice(answer, rule)
        return (*found, *((),) * (LOOKED_BACK // timedelta(minutes=1) - len(found)))
    looked_back_ms = round((LOOKED_BACK + _BEFORE).total_seconds() * 1000)
    promql = rate_query(rule, context, range_ms=looked_back_ms)
    vectors = _asked(cluster, service, promql, now)
    series = counter_series(vectors, rule, context, first_cohort_seconds=float("-inf"))
    until_ms = round(now.timestamp() * 1000)
    return stable_minutes(
        series,
        from_ms=until_ms - round(LOOKED_BACK.total_seconds() * 1000),
        until_ms=until_ms,
    )


def _asked(cluster: Cluster, service: str, promql: str, now: datetime) -> Iterable[RangeVector]:
    namespace, _, rest = service.partition("/")
    question = urlencode({"query": promql, "time": f"{now.timestamp():.3f}"})
    path = f"/api/v1/namespaces/{namespace}/services/{rest}/proxy/api/v1/query?{question}"
    try:
        answer = json.loads(cluster.raw(path))
        series = answer["data"]["result"]
        return [
            RangeVector(one["metric"], tuple((float(at), float(of)) for at, of in one["values"]))
            for one in series
        ]
    except ClusterError as error:
        raise CommandError(
            f"Prometheus can't be asked at service {service}: {error.message}",
            "name it with --prometheus NAMESPACE/SERVICE:PORT, or give --requests-per-second "
            "and --rate",
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise CommandError(
            f"service {service} gives no answer of Prometheus' API",
            "is it Prometheus? name it with --prometheus NAMESPACE/SERVICE:PORT",
        ) from error
