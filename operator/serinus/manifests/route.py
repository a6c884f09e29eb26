"""The HTTPRoute of a Deployment: by its weights a Gateway splits the requests, and mirrors them.

Lists in an HTTPRoute are replaced as a whole, so what people and other tools added to it is part of
what is written: their rules, and in the rule `serinus` their matches, filters and timeouts. Ours
are the backends of that rule, a filter that mirrors to one of our revisions, and with a gateway in
the spec `parentRefs` and `hostnames`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from serinus.api.enums import Kind
from serinus.api.traffic import GatewayTraffic
from serinus.manifests.naming import owner_labels, route_name
from serinus.manifests.service import SERVICE_PORT

JsonObject = dict[str, Any]

API_VERSION = "gateway.networking.k8s.io/v1"
KIND = "HTTPRoute"
RULE_NAME = "serinus"
MIRROR_FILTER = "RequestMirror"
_REVISION = re.compile("[0-9a-f]{10}")
_ALL_PATHS = [{"path": {"type": "PathPrefix", "value": "/"}}]


@dataclass(frozen=True, slots=True)
class RouteLists:
    """The lists of an HTTPRoute's spec, as stored."""

    parent_refs: Sequence[Mapping[str, Any]] = ()
    hostnames: Sequence[str] = ()
    rules: Sequence[Mapping[str, Any]] = field(default=())


@dataclass(frozen=True, slots=True)
class Mirror:
    """Where requests go, too, whose answers nobody gets; `percent` is None for all of them."""

    service: str
    percent: int | None


def lists_asked_for(gateway: GatewayTraffic, rules: Sequence[Mapping[str, Any]]) -> RouteLists:
    """What the spec says, with the `rules` that are there."""
    asked = gateway.model_dump(mode="json", by_alias=True, exclude_none=True)
    return RouteLists(asked["parentRefs"], asked.get("hostnames", ()), rules)


def make_route(
    deployment: str,
    namespace: str,
    *,
    lists: RouteLists,
    weights: Mapping[str, int],
    mirror: Mirror | None = None,
) -> JsonObject:
    """The route; `weights` are those of Services by name and sum to what they like."""
    ours = our_rule_index(lists.rules, own_services(deployment, lists.rules))
    rules = [dict(rule) for rule in lists.rules]
    if ours is None:
        ours = 0
        rules.insert(0, {"matches": _ALL_PATHS})
    filters = _filters(deployment, rules[ours].get("filters") or (), mirror)
    rules[ours] = _rule(rules[ours], weights)
    if filters or "filters" in rules[ours]:
        rules[ours]["filters"] = filters
    spec: JsonObject = {"parentRefs": list(lists.parent_refs), "rules": rules}
    if lists.hostnames:
        spec["hostnames"] = list(lists.hostnames)
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {
            "name": route_name(deployment),
            "namespace": namespace,
            "labels": owner_labels(Kind.DEPLOYMENT, deployment),
        },
        "spec": spec,
    }


def our_rule_index(rules: Sequence[Mapping[str, Any]], services: frozenset[str]) -> int | None:
    """Place of the rule `serinus`; None where there is none.

    A server that doesn't know names of rules drops them: there it is the first that has no name
    and leads to `services`, the Deployment's own, and to nothing else.
    """
    for index, rule in enumerate(rules):
        if rule.get("name") == RULE_NAME:
            return index
    for index, rule in enumerate(rules):
        names = {backend.get("name") for backend in rule.get("backendRefs") or ()}
        if "name" not in rule and names and names <= services:
            return index
    return None


def own_services(deployment: str, rules: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """Services of the Deployment that a rule leads to: its own and those of its revisions."""
    named = {str(one.get("name")) for rule in rules for one in rule.get("backendRefs") or ()}
    return frozenset(
        name for name in named if name == deployment or name.startswith(f"{deployment}-")
    )


def other_mirrors(deployment: str, rules: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Services to which people let the rule `serinus` mirror."""
    ours = our_rule_index(rules, own_services(deployment, rules))
    filters = rules[ours].get("filters") or () if ours is not None else ()
    return tuple(
        str(_mirrored_to(one).get("name"))
        for one in filters
        if _mirrored_to(one) and not _is_ours(deployment, one)
    )


def _filters(
    deployment: str, there: Sequence[Mapping[str, Any]], mirror: Mirror | None
) -> list[JsonObject]:
    """Those of people, as they are, and ours last."""
    kept = [dict(one) for one in there if not _is_ours(deployment, one)]
    if mirror is None:
        return kept
    told: JsonObject = {"backendRef": {"name": mirror.service, "port": SERVICE_PORT}}
    if mirror.percent is not None:
        told["percent"] = mirror.percent
    return [*kept, {"type": MIRROR_FILTER, "requestMirror": told}]


def _is_ours(deployment: str, one: Mapping[str, Any]) -> bool:
    """Whether the filter mirrors to one of the Deployment's revisions, which only we let it."""
    backend = _mirrored_to(one)
    name, namespace = str(backend.get("name", "")), backend.get("namespace")
    revision = name.removeprefix(f"{deployment}-")
    return namespace is None and name != revision and _REVISION.fullmatch(revision) is not None


def _mirrored_to(one: Mapping[str, Any]) -> Mapping[str, Any]:
    backend: Mapping[str, Any] = (one.get("requestMirror") or {}).get("backendRef") or {}
    return backend


def _rule(rule: Mapping[str, Any], weights: Mapping[str, int]) -> JsonObject:
    """The rule with these backends; filters that people gave one of them stay."""
    before = {backend.get("name"): backend for backend in rule.get("backendRefs") or ()}
    backends = [
        {**before.get(name, {}), "name": name, "port": SERVICE_PORT, "weight": weight}
        for name, weight in weights.items()
    ]
    return {**rule, "name": RULE_NAME, "backendRefs": backends}
