"""A route that mirrors, as the Gateway API takes it and as it is taken back."""

from typing import Any

import pytest

from serinus.api.traffic import GatewayTraffic
from serinus.cluster.coverage import covers
from serinus.manifests.route import Mirror, lists_asked_for, make_route
from tests.support.api_server import ApiServer

CANARY = "delay-00000000aa"
GATEWAY = GatewayTraffic.model_validate({"parentRefs": [{"name": "public"}]})


def route(namespace: str, rules: list[dict[str, Any]], mirror: Mirror | None) -> dict[str, Any]:
    lists = lists_asked_for(GATEWAY, rules)
    return make_route("delay", namespace, lists=lists, weights={"delay": 100}, mirror=mirror)


def routes(namespace: str) -> str:
    return f"/apis/gateway.networking.k8s.io/v1/namespaces/{namespace}/httproutes"


@pytest.mark.parametrize("percent", [None, 20])
def test_the_filter_comes_goes_and_needs_no_second_write(
    api_server: ApiServer, namespace: str, percent: int | None
) -> None:
    wanted = route(namespace, [], Mirror(CANARY, percent))

    stored = api_server.post(routes(namespace), wanted)
    without = route(namespace, stored.body["spec"]["rules"], None)
    told = api_server.patch(f"{routes(namespace)}/delay", {"spec": without["spec"]})

    assert stored.accepted, stored.message
    assert covers(stored.body, wanted)
    assert not covers(stored.body, without)
    assert told.accepted, told.message
    assert covers(told.body, route(namespace, told.body["spec"]["rules"], None))
    assert not told.body["spec"]["rules"][0].get("filters")
