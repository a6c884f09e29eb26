"""What is observed of a Deployment's HTTPRoute and of what Gateways say about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from serinus.api.traffic import GatewayTraffic, ParentReference
from serinus.manifests.naming import route_name
from serinus.manifests.route import (
    API_VERSION,
    KIND,
    RouteLists,
    our_rule_index,
    own_services,
)
from serinus.reconcile.decision import JsonObject, ObjectRef
from serinus.reconcile.snapshot import Children, controller_uid

_NEEDED = ("Accepted", "ResolvedRefs")
_SHOWN = 300


@dataclass(frozen=True, slots=True)
class RouteFacts:
    """The route as observed.

    Attributes
    ----------
    weights
        Those of the rule `serinus`, by the name of the Service.
    services
        Services of the Deployment that any rule leads to.
    parents
        What Gateways say, as stored.
    """

    resource_version: str
    generation: int
    lists: RouteLists
    weights: Mapping[str, int]
    services: frozenset[str]
    parents: Sequence[Mapping[str, Any]]


def route_ref(name: str, namespace: str) -> ObjectRef:
    """Where a Deployment's route is."""
    return ObjectRef(API_VERSION, KIND, namespace, route_name(name))


def observed_route(children: Children, *, name: str, namespace: str, uid: str) -> RouteFacts | None:
    """The route of the Deployment `name`; None where there is none of ours."""
    body = children.get(route_ref(name, namespace))
    if body is None or controller_uid(body) != uid:
        return None
    spec = body.get("spec") or {}
    rules = spec.get("rules") or ()
    services = own_services(name, rules)
    ours = our_rule_index(rules, services)
    backends = (rules[ours].get("backendRefs") or ()) if ours is not None else ()
    return RouteFacts(
        resource_version=body["metadata"].get("resourceVersion", ""),
        generation=body["metadata"].get("generation", 0),
        lists=RouteLists(spec.get("parentRefs") or (), spec.get("hostnames") or (), rules),
        weights={str(one["name"]): one.get("weight", 1) for one in backends},
        services=services,
        parents=(body.get("status") or {}).get("parents") or (),
    )


def refusal(route: RouteFacts, gateway: GatewayTraffic, namespace: str) -> str | None:
    """Which Gateway doesn't send requests as the route says, and what it says; None: all do."""
    return next(_refusals(route, gateway, namespace), None)


def is_taken_in(route: RouteFacts) -> bool:
    """Whether what Gateways say is of the route as it is now."""
    return all(
        condition.get("observedGeneration", route.generation) >= route.generation
        for parent in route.parents
        for condition in parent.get("conditions") or ()
        if condition.get("type") in _NEEDED
    )


def _refusals(route: RouteFacts, gateway: GatewayTraffic, namespace: str) -> Iterator[str]:
    for reference in gateway.parent_refs:
        shown = f"Gateway `{reference.name}` in namespace `{reference.namespace or namespace}`"
        said = [
            parent for parent in route.parents if _is_about(parent, reference, namespace=namespace)
        ]
        if not said:
            yield f"{shown} says nothing of the HTTPRoute; is there one of that name, and at work?"
        for parent in said:
            yield from (f"{shown} {problem}" for problem in _problems(parent))


def _problems(parent: Mapping[str, Any]) -> Iterator[str]:
    conditions: dict[str, JsonObject] = {
        str(one.get("type")): one for one in parent.get("conditions") or ()
    }
    for type_ in _NEEDED:
        found = conditions.get(type_)
        if found is None:
            yield f"doesn't say whether it has {type_} for the HTTPRoute"
        elif found.get("status") != "True":
            message = str(found.get("message", ""))[:_SHOWN]
            yield f"doesn't take the HTTPRoute: {type_}, {found.get('reason', '')}: {message}"


def _is_about(parent: Mapping[str, Any], asked: ParentReference, *, namespace: str) -> bool:
    reference = parent.get("parentRef") or {}
    return (
        reference.get("name") == asked.name
        and reference.get("namespace", namespace) == (asked.namespace or namespace)
        and reference.get("sectionName") == asked.section_name
    )
