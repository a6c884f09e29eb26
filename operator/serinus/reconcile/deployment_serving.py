"""Which revisions serve by a status, for the record: what traffic is set to from then on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serinus.api.deployment_status import DeploymentStatus
from serinus.reconcile.deployment_picture import Picture
from serinus.rollout.weights import Router

_Json = dict[str, Any]


def serving(picture: Picture, status: DeploymentStatus) -> _Json:
    """What traffic is set to by `status`; empty where nothing serves."""
    stable, canary = status.stable, status.canary
    found: _Json = {}
    if picture.replicas == 0:
        return found
    if stable is not None:
        found["stable"] = _revision(picture, stable.revision, stable.model_version)
    weight = _canary_weight(picture, status)
    if canary is not None and weight is not None:
        found["canary"] = {
            **_revision(picture, canary.revision, canary.model_version),
            "weight": weight,
        }
    return found


def _canary_weight(picture: Picture, status: DeploymentStatus) -> int | None:
    """Percent of requests that the canary is given; None where it is given none.

    A Gateway is set to the percent. Pods give what their number comes to, which an autoscaler
    moves all the time: there it is the step's.
    """
    stable, canary = status.stable, status.canary
    if canary is not None and canary.ab_test is not None and canary.traffic_started_at:
        return canary.ab_test.share_percent
    if canary is None or (stable is not None and canary.is_hidden):
        return None
    if stable is None:
        return canary.weight
    if picture.router is Router.GATEWAY_API:
        return canary.actual_weight or None
    return canary.weight if canary.traffic_started_at is not None else None


def in_words(served: Mapping[str, Any]) -> str:
    """`stable 1f2e3d (v1), canary 9a8b7c (v2) at 20 %`; empty where nothing serves."""
    words = []
    for role, one in served.items():
        share = f" at {one['weight']} %" if "weight" in one else ""
        words.append(f"{role} {one['revision']} ({one['modelVersion']}){share}")
    return ", ".join(words)


def _revision(picture: Picture, revision: str, model_version: str) -> _Json:
    return {
        "revision": revision,
        "modelVersion": model_version,
        "modelDigest": digest_of(picture, revision),
    }


def digest_of(picture: Picture, revision: str) -> str:
    """Digest of the revision's model; empty where its record is gone."""
    record = picture.record(revision)
    return str(record.inputs.get("modelDigest", "")) if record else ""
