"""Ask what Gateways can do: which GatewayClass they are of, and what that says of itself.

They aren't watched: it matters only while a Gateway has to mirror requests to a shadow.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serinus.cluster.errors import KubeError
from serinus.cluster.ports import Kube
from serinus.cluster.resources import GATEWAY, GATEWAY_CLASS
from serinus.cluster.store import ref_of
from serinus.reconcile.decision import JsonObject, ObjectRef
from serinus.reconcile.json_values import objects_at, text_at, value_at
from serinus.reconcile.snapshot import GatewaySeen

_SHOWN = 300


class Gateways:
    """The Gateways that a Deployment's route is attached to."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube

    async def seen(self, resource: JsonObject) -> tuple[GatewaySeen, ...] | None:
        """What each of them can do; None where nobody needs to know. It raises nothing."""
        if value_at(resource, "status", "canary", "shadow") is None:
            return None
        references = objects_at(resource, "spec", "traffic", "gatewayAPI", "parentRefs")
        own = ref_of(resource).namespace
        named = dict.fromkeys(
            (text_at(one, "namespace") or own, name)
            for one in references
            if (name := text_at(one, "name"))
        )
        return tuple([await self._seen(namespace, name) for namespace, name in named])

    async def _seen(self, namespace: str, name: str) -> GatewaySeen:
        try:
            gateway = await self._kube.get(
                ObjectRef(GATEWAY.api_version, GATEWAY.kind, namespace, name)
            )
            class_name = text_at(gateway, "spec", "gatewayClassName")
            if not class_name:
                return GatewaySeen(namespace, name, problem="it names no GatewayClass")
            found = await self._kube.get(
                ObjectRef(GATEWAY_CLASS.api_version, GATEWAY_CLASS.kind, "", class_name)
            )
        except KubeError as error:
            problem = f"{error.request}: {error.reason}: {error.message[:_SHOWN]}"
            return GatewaySeen(namespace, name, problem=problem)
        return GatewaySeen(namespace, name, class_name, _features(found))


def _features(gateway_class: Mapping[str, Any]) -> frozenset[str]:
    """Names of the supported features; older versions of the Gateway API list them as texts."""
    listed = value_at(gateway_class, "status", "supportedFeatures")
    items = listed if isinstance(listed, list) else []
    names = (one.get("name") if isinstance(one, Mapping) else one for one in items)
    return frozenset(name for name in names if isinstance(name, str))
