"""Whole releases by an A/B test: pods told in time, units split, evidence of them alone."""

from typing import Any

import pytest

from serinus.reconcile.decision import ObjectRef
from serinus.reconcile.deployment_ab_test import NOTICE
from tests.support.autoscaler import by_cpu
from tests.support.deployment_world import (
    NAME,
    NAMESPACE,
    QUICK_ANALYSIS,
    Behaviour,
    World,
    serving_v1,
)

pytestmark = pytest.mark.slow

SERVICE = ObjectRef("v1", "Service", NAMESPACE, f"{NAME}-ab-test-pods")
CONFIG_MAP = ObjectRef("v1", "ConfigMap", NAMESPACE, f"{NAME}-ab-test")
TEST: dict[str, Any] = {"unit": {"header": "X-User-Id"}, "minSamples": 500}
GATEWAY = {"gatewayAPI": {"parentRefs": [{"name": "public"}]}}


def released(error_percent: int = 0, test: dict[str, Any] = TEST, **spec: Any) -> World:
    world = serving_v1(strategy={"abTest": test}, **spec)
    world.behaviours["v2"] = Behaviour(error_percent=error_percent)
    world.serves_version("v2")
    return world


def answered(world: World, version: str) -> int:
    revisions = {one.revision for one in world.pods if one.version == version}
    return sum(world.answered.get(revision, 0) for revision in revisions)


def begun(world: World) -> World:
    world.runs(160, until="canary has traffic")
    return world


def test_pods_are_told_two_minutes_before_they_begin_and_nothing_counts_before() -> None:
    world = released()
    world.runs(20)

    assert world.canary is not None
    told = world.ab_test()
    assert told is not None
    assert told["unit"] == {"header": "X-User-Id", "cookie": ""}
    assert (told["canary_percent"], told["salt"]) == (50, f"{NAMESPACE}/{NAME}")
    assert (told["stable"], told["canary"]) == (world.stable_revision, world.canary_revision)
    left = told["active_from"] - world.now.timestamp()
    assert 0.8 * NOTICE.total_seconds() < left <= NOTICE.total_seconds()
    assert world.objects[SERVICE]["spec"]["clusterIP"] == "None"
    assert "trafficStartedAt" not in world.canary
    assert "begin at" in world.status["message"]
    assert world.status["analysis"] == []

    begun(world)
    assert world.now.timestamp() - told["active_from"] < 3


def test_users_keep_the_service_of_stable_and_half_of_the_units_get_the_canary() -> None:
    world = begun(released(test=TEST | {"minDuration": "60s"}))
    before = answered(world, "v1") + answered(world, "v2"), answered(world, "v2")
    world.runs(15)

    assert world.canary is not None
    total, of_canary = answered(world, "v1") + answered(world, "v2"), answered(world, "v2")
    assert 0.45 < (of_canary - before[1]) / (total - before[0]) < 0.55
    assert {pod.version for pod in world.selected_pods()} == {"v1"}
    assert world.ready_pods(world.canary_revision) == 2
    exposures = world.canary["exposures"]
    assert min(exposures["stable"], exposures["canary"]) > 400
    assert exposures["pods"] == 4
    assert 40 < float(world.canary["servedWeight"]) < 60
    assert "in an A/B test: " in world.status["message"]
    assert world.unanswered == 0


def test_a_sound_version_is_promoted_and_nothing_of_the_test_stays() -> None:
    world = released()
    world.runs(700, until="settled")

    assert (world.stable, world.reasons()[-1]) == ("v2", "Promoted")
    assert not {SERVICE, CONFIG_MAP} & world.objects.keys()
    assert world.unanswered == 0
    assert {pod.version for pod in world.selected_pods()} == {"v2"}


def test_a_harmful_version_is_rolled_back_at_once() -> None:
    world = released(error_percent=30)
    world.runs(300, until="rolled back")

    assert world.reasons()[-1] == "EvidenceOfHarm"
    assert not {SERVICE, CONFIG_MAP} & world.objects.keys()
    assert world.stable == "v1"
    assert world.unanswered == 0


def test_errors_of_requests_without_a_unit_are_no_evidence_for_either_side() -> None:
    world = released(test=TEST | {"minDuration": "60s"})
    world.unit_percent = 20
    begun(world)
    for pod in world.pods:  # whoever doesn't name a unit meets errors, on stable only
        pod.bad += 5_000
    world.runs(30)

    (metric,) = world.status["analysis"]
    assert metric["stable"]["bad"] == "0"
    assert metric["stable"]["total"] < 120 * 30
    assert metric["canary"]["total"] > 100


def test_units_that_are_lost_in_one_arm_hold_the_test_and_a_person_may_still_decide() -> None:
    world = released(test=TEST | {"minDuration": "120s"})
    world.canary_loses_percent = 20
    world.runs(600, until="paused")

    assert world.condition("Reconciling") == ("True", "SampleRatioMismatch")
    assert "not 50 %" in world.status["message"]
    world.runs(200)
    assert world.stable == "v1"
    assert world.unanswered == 0

    world.says("promote")
    world.runs(60, until="settled")
    assert (world.stable, world.reasons()[-1]) == ("v2", "PromotedByUser")


def test_harm_outranks_a_split_that_is_off() -> None:
    world = released(error_percent=60)
    world.canary_loses_percent = 20
    world.runs(400, until="rolled back")

    assert world.reasons()[-1] == "EvidenceOfHarm"


