"""Whole releases that begin as a shadow: judged by mirrored requests, met by nobody."""

from pathlib import Path
from typing import Any

import pytest

from serinus.reconcile.decision import ObjectRef
from serinus.reconcile.deployment import look_at
from serinus.reconcile.snapshot import TemplateMap, TemplatesSeen
from tests.support.deployment_world import (
    NAME,
    NAMESPACE,
    REVISION_LABEL,
    Behaviour,
    World,
    serving_v1,
)

pytestmark = pytest.mark.slow

SHIPPED = Path(__file__).parents[3] / "charts" / "serinus" / "metric-templates"
SHADOW = ObjectRef("v1", "Service", NAMESPACE, f"{NAME}-shadow-pods")
STEPS: list[dict[str, Any]] = [
    {"shadow": {"replicas": 2, "minSamples": 500, "minDuration": "30s"}},
    {"setWeight": 50},
    {"analyze": {"minSamples": 50}},
]


def shadowing(error_percent: int = 0, steps: list[dict[str, Any]] = STEPS, **spec: Any) -> World:
    world = serving_v1(strategy={"canary": {"steps": steps}}, **spec)
    world.behaviours["v2"] = Behaviour(error_percent=error_percent)
    world.serves_version("v2")
    return world


def answered_to_users(world: World, version: str) -> int:
    revisions = {one.revision for one in world.pods if one.version == version}
    return sum(world.answered.get(revision, 0) for revision in revisions)


def test_while_it_is_a_shadow_no_user_meets_it_and_stables_pods_go_on() -> None:
    world = shadowing()
    before = {pod.name for pod in world.pods}
    world.runs(20, until="canary has traffic")
    world.runs(15)

    assert world.canary is not None
    assert (world.canary["step"], world.canary["actualWeight"]) == (0, 0)
    assert "servedWeight" not in world.canary
    assert "canary" not in world.status["record"]["serving"]
    assert world.ready_pods(world.canary_revision) == 2
    assert answered_to_users(world, "v2") == 0
    assert before <= {pod.name for pod in world.pods}
    assert world.objects[SHADOW]["spec"]["clusterIP"] == "None"
    assert {pod.version for pod in world.selected_pods()} == {"v1"}


def test_a_harmful_version_is_rolled_back_and_no_user_met_it() -> None:
    world = shadowing(error_percent=40)
    world.runs(200, until="rolled back")

    assert world.reasons()[-1] == "EvidenceOfHarm"
    assert answered_to_users(world, "v2") == 0
    assert SHADOW not in world.objects
    assert world.unanswered == 0


def test_a_sound_version_goes_on_to_users_and_is_promoted() -> None:
    world = shadowing()
    world.runs(600, until="settled")

    assert (world.stable, world.reasons()[-1]) == ("v2", "Promoted")
    assert SHADOW not in world.objects
    assert world.unanswered == 0


def test_mirroring_ends_with_the_step() -> None:
    world = shadowing()
    for _ in range(200):
        world.ticks()
        if world.canary and world.canary["step"] > 0:
            break

    assert world.canary is not None
    assert world.canary["step"] == 1
    assert SHADOW not in world.objects
    assert "shadow" not in world.canary


def test_without_mirrored_requests_it_stays_a_shadow() -> None:
    world = shadowing()
    world.mirrors = False
    world.runs(300)

    assert world.canary is not None
    assert world.canary["step"] == 0
    assert answered_to_users(world, "v2") == 0


def test_a_person_may_end_it_and_it_is_not_mirrored_to_any_more() -> None:
    world = shadowing()
    world.runs(20, until="canary has traffic")
    world.says("promote")
    world.runs(60, until="settled")

    assert (world.stable, SHADOW in world.objects) == ("v2", False)
    assert world.unanswered == 0


def test_evidence_that_pauses_ends_the_mirroring_until_a_person_resumes() -> None:
    world = shadowing(error_percent=40)
    world.applies(analysis={**world.spec["analysis"], "mode": "pause"})
    world.runs(200, until="paused")

    assert SHADOW not in world.objects

    world.behaviours["v2"] = Behaviour()
    world.says("resume")
    world.runs(10)

    assert SHADOW in world.objects
    assert answered_to_users(world, "v2") == 0


