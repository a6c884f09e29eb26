"""Objects: what is made, in which order, what is left alone and what is cleared away."""

import copy
from dataclasses import replace
from typing import Any

import pytest

from serinus.reconcile.decision import ApplyPolicy, ObjectRef, Ownership
from tests.support.deployment_world import (
    NAME,
    NAMESPACE,
    Behaviour,
    World,
    a_world,
    serving_v1,
)

pytestmark = pytest.mark.slow


def kinds(world: World) -> list[str]:
    return [one.ref.kind for one in world.decision().desired]


def test_all_that_a_revision_needs_is_made_in_the_order_in_which_it_is_needed() -> None:
    world = a_world()
    world.one_pass()

    assert world.writes == [
        "status",
        "create PersistentVolumeClaim serinus-store",
        "create Secret delay-feedback",
        "create Service delay-feedback",
        f"create ControllerRevision delay-{world.canary_revision}",
        f"create Deployment delay-{world.canary_revision}",
        "create Service delay",
        "record delay-record-1",
    ]


def test_the_store_s_claim_is_nobody_s_and_never_changed() -> None:
    (claim,) = [
        one for one in _started().decision().desired if one.ref.kind == "PersistentVolumeClaim"
    ]

    assert claim.policy is ApplyPolicy.CREATE_ONLY
    assert claim.ownership is Ownership.KEPT


def test_the_feedback_key_is_made_once() -> None:
    world = serving_v1()

    assert "Secret" not in kinds(world)
    assert world.status["feedbackKeySecret"] == "delay-feedback"


def test_a_feedback_key_that_was_lost_is_made_again_where_pods_can_t_mount_it() -> None:
    world = serving_v1()
    world.secrets.clear()
    creating = {"state": {"waiting": {"reason": "ContainerCreating"}}}
    world.behaviours["v1"] = Behaviour(starts=False)
    world.pod_status = {"phase": "Pending", "containerStatuses": [creating]}
    world.dirty = True
    soon = world.secrets.copy()

    world.runs(30)

    assert soon == set()
    assert {ref.name for ref in world.secrets} == {"delay-feedback"}


def test_a_rollback_pins_the_service_before_it_takes_the_canary_s_pods() -> None:
    world = serving_v1()
    world.behaviours["v2"] = Behaviour(error_percent=40)
    world.serves_version("v2")
    world.runs(60, until="canary has traffic")
    revision = world.canary_revision
    writes: list[str] = []
    for _ in range(60):
        before = len(world.writes)
        world.operator_works()
        writes = world.writes[before:]
        if world.canary is None:
            break
        world.ticks()

    relevant = [write for write in writes if write.startswith("apply")]
    assert relevant == ["apply Service delay", f"apply Deployment delay-{revision}"]
    assert writes[0] == "status"


def test_a_rollback_makes_again_what_was_lost_after_the_service_is_pinned() -> None:
    world = serving_v1()
    world.serves_version("v2")
    world.runs(60, until="canary has traffic")
    world.runs(2)
    del world.objects[ObjectRef("v1", "Service", NAMESPACE, f"{NAME}-feedback")]
    world.says("abort")
    world.writes.clear()

    world.one_pass()

    assert world.writes[:3] == ["status", "apply Service delay", "create Service delay-feedback"]


def test_the_selector_is_written_against_the_version_that_was_seen() -> None:
    world = serving_v1()
    world.serves_version("v2")
    for _ in range(60):
        decision = world.decision()
        moves = [one for one in decision.desired if one.resource_version]
        if moves:
            break
        world.ticks()

    (service,) = moves
    assert service.ref.kind == "Service"
    assert service.resource_version == world.service["metadata"]["resourceVersion"]


def test_the_old_stable_keeps_its_pods_until_the_service_is_seen_to_have_moved_on() -> None:
    world = serving_v1()
    old = world.stable_revision
    world.serves_version("v2")
    world.runs(900, until="settled")
    world.runs(5)

    moved = max(at for at, write in enumerate(world.writes) if write == "apply Service delay")
    scaled_away = max(
        at for at, write in enumerate(world.writes) if write == f"apply Deployment delay-{old}"
    )
    assert scaled_away > moved


def test_revisions_beyond_the_history_limit_are_cleared_away_with_their_workloads() -> None:
    world = serving_v1(revisionHistoryLimit=1, analysis={"metrics": []})
    for version in ("v2", "v3", "v4"):
        world.serves_version(version)
        world.runs(60, until="settled")
        world.runs(10)

    records = [ref for ref in world.objects if ref.kind == "ControllerRevision"]
    assert len(records) == 2
    assert len(world.workloads()) == 2
    assert world.stable == "v4"


