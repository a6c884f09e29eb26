"""gRPC comes to a Deployment with the revision that speaks it, and goes with it."""

import pytest

from tests.support.deployment_world import World, serving_v1

pytestmark = pytest.mark.slow


def service_ports(world: World) -> list[str]:
    assert world.service is not None
    return [port["name"] for port in world.service["spec"]["ports"]]


def test_the_service_has_its_port_once_stable_speaks_it() -> None:
    world = serving_v1(strategy={"canary": {"steps": [{"setWeight": 25}, {"pause": {}}]}})
    before = world.stable_revision
    world.applies(server={"grpc": {}})
    world.runs(60, until="paused")
    during = service_ports(world)
    world.says("promote")
    world.runs(120, until="settled")

    assert world.stable_revision != before
    assert (during, service_ports(world)) == (["http"], ["http", "grpc"])


def test_the_port_goes_once_stable_doesnt_speak_it() -> None:
    world = serving_v1(server={"grpc": {}})
    before = service_ports(world)
    world.applies(server={})
    world.runs(120, until="settled")

    assert (before, service_ports(world)) == (["http", "grpc"], ["http"])


def test_an_upgrade_makes_no_revision_of_one_that_never_asked() -> None:
    world = serving_v1()
    writes = len(world.writes)
    world.runs(30)

    assert world.writes[writes:] == []