def test_beside_a_stable_that_cannot_mirror_it_says_so() -> None:
    world = serving_v1(strategy={"canary": {"steps": STEPS}})
    for ref, body in world.objects.items():
        if ref.kind == "ControllerRevision":
            for container in body["data"]["template"]["spec"]["containers"]:
                container["env"] = [
                    one for one in container["env"] if one["name"] != "SERINUS_SHADOW"
                ]
    world.serves_version("v2")
    world.runs(30)

    assert world.condition("Reconciling") == ("True", "WaitingForPods")
    assert "can't mirror requests: it was made before servers could" in world.status["message"]


def test_a_gateway_gives_a_shadow_no_weight() -> None:
    gateway = {"gatewayAPI": {"parentRefs": [{"name": "public"}]}}
    world = serving_v1(strategy={"canary": {"steps": STEPS}}, traffic=gateway)
    world.clients_use_gateway = True
    world.serves_version("v2")
    world.runs(20, until="canary has traffic")
    world.runs(10)

    assert world.canary_share() == 0
    assert answered_to_users(world, "v2") == 0

    world.runs(600, until="settled")
    assert world.stable == "v2"


def test_a_service_of_somebody_else_in_the_way_is_left_alone() -> None:
    world = serving_v1(strategy={"canary": {"steps": STEPS}})
    theirs = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": SHADOW.name, "uid": "x"},
        "spec": {"selector": {REVISION_LABEL: "theirs"}},
    }
    world.objects[SHADOW] = dict(theirs)
    world.serves_version("v2")
    world.runs(5)

    assert world.condition("Stalled") == ("True", "NameConflict")
    assert world.objects[SHADOW] == theirs


@pytest.mark.parametrize("writes", range(12))
def test_killed_at_any_write_it_is_promoted_all_the_same(writes: int) -> None:
    world = shadowing()
    world.dies_after = writes
    world.runs(600, until="settled")

    assert (world.stable, world.unanswered, SHADOW in world.objects) == ("v2", 0, False)


def judged_by_disagreement(share: float) -> World:
    """A shadow that answers otherwise in this share of the requests; more than a fifth is harm."""
    world = serving_v1(strategy={"canary": {"steps": STEPS}})
    name = "shadow-disagreement"
    text = (SHIPPED / f"{name}.yaml").read_text()
    world.templates = TemplatesSeen(shared=(TemplateMap("s", "shipped", {name: text}),))
    metric = {"name": "disagreement", "templateRef": {"name": name}, "max": "0.2"}
    analysis = world.spec["analysis"]
    world.applies(analysis={**analysis, "metrics": [*analysis["metrics"], metric]})
    world.serves_version("v2")
    world.runs(20, until="canary has traffic")
    for _ in range(90):
        asked = look_at(world.snapshot({}), world.now).queries
        world.scalars |= {one.promql: share for one in asked if one.metric == "disagreement"}
        world.ticks()
    return world


def test_a_shadow_that_answers_too_often_otherwise_is_rolled_back_where_a_maximum_says_so() -> None:
    world = judged_by_disagreement(0.4)

    assert world.reasons()[-1] == "ScalarLimitExceeded"
    assert answered_to_users(world, "v2") == 0


def test_a_shadow_that_mostly_agrees_is_let_on_to_users() -> None:
    world = judged_by_disagreement(0.1)

    assert "rollback" not in world.actions()
    assert world.canary is None or world.canary["step"] > 0


def test_users_never_meet_more_pods_than_their_weight_though_the_shadow_had_more() -> None:
    shadow, *_ = STEPS
    steps = [{"shadow": {**shadow["shadow"], "replicas": 4}}, {"setWeight": 20}, {"pause": {}}]
    world = shadowing(steps=steps)
    world.runs(20, until="canary has traffic")
    before, pods, counted = len(world.writes), world.ready_pods(world.canary_revision), [0]
    for _ in range(120):
        world.ticks()
        counted += [one["canary"]["total"] for one in world.status["analysis"] if "canary" in one]
    since = world.writes[before:]
    smaller = since.index(f"apply Deployment {NAME}-{world.canary_revision}")

    assert (pods, world.ready_pods(world.canary_revision)) == (4, 1)
    assert smaller < since.index(f"apply Service {NAME}")
    assert counted == sorted(counted)
    assert world.canary is not None
    assert world.canary["step"] == 2