def test_at_the_deadline_it_is_held() -> None:
    world = released(test=TEST | {"minSamples": 1_000_000, "maxDuration": "60s"})
    world.runs(400, until="paused")

    assert world.condition("Reconciling") == ("True", "InsufficientEvidence")
    assert world.ab_test() is not None


def test_stable_pods_of_before_are_left_alone_and_it_is_said_why_nothing_begins() -> None:
    world = released()
    record = next(
        body
        for ref, body in world.objects.items()
        if ref.kind == "ControllerRevision"
        and body["data"].get("revision") == world.stable_revision
    )
    (container,) = record["data"]["template"]["spec"]["containers"]
    container["env"] = [one for one in container["env"] if one["name"] != "SERINUS_AB_TEST"]
    pods = {pod.name for pod in world.pods}
    world.runs(200)

    assert "can't assign units" in world.status["message"]
    assert world.condition("Reconciling") == ("True", "WaitingForPods")
    assert world.ab_test() is None
    assert pods <= {pod.name for pod in world.pods}
    assert answered(world, "v2") == 0

    world.says("promote")
    world.runs(60, until="settled")
    assert world.stable == "v2"


def test_evidence_that_pauses_calls_the_test_off_and_resume_tells_the_pods_of_another() -> None:
    world = released(error_percent=40)
    world.applies(analysis={**world.spec["analysis"], "mode": "pause"})
    begun(world)
    first = world.ab_test()
    world.runs(200, until="paused")

    assert not {SERVICE, CONFIG_MAP} & world.objects.keys()

    world.behaviours["v2"] = Behaviour()
    world.says("resume")
    world.runs(10)
    second = world.ab_test()
    assert first is not None
    assert second is not None
    assert second["test"] != first["test"]
    assert second["active_from"] > world.now.timestamp()
    world.runs(700, until="settled")
    assert world.stable == "v2"


@pytest.mark.parametrize("how", ["rolled back", "withdrawn", "promoted"])
def test_under_an_autoscaler_stable_gets_pods_for_the_requests_that_it_takes_over(how: str) -> None:
    """Two pods answered for the canary; stable, whose load showed nothing of it, has four."""
    analysis = {**QUICK_ANALYSIS, "mode": "pause" if how == "withdrawn" else "auto"}
    world = released(replicas=4, test={**TEST, "minSamples": 100_000}, analysis=analysis)
    del world.spec["replicas"]
    world.applies(autoscaling=by_cpu(2, 12))
    begun(world)
    during = world.ready_pods(world.stable_revision), world.ready_pods(world.canary_revision)

    if how == "withdrawn":
        world.behaviours["v2"] = Behaviour(error_percent=50)
        world.runs(60, until="paused")
    else:
        world.says("promote" if how == "promoted" else "abort")
    world.runs(20)
    after = world.ready_pods(world.stable_revision)
    world.runs(400)

    assert during == (4, 2)
    assert after == (4 if how == "promoted" else 6)
    if how == "rolled back":
        assert "stableFloor" not in world.status
    assert world.unanswered == 0


def test_with_a_gateway_the_route_stays_with_stable_until_the_promotion() -> None:
    world = serving_v1(strategy={"abTest": TEST}, traffic=GATEWAY)
    world.clients_use_gateway = True
    world.runs(20)
    world.serves_version("v2")
    begun(world)
    world.runs(20)

    assert world.canary_share() == 0
    assert answered(world, "v2") > 0

    world.runs(700, until="settled")
    assert world.stable == "v2"
    assert world.unanswered == 0


def test_a_layer_gives_the_canary_pods_for_its_part_only() -> None:
    layer = {"name": "ranking", "fromPercent": 20, "toPercent": 40}
    world = released(test=TEST | {"layer": layer, "salt": "another"}, replicas=8)
    begun(world)

    told = world.ab_test()
    assert told is not None
    assert told["layer"] == {"name": "ranking", "from_percent": 20, "to_percent": 40}
    assert told["salt"] == "another"
    assert world.ready_pods(world.canary_revision) == 1


@pytest.mark.parametrize("dies_after", range(1, 16))
def test_an_operator_that_dies_at_any_write_comes_to_the_same_end(dies_after: int) -> None:
    world = released()
    world.dies_after = dies_after
    world.runs(700, until="settled")

    assert world.deaths == 1
    assert (world.stable, world.reasons()[-1]) == ("v2", "Promoted")
    assert not {SERVICE, CONFIG_MAP} & world.objects.keys()
    assert world.unanswered == 0


def test_the_record_says_that_the_canary_served_a_part() -> None:
    world = begun(released())
    world.runs(5)

    assert "at 50 %" in world.status["record"]["serving"]


def test_a_foreign_object_under_a_name_of_the_test_stops_the_release_and_stays() -> None:
    world = serving_v1(strategy={"abTest": TEST})
    theirs = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"{NAME}-ab-test", "namespace": NAMESPACE, "uid": "theirs"},
        "data": {"test.json": "{}"},
    }
    world.objects[CONFIG_MAP] = theirs
    world.serves_version("v2")
    world.runs(60)

    assert world.condition("Stalled") == ("True", "NameConflict")
    assert world.objects[CONFIG_MAP] == theirs
    assert world.stable == "v1"
