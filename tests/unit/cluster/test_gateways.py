"""What Gateways can is asked where it matters, and an answer that doesn't come is an answer."""

from typing import Any

from serinus.cluster.errors import Forbidden
from serinus.cluster.gateways import Gateways
from serinus.reconcile.snapshot import GatewaySeen
from tests.support.fake_kube import FakeKube, Fault

API = "gateway.networking.k8s.io/v1"
MIRRORS = "HTTPRouteRequestMirror"


def gateway(name: str, namespace: str, of_class: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace}
    spec = {"gatewayClassName": of_class}
    return {"apiVersion": API, "kind": "Gateway", "metadata": metadata, "spec": spec}


def gateway_class(name: str, *features: Any) -> dict[str, Any]:
    return {
        "apiVersion": API,
        "kind": "GatewayClass",
        "metadata": {"name": name, "namespace": ""},
        "status": {"supportedFeatures": list(features)},
    }


def deployment(*parents: dict[str, Any], shadow: bool = True) -> dict[str, Any]:
    return {
        "apiVersion": "serinus.dev/v1alpha1",
        "kind": "Deployment",
        "metadata": {"name": "delay", "namespace": "flights"},
        "spec": {"traffic": {"gatewayAPI": {"parentRefs": list(parents)}}},
        "status": {"canary": {"shadow": {}} if shadow else {}},
    }


def cluster(*bodies: dict[str, Any]) -> FakeKube:
    kube = FakeKube()
    for body in bodies:
        kube.put(body)
    return kube


async def test_each_gateway_is_known_by_what_its_class_says() -> None:
    kube = cluster(
        gateway("public", "flights", "example"),
        gateway("inner", "infra", "older"),
        gateway_class("example", {"name": MIRRORS}, {"name": "HTTPRouteRequestMultipleMirrors"}),
        gateway_class("older", MIRRORS),
    )

    seen = await Gateways(kube).seen(
        deployment({"name": "public"}, {"name": "inner", "namespace": "infra"})
    )

    both = frozenset({MIRRORS, "HTTPRouteRequestMultipleMirrors"})
    assert seen == (
        GatewaySeen("flights", "public", "example", both),
        GatewaySeen("infra", "inner", "older", frozenset({MIRRORS})),
    )


async def test_a_gateway_with_two_listeners_is_asked_for_once() -> None:
    kube = cluster(gateway("public", "flights", "example"), gateway_class("example"))
    listeners = [{"name": "public", "sectionName": name} for name in ("http", "https")]

    seen = await Gateways(kube).seen(deployment(*listeners))

    assert seen == (GatewaySeen("flights", "public", "example"),)


async def test_a_class_that_says_nothing_can_nothing() -> None:
    silent = gateway_class("example")
    del silent["status"]
    kube = cluster(gateway("public", "flights", "example"), silent)

    assert await Gateways(kube).seen(deployment({"name": "public"})) == (
        GatewaySeen("flights", "public", "example"),
    )


async def test_what_is_missing_is_named() -> None:
    without_class = cluster(gateway("public", "flights", "example"))
    nameless = gateway("public", "flights", "")

    for kube in (FakeKube(), without_class, cluster(nameless)):
        seen = await Gateways(kube).seen(deployment({"name": "public"}))
        assert seen is not None
        assert seen[0].problem
        assert seen[0].features == frozenset()


async def test_without_the_right_to_look_it_says_so() -> None:
    kube = cluster(gateway("public", "flights", "example"), gateway_class("example"))
    refused = Forbidden("GET Gateway", code=403, reason="Forbidden", message="may not")
    kube.faults.append(Fault("get", refused))

    seen = await Gateways(kube).seen(deployment({"name": "public"}))

    assert seen is not None
    assert seen[0].problem == "GET Gateway: Forbidden: may not"


async def test_where_no_shadow_runs_nobody_is_asked() -> None:
    assert await Gateways(FakeKube()).seen(deployment({"name": "public"}, shadow=False)) is None
