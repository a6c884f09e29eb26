"""Spans go where the platform lets them go, and a name that leads nowhere harms nothing."""

from dataclasses import replace

import pytest

from serinus.api.deployment import DeploymentSpec
from serinus.api.tracing import TraceCollector
from serinus.reconcile.deployment_tracing import collector_problem
from tests.support.deployment_world import World, serving_v1

PLATFORM = TraceCollector(name="platform", url="http://collector:4318")


def spec(collector: str | None) -> DeploymentSpec:
    server = {"tracing": {"collector": collector}} if collector else {}
    return DeploymentSpec.model_validate({"model": {"trainingJob": "t"}, "server": server})


@pytest.mark.parametrize(
    ("collector", "declared", "told"),
    [
        (None, [], None),
        ("platform", ["platform"], None),
        ("mine", [], "there is none"),
        ("mine", ["team-a", "platform"], "there are: `platform`, `team-a`"),
    ],
)
def test_a_collector_is_one_of_those_that_are_declared(
    collector: str | None, declared: list[str], told: str | None
) -> None:
    problem = collector_problem(spec(collector), declared)

    if told is None:
        assert problem is None
    else:
        assert problem is not None
        assert problem.startswith("spec.server.tracing.collector: no collector `mine` is declared")
        assert told in problem


def traced() -> World:
    world = serving_v1()
    world.applies(server={"tracing": {"collector": "platform"}})
    return world


def platform_declares(world: World, *collectors: TraceCollector) -> None:
    """The operator starts anew with these, and looks at all there is."""
    world.settings = replace(world.settings, trace_collectors=collectors)
    world.dirty = True


def urls(world: World) -> set[str | None]:
    """Where the pods of each workload send spans."""
    found = set()
    for ref, body in world.objects.items():
        if ref.kind == "Deployment":
            (container,) = body["spec"]["template"]["spec"]["containers"]
            env = {one["name"]: one.get("value") for one in container["env"]}
            found.add(env.get("SERINUS_TRACES_URL"))
    return found


@pytest.mark.slow
def test_a_collector_that_isn_t_declared_starts_no_rollout_until_it_is() -> None:
    world = traced()
    world.runs(60)

    assert world.canary is None
    assert world.condition("Stalled") == ("True", "InvalidSpec")
    assert "`traceCollectors`" in world.status["message"]
    assert urls(world) == {None}

    platform_declares(world, PLATFORM)
    world.runs(600, until="settled")
    assert PLATFORM.url in urls(world)


@pytest.mark.slow
def test_a_collector_that_is_declared_no_more_takes_nothing_from_what_serves() -> None:
    world = serving_v1()
    platform_declares(world, PLATFORM)
    world.applies(server={"tracing": {"collector": "platform"}})
    world.runs(600, until="settled")
    before = {ref: body for ref, body in world.objects.items() if ref.kind == "Deployment"}
    platform_declares(world)
    world.runs(60)

    assert world.condition("Stalled") == ("True", "InvalidSpec")
    after = {ref: body for ref, body in world.objects.items() if ref.kind == "Deployment"}
    assert after == before
