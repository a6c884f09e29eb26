"""What Gateways say of a route."""

from typing import Any

import pytest

from serinus.api.traffic import GatewayTraffic
from serinus.manifests.route import RouteLists
from serinus.reconcile.deployment_route import RouteFacts, is_taken_in, refusal

GATEWAY = GatewayTraffic.model_validate({"parentRefs": [{"name": "public", "namespace": "infra"}]})


def condition(type_: str, status: str = "True", **more: Any) -> dict[str, Any]:
    return {"type": type_, "status": status, "reason": more.pop("reason", type_)} | more


def route(
    *conditions: dict[str, Any], parent: dict[str, str] | None = None, generation: int = 3
) -> RouteFacts:
    reference = parent or {"name": "public", "namespace": "infra"}
    parents = [{"parentRef": reference, "conditions": list(conditions)}] if conditions else []
    return RouteFacts("1", generation, RouteLists(), {}, frozenset(), parents)


TAKEN = (condition("Accepted"), condition("ResolvedRefs"))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (route(), "says nothing of the HTTPRoute"),
        (route(*TAKEN, parent={"name": "public"}), "says nothing of the HTTPRoute"),
        (
            route(condition("Accepted", "False", reason="NotAllowed", message="no"), TAKEN[1]),
            "Accepted, NotAllowed: no",
        ),
        (
            route(TAKEN[0], condition("ResolvedRefs", "False", reason="BackendNotFound")),
            "ResolvedRefs, BackendNotFound",
        ),
        (route(TAKEN[0]), "doesn't say whether it has ResolvedRefs"),
    ],
)
def test_the_gateway_and_what_it_says_are_named(given: RouteFacts, says: str) -> None:
    found = refusal(given, GATEWAY, "flights")

    assert found is not None
    assert "Gateway `public` in namespace `infra`" in found
    assert says in found


def test_a_route_that_is_taken_has_no_problem() -> None:
    assert refusal(route(*TAKEN), GATEWAY, "flights") is None


def test_what_is_said_of_an_older_route_does_not_count_for_this_one() -> None:
    of_before = [one | {"observedGeneration": 2} for one in TAKEN]
    of_now = [one | {"observedGeneration": 3} for one in TAKEN]

    assert not is_taken_in(route(*of_before))
    assert is_taken_in(route(*of_now))
    assert is_taken_in(route(*TAKEN))
