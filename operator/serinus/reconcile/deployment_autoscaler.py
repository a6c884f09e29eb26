"""What is observed of a Deployment's autoscaler, and of the load that it sees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from serinus.api.autoscaling import Autoscaling
from serinus.api.quantities import parse_quantity
from serinus.manifests import autoscaler
from serinus.manifests.naming import autoscaler_name
from serinus.reconcile.decision import JsonObject, ObjectRef
from serinus.reconcile.snapshot import Children, controller_uid

DEFAULT_MIN_REPLICAS = 1
_PER_POD = {"Resource": "resource", "ContainerResource": "containerResource", "Pods": "pods"}
"""Metrics that are an average over stable's pods; others speak of the whole load already."""
_SHOWN = 300


@dataclass(frozen=True, slots=True)
class AutoscalerFacts:
    """The HorizontalPodAutoscaler as observed.

    Attributes
    ----------
    load_ratio
        Load of a pod over its target, the highest of all metrics of pods; None: not known.
    blind
        Why it can't read its metrics, as it says itself; None when it can.
    """

    ref: ObjectRef
    uid: str
    load_ratio: float | None
    blind: str | None


def pods_within(autoscaling: Autoscaling, pods: int, *, floor: int) -> int:
    """`pods` within the limits of the spec and above the floor, which is below the maximum."""
    most = autoscaling.max_replicas
    return min(max(pods, floor, min_replicas(autoscaling)), most)


def min_replicas(autoscaling: Autoscaling) -> int:
    """Fewest pods that the spec allows."""
    return DEFAULT_MIN_REPLICAS if autoscaling.min_replicas is None else autoscaling.min_replicas


def autoscaler_ref(name: str, namespace: str) -> ObjectRef:
    """Which object the autoscaler of the Deployment `name` is."""
    return ObjectRef(autoscaler.API_VERSION, autoscaler.KIND, namespace, autoscaler_name(name))


def observed_autoscaler(
    children: Children, *, name: str, namespace: str, uid: str
) -> AutoscalerFacts | None:
    """Facts about our autoscaler; None where there is none, or a foreign one."""
    ref = autoscaler_ref(name, namespace)
    body = children.get(ref)
    if body is None or controller_uid(body) != uid:
        return None
    return AutoscalerFacts(
        ref=ref,
        uid=body["metadata"].get("uid", ""),
        load_ratio=max(_load_ratios(body), default=None),
        blind=_blind(body),
    )


def _load_ratios(body: JsonObject) -> Iterator[float]:
    current = {
        _metric(one): one.get("current", {})
        for one in _sources(body.get("status"), "currentMetrics")
    }
    for asked in _sources(body.get("spec"), "metrics"):
        ratio = _ratio(current.get(_metric(asked), {}), asked.get("target", {}))
        if ratio is not None:
            yield ratio


def _sources(part: Any, key: str) -> Iterator[Mapping[str, Any]]:
    """The sources of metrics that are averages over pods."""
    for metric in (part or {}).get(key) or ():
        source = metric.get(_PER_POD.get(metric.get("type", ""), ""))
        if source:
            yield source


def _metric(source: Mapping[str, Any]) -> tuple[str, str]:
    name = source.get("name") or source.get("metric", {}).get("name", "")
    return name, source.get("container", "")


def _ratio(current: Mapping[str, Any], target: Mapping[str, Any]) -> float | None:
    """Measured over wanted, in percent of requests or as an amount a pod."""
    utilization, wanted = current.get("averageUtilization"), target.get("averageUtilization")
    if utilization is not None and wanted:
        return float(utilization) / float(wanted)
    try:
        amount = parse_quantity(current.get("averageValue", ""))
        return float(amount / parse_quantity(target.get("averageValue", "")))
    except (ValueError, ArithmeticError):
        return None


def _blind(body: JsonObject) -> str | None:
    for condition in body.get("status", {}).get("conditions") or ():
        if condition.get("type") == "ScalingActive" and condition.get("status") == "False":
            return str(condition.get("message", condition.get("reason", "")))[:_SHOWN]
    return None
