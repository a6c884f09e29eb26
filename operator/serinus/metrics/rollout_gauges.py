"""How each rollout does, for Prometheus: read from the status when scraped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pydantic import ValidationError

from serinus.api.deployment import Deployment, MetricStatus
from serinus.metrics.exposition import GaugeFamily, LabelledValue
from serinus.reconcile.decision import JsonObject


def rollout_gauges(deployments: Iterable[JsonObject]) -> tuple[GaugeFamily, ...]:
    """Gauges of all Deployments; one whose status can't be read has none."""
    found = [one for body in deployments if (one := _parsed(body)) is not None]
    return (
        GaugeFamily(
            "serinus_rollout_canary_weight_ratio",
            "Share of requests that the canary gets; 0 without canary.",
            ("namespace", "name"),
            [_weight(one) for one in found],
        ),
        GaugeFamily(
            "serinus_analysis_evidence_ratio",
            "Evidence that the canary does harm; from 1 on it is rolled back.",
            ("namespace", "name", "metric"),
            [value for one in found for value in _evidence(one)],
        ),
    )


def _parsed(body: JsonObject) -> Deployment | None:
    try:
        return Deployment.model_validate(body)
    except ValidationError:
        return None


def _weight(one: Deployment) -> LabelledValue:
    percent = one.status.canary.actual_weight if one.status.canary else 0
    return LabelledValue((one.metadata.namespace, one.metadata.name), percent / 100)


def _evidence(one: Deployment) -> Iterator[LabelledValue]:
    if one.status.canary is None:
        return
    for metric in one.status.analysis:
        value = _number(metric)
        if value is not None:
            labels = (one.metadata.namespace, one.metadata.name, metric.metric)
            yield LabelledValue(labels, value)


def _number(metric: MetricStatus) -> float | None:
    try:
        return float(metric.evidence) if metric.evidence is not None else None
    except ValueError:
        return None
