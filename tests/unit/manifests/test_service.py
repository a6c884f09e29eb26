"""The Services: two forms of a selector, the memory of who is stable, and the list of pods."""

import json
from collections.abc import Callable

from serinus.manifests.service import (
    grpc_ports,
    make_ab_test_service,
    make_feedback_service,
    make_preview_service,
    make_revision_service,
    make_service,
    make_shadow_service,
    pinned_selector,
    service_url,
    split_selector,
)
from serinus.manifests.workload import revision_labels


def test_the_service_is_what_was_reviewed(golden: Callable[[str, str], None]) -> None:
    service = make_service(
        "delay", "flights", selector=pinned_selector("delay", "c0ffee0000"), stable="c0ffee0000"
    )

    golden("manifests/service.json", json.dumps(service, indent=2, sort_keys=True) + "\n")


def test_the_preview_shows_one_revision_by_a_port_that_nobody_scrapes() -> None:
    service = make_preview_service("delay", "flights", revision="c0ffee0000")

    (port,) = service["spec"]["ports"]
    assert service["metadata"]["name"] == "delay-preview"
    assert service["spec"]["selector"] == pinned_selector("delay", "c0ffee0000")
    assert (port["name"], port["port"], port["targetPort"]) == ("preview", 80, "http")


def test_the_canary_of_a_test_is_found_by_the_addresses_of_its_ready_pods() -> None:
    service = make_ab_test_service("delay", "flights", revision="c0ffee0000")

    (port,) = service["spec"]["ports"]
    assert service["metadata"]["name"] == "delay-ab-test-pods"
    assert service["spec"]["clusterIP"] == "None"
    assert "publishNotReadyAddresses" not in service["spec"]
    assert service["spec"]["selector"]["serinus.dev/revision"] == "c0ffee0000"
    assert (port["name"], port["port"]) == ("ab-test", 8080)


def test_a_shadow_is_found_by_the_addresses_of_its_ready_pods() -> None:
    service = make_shadow_service("delay", "flights", revision="c0ffee0000")

    spec = service["spec"]
    (port,) = spec["ports"]
    assert service["metadata"]["name"] == "delay-shadow-pods"
    assert spec["selector"] == pinned_selector("delay", "c0ffee0000")
    assert (spec["clusterIP"], spec.get("publishNotReadyAddresses")) == ("None", None)
    assert (port["name"], port["port"]) == ("shadow", 8080)


def test_pinned_finds_one_revision_and_split_finds_all() -> None:
    one, other = revision_labels("delay", "aaaaaaaaaa"), revision_labels("delay", "bbbbbbbbbb")
    foreign = revision_labels("price", "aaaaaaaaaa")

    pinned, split = pinned_selector("delay", "aaaaaaaaaa").items(), split_selector("delay").items()

    assert [pinned <= labels.items() for labels in (one, other, foreign)] == [True, False, False]
    assert [split <= labels.items() for labels in (one, other, foreign)] == [True, True, False]


def test_before_the_first_revision_is_stable_it_is_said_that_none_is() -> None:
    service = make_service(
        "delay", "flights", selector=pinned_selector("delay", "c0ffee0000"), stable=None
    )

    assert service["metadata"]["annotations"] == {"serinus.dev/stable-revision": ""}


def test_the_list_of_pods_is_what_was_reviewed(golden: Callable[[str, str], None]) -> None:
    service = make_feedback_service("delay", "flights")

    golden("manifests/service-feedback.json", json.dumps(service, indent=2, sort_keys=True) + "\n")


def test_the_list_of_pods_has_those_of_all_revisions_and_those_that_arent_ready() -> None:
    spec = make_feedback_service("delay", "flights")["spec"]

    assert spec["selector"] == split_selector("delay")
    assert (spec["clusterIP"], spec["publishNotReadyAddresses"]) == ("None", True)


def test_who_scrapes_services_by_the_name_of_a_port_finds_each_pod_once() -> None:
    services = [
        make_service("delay", "flights", selector={}, stable=None),
        make_feedback_service("delay", "flights"),
    ]

    names = [port["name"] for service in services for port in service["spec"]["ports"]]

    assert names == ["http", "feedback"]


def test_the_address_is_that_of_the_service() -> None:
    assert service_url("delay", "flights") == "http://delay.flights.svc"


def test_services_have_the_port_of_grpc_where_their_pods_have() -> None:
    speaks = {"spec": {"containers": [{"ports": [{"name": "http"}, {"name": "grpc"}]}]}}
    silent = {"spec": {"containers": [{"ports": [{"name": "http"}]}, {"image": "sidecar"}]}}
    ports = grpc_ports(speaks)
    selector = pinned_selector("delay", "c0ffee0000")
    services = [
        make_service("delay", "flights", selector=selector, stable=None, more_ports=ports),
        make_preview_service("delay", "flights", revision="c0ffee0000", more_ports=ports),
        make_revision_service("delay", "flights", "c0ffee0000", more_ports=ports),
    ]

    assert (grpc_ports(silent), grpc_ports(None)) == ((), ())
    for service in services:
        port = service["spec"]["ports"][1]
        assert (port["name"], port["port"], port["targetPort"]) == ("grpc", 8001, "grpc")
        assert port["appProtocol"] == "kubernetes.io/h2c"
