"""The HorizontalPodAutoscaler of a Deployment: always on stable's workload, never on a canary's."""

from __future__ import annotations

from typing import Any

from serinus.api.autoscaling import Autoscaling
from serinus.api.enums import Kind
from serinus.manifests.naming import autoscaler_name, owner_labels, revision_object_name

JsonObject = dict[str, Any]

API_VERSION = "autoscaling/v2"
KIND = "HorizontalPodAutoscaler"


def make_autoscaler(
    deployment: str,
    namespace: str,
    *,
    revision: str,
    autoscaling: Autoscaling,
    min_replicas: int,
) -> JsonObject:
    """The autoscaler on the workload of `revision`.

    `min_replicas` stands in place of the spec's, because stable may not shrink while others take a
    part of its load; where a canary's cap asks for it, it is above the spec's `maxReplicas`.
    """
    asked = autoscaling.model_dump(mode="json", by_alias=True, exclude_none=True)
    spec: JsonObject = {
        "scaleTargetRef": {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": revision_object_name(deployment, revision),
        },
        "minReplicas": min_replicas,
        "maxReplicas": max(min_replicas, autoscaling.max_replicas),
    }
    if autoscaling.metrics:
        spec["metrics"] = asked["metrics"]
    if autoscaling.behavior is not None:
        spec["behavior"] = asked["behavior"]
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {
            "name": autoscaler_name(deployment),
            "namespace": namespace,
            "labels": owner_labels(Kind.DEPLOYMENT, deployment),
        },
        "spec": spec,
    }
