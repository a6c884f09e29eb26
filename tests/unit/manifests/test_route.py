"""The HTTPRoute: our backends in our rule, and all else as it is."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from serinus.api.traffic import GatewayTraffic
from serinus.manifests.route import (
    Mirror,
    RouteLists,
    lists_asked_for,
    make_route,
    other_mirrors,
    our_rule_index,
    own_services,
)
from serinus.manifests.service import make_revision_service

GATEWAY = GatewayTraffic.model_validate(
    {
        "parentRefs": [{"name": "public", "namespace": "infra", "sectionName": "https"}],
        "hostnames": ["delay.example.org"],
    }
)
WEIGHTS = {"delay-aaaa": 80, "delay-bbbb": 20}


def made(rules: list[dict[str, Any]], weights: dict[str, int] = WEIGHTS) -> list[dict[str, Any]]:
    """Rules of the route that follows `rules`."""
    lists = lists_asked_for(GATEWAY, rules)
    rules_made: list[dict[str, Any]] = make_route("delay", "flights", lists=lists, weights=weights)[
        "spec"
    ]["rules"]
    return rules_made


def test_the_route_is_what_was_reviewed(golden: Callable[[str, str], None]) -> None:
    lists = lists_asked_for(GATEWAY, [])
    body = make_route("delay", "flights", lists=lists, weights=WEIGHTS)

    golden("manifests/route.json", json.dumps(body, indent=2, sort_keys=True) + "\n")


def test_the_service_of_a_revision_is_what_was_reviewed(golden: Callable[[str, str], None]) -> None:
    body = make_revision_service("delay", "flights", "c0ffee0000")

    golden("manifests/service-revision.json", json.dumps(body, indent=2, sort_keys=True) + "\n")


def test_filters_of_a_backend_stay_with_it_and_strangers_in_our_rule_go() -> None:
    filters = [{"type": "ResponseHeaderModifier"}]
    before = [
        {"name": "delay-aaaa", "port": 80, "weight": 100, "filters": filters},
        {"name": "other", "port": 80, "weight": 5},
    ]

    (rule,) = made([{"name": "serinus", "backendRefs": before}])

    assert [one["name"] for one in rule["backendRefs"]] == ["delay-aaaa", "delay-bbbb"]
    assert rule["backendRefs"][0]["filters"] == filters


def test_our_rule_is_found_again_where_the_server_drops_names_of_rules() -> None:
    theirs = {"backendRefs": [{"name": "shop"}]}
    ours = {"backendRefs": [{"name": "delay-aaaa", "weight": 100}]}
    services = own_services("delay", [theirs, ours])

    assert our_rule_index([theirs, ours], services) == 1
    assert len(made([theirs, ours])) == 2


def test_a_rule_of_people_that_leads_to_a_revision_is_not_taken_for_ours() -> None:
    theirs = {"name": "preview", "backendRefs": [{"name": "delay-bbbb"}]}

    rules = made([theirs])

    assert rules[1] == theirs
    assert rules[0]["name"] == "serinus"


def test_nothing_that_is_stored_is_changed_in_place() -> None:
    stored = [{"name": "serinus", "backendRefs": [{"name": "delay-aaaa", "weight": 100}]}]
    before = json.dumps(stored)

    make_route("delay", "flights", lists=RouteLists((), (), stored), weights=WEIGHTS)

    assert json.dumps(stored) == before


CANARY, FORMER = "delay-00000000aa", "delay-00000000bb"


def mirror_to(name: str, **more: Any) -> dict[str, Any]:
    backend = {"name": name, "port": 80}
    return {"type": "RequestMirror", "requestMirror": {"backendRef": backend, **more}}


def filters_beside(*there: dict[str, Any], mirror: Mirror | None) -> list[dict[str, Any]]:
    lists = lists_asked_for(GATEWAY, [{"name": "serinus", "filters": list(there)}])
    body = make_route("delay", "flights", lists=lists, weights=WEIGHTS, mirror=mirror)
    found: list[dict[str, Any]] = body["spec"]["rules"][0]["filters"]
    return found


def test_our_filter_comes_last_and_the_former_one_goes() -> None:
    header = {"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["x"]}}

    found = filters_beside(mirror_to(FORMER), header, mirror=Mirror(CANARY, 20))

    assert found == [header, mirror_to(CANARY, percent=20)]


def test_without_a_shadow_our_filter_is_taken_out_and_the_list_stays_to_say_so() -> None:
    assert filters_beside(mirror_to(CANARY), mirror=None) == []


@pytest.mark.parametrize(
    "name", ["audit", "delay", "delay-audit", "delay-00000000aa-x", "other-00000000aa"]
)
def test_a_mirror_of_people_is_not_ours(name: str) -> None:
    assert filters_beside(mirror_to(name), mirror=None) == [mirror_to(name)]
    rules = [{"name": "serinus", "filters": [mirror_to(name), mirror_to(CANARY)]}]
    assert other_mirrors("delay", rules) == (name,)


def test_a_mirror_into_another_namespace_is_not_ours() -> None:
    theirs = mirror_to(CANARY)
    theirs["requestMirror"]["backendRef"]["namespace"] = "elsewhere"

    assert filters_beside(theirs, mirror=None) == [theirs]


def test_a_route_without_filters_gets_no_list_of_them() -> None:
    (rule,) = made([{"name": "serinus"}])

    assert "filters" not in rule
