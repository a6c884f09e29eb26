"""Whether there are values in which a Deployment's server may look."""

from __future__ import annotations

from collections.abc import Mapping

from serinus.api.deployment import DeploymentSpec
from serinus.reconcile.decision import JsonObject
from serinus.reconcile.json_values import value_at


def online_missing(spec: DeploymentSpec, feature_sets: Mapping[str, JsonObject]) -> str | None:
    """Which FeatureSet of the spec has no newest values yet; None where all have, or none is named.

    `feature_sets` are those that exist, by name.
    """
    for position, named in enumerate(spec.server.online_features if spec.server else ()):
        name = named.feature_set_ref.name
        if why := _missing(name, feature_sets.get(name)):
            return f"spec.server.onlineFeatures[{position}]: {why}; what serves goes on"
    return None


def _missing(name: str, feature_set: JsonObject | None) -> str | None:
    if feature_set is None:
        return f"FeatureSet `{name}` doesn't exist in this namespace; waits until it does"
    if value_at(feature_set, "status", "latestSnapshot", "onlineEntities") is not None:
        return None
    online = value_at(feature_set, "spec", "online")
    if online is None or value_at(online, "enabled") is False:
        return (
            f"FeatureSet `{name}` keeps no newest values. Set its `spec.online`; the rollout "
            "begins once its next run has written them"
        )
    return f"waits until a run of FeatureSet `{name}` has written its newest values"