def test_an_operator_with_another_default_image_starts_nothing() -> None:
    world = serving_v1()
    before = len(world.writes)

    world.settings = replace(world.settings, server_image="server:2")
    world.dirty = True
    world.runs(30)

    assert world.writes[before:] == []
    assert _image(world) == "server:1"


def earlier_builder(world: World) -> None:
    """All revisions were born of a builder that made other pods than today's does."""
    for ref, body in world.objects.items():
        templates = {"ControllerRevision": ("data",), "Deployment": ("spec",)}
        for part in templates.get(ref.kind, ()):
            if "template" in body[part]:
                template = copy.deepcopy(body[part]["template"])
                (container,) = template["spec"]["containers"]
                container["env"] = [*container["env"], {"name": "EARLIER", "value": "1"}]
                del container["startupProbe"]
                template["spec"]["priorityClassName"] = "earlier"
                body[part] = {**body[part], "template": template}


@pytest.mark.parametrize("record", ["is there", "was lost"])
def test_an_operator_whose_builder_makes_other_pods_starts_nothing(record: str) -> None:
    world = serving_v1()
    earlier_builder(world)
    if record == "was lost":
        world.objects = {
            ref: body for ref, body in world.objects.items() if ref.kind != "ControllerRevision"
        }
    before, pods, told = len(world.writes), {pod.name for pod in world.pods}, world.actions()

    world.dirty = True
    world.runs(30)

    made_anew = [f"create ControllerRevision delay-{world.stable_revision}"]
    assert world.writes[before:] == (made_anew if record == "was lost" else [])
    assert {pod.name for pod in world.pods} == pods
    assert world.actions() == told
    assert "EARLIER" in _environment(world)


def test_a_canary_goes_on_with_the_pods_that_it_was_born_with_under_another_operator() -> None:
    world = serving_v1()
    world.serves_version("v2")
    world.runs(60, until="canary has traffic")
    pods = {pod.name for pod in world.pods if pod.revision == world.canary_revision}

    earlier_builder(world)
    world.settings = replace(world.settings, server_image="server:2")
    world.runs(900, until="settled")

    assert world.stable == "v2"
    assert world.actions().count("start") == 2
    assert pods <= {pod.name for pod in world.pods}
    assert _image(world) == "server:1"
    assert "EARLIER" in _environment(world)


def test_the_new_default_image_comes_with_the_next_change_of_a_person() -> None:
    world = serving_v1(analysis={"metrics": []})
    world.settings = replace(world.settings, server_image="server:2")

    world.applies(server={"runtimeVersion": "2"})
    world.runs(60, until="settled")

    assert _image(world) == "server:2"


def test_a_workload_that_somebody_scaled_is_brought_back() -> None:
    world = serving_v1()
    body = world.workloads()[world.stable_revision]
    body["spec"]["replicas"] = 1
    body["metadata"]["generation"] += 1
    world.dirty = True

    world.runs(10)

    assert world.ready_pods(world.stable_revision) == 4


@pytest.mark.parametrize("name", [NAME, f"{NAME}-feedback"])
def test_a_foreign_service_of_our_name_is_left_alone_and_said(name: str) -> None:
    world = a_world()
    ref = ObjectRef("v1", "Service", NAMESPACE, name)
    theirs = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": NAMESPACE, "uid": "theirs"},
        "spec": {"selector": {"app": "theirs"}},
    }
    world.objects[ref] = theirs

    world.runs(20)

    assert world.objects[ref] == theirs
    assert world.condition("Stalled") == ("True", "NameConflict")
    assert f"Service `{name}` exists and isn't ours" in world.status["message"]
    assert world.pods == []


def test_once_the_foreign_object_is_gone_everything_goes_on() -> None:
    world = a_world()
    ref = ObjectRef("v1", "Service", NAMESPACE, NAME)
    world.objects[ref] = {"metadata": {"name": NAME, "namespace": NAMESPACE, "uid": "theirs"}}
    world.runs(5)

    del world.objects[ref]
    world.dirty = True
    world.runs(30, until="settled")

    assert world.stable == "v1"


def _started() -> World:
    world = a_world()
    world.one_pass()
    return world


def _container(world: World) -> dict[str, Any]:
    template = world.workloads()[world.stable_revision]["spec"]["template"]
    (container,) = template["spec"]["containers"]
    return dict(container)


def _image(world: World) -> str:
    return str(_container(world)["image"])


def _environment(world: World) -> set[str]:
    return {one["name"] for one in _container(world)["env"]}
