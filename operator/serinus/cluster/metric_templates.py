"""Read the library of metrics: labelled ConfigMaps, on demand.

They aren't watched. A Deployment needs them where it refers to a template and no rollout of it
runs, which is seldom; what a rollout goes by is in its frozen rules. So a change in the library
wakes nobody, costs no memory, and a slow API server can't hold up a rollout that runs.
"""

from __future__ import annotations

from dataclasses import dataclass

from serinus.api.metric_template import TEMPLATES_LABEL
from serinus.cluster.errors import KubeError, NotFound
from serinus.cluster.ports import Clock, Kube
from serinus.cluster.resources import Resource
from serinus.cluster.store import ref_of
from serinus.reconcile.decision import JsonObject, ObjectRef
from serinus.reconcile.json_values import objects_at, value_at
from serinus.reconcile.snapshot import TemplateMap, TemplatesSeen

READ_ANEW_AFTER_SECONDS = 5.0
"""All Deployments that are looked at within this time share what was read of a namespace."""
MAPS_MAX = 32
"""Labelled ConfigMaps of one namespace."""
_LABELLED = Resource("v1", "ConfigMap", "configmaps", f"{TEMPLATES_LABEL}=true")


@dataclass(frozen=True, slots=True)
class _Read:
    at: float
    maps: tuple[TemplateMap, ...] = ()
    problem: str | None = None


class MetricTemplates:
    """The templates of all namespaces; `shared_namespace` is the operator's."""

    def __init__(self, kube: Kube, clock: Clock, *, shared_namespace: str) -> None:
        self._kube = kube
        self._clock = clock
        self._shared_namespace = shared_namespace
        self._read: dict[str, _Read] = {}

    async def seen(self, resource: JsonObject) -> TemplatesSeen | None:
        """What there is for the Deployment; None where it needs none. It raises nothing."""
        if not _needs_templates(resource):
            return None
        namespace = ref_of(resource).namespace
        own = await self._of(namespace)
        shared = _Read(own.at)
        if namespace != self._shared_namespace:
            shared = await self._of(self._shared_namespace)
        return TemplatesSeen(own.maps, shared.maps, own.problem or shared.problem)

    async def _of(self, namespace: str) -> _Read:
        now = self._clock.monotonic()
        self._read = {
            name: read
            for name, read in self._read.items()
            if now - read.at < READ_ANEW_AFTER_SECONDS
        }
        if namespace not in self._read:
            self._read[namespace] = await self._read_now(namespace, now)
        return self._read[namespace]

    async def _read_now(self, namespace: str, now: float) -> _Read:
        try:
            listed = await self._kube.list_metadata(_LABELLED, namespace)
            names = sorted(one["metadata"]["name"] for one in listed)
            if len(names) > MAPS_MAX:
                problem = (
                    f"namespace `{namespace}` has {len(names)} ConfigMaps with the label "
                    f"{TEMPLATES_LABEL}; at most {MAPS_MAX} are read"
                )
                return _Read(now, problem=problem)
            found = [await self._map(namespace, name) for name in names]
        except KubeError as error:
            problem = (
                f"the ConfigMaps with the label {TEMPLATES_LABEL} in namespace `{namespace}` can't "
                f"be read ({error.reason}: {error.message[:300]}); it is tried again"
            )
            return _Read(now, problem=problem)
        return _Read(now, tuple(one for one in found if one is not None))

    async def _map(self, namespace: str, name: str) -> TemplateMap | None:
        try:
            body = await self._kube.get(ObjectRef("v1", "ConfigMap", namespace, name))
        except NotFound:
            return None  # it went since it was listed
        return TemplateMap(namespace, name, dict(body.get("data") or {}))


def _needs_templates(resource: JsonObject) -> bool:
    if value_at(resource, "status", "canary") is not None:
        return False
    metrics = objects_at(resource, "spec", "analysis", "metrics")
    return any(value_at(one, "templateRef") is not None for one in metrics)
