"""Changes of mind in the middle of things: each leads to one thing, and stable never suffers."""

import pytest

from tests.support.autoscaler import by_cpu
from tests.support.deployment_world import Behaviour, World, a_world, serving_v1

pytestmark = pytest.mark.slow

PAUSED_AT_20 = {"canary": {"steps": [{"setWeight": 20}, {"pause": {}}, {"setWeight": 50}]}}


def in_a_canary(version: str = "v2") -> World:
    """`v1` is stable and `version` has a fifth of the requests, until a person says more."""
    world = serving_v1(strategy=PAUSED_AT_20)
    world.serves_version(version)
    world.runs(60, until="paused")
    return world


def test_another_version_in_the_middle_starts_over_against_what_was_promoted_last() -> None:
    world = in_a_canary()
    first = world.canary_revision

    world.serves_version("v3")
    world.runs(60, until="paused")

    assert world.canary["modelVersion"] == "v3"
    assert world.stable == "v1"
    assert world.status.get("rejectedRevisions", []) == []
    assert "supersede" in world.actions()
    assert {pod.revision for pod in world.selected_pods()} == {
        world.stable_revision,
        world.canary_revision,
    }
    assert world.ready_pods(first) == 0


def test_no_request_meets_a_third_revision_while_pods_of_the_second_are_leaving() -> None:
    world = in_a_canary()
    second = world.canary_revision

    world.serves_version("v3")
    split_while_leaving = False
    for _ in range(60):
        world.ticks()
        leaving = any(pod.revision == second for pod in world.pods)
        split_while_leaving |= leaving and len({p.revision for p in world.selected_pods()}) > 1
        if world.phase == "Paused":
            break

    assert not split_while_leaving
    assert world.canary["modelVersion"] == "v3"


def test_back_at_stable_s_spec_the_canary_goes_and_nothing_is_rejected() -> None:
    world = in_a_canary()

    world.serves_version("v1")
    world.runs(20, until="settled")
    world.runs(5)

    assert world.stable == "v1"
    assert world.reasons()[-1] == "BackToStable"
    assert world.status["rejectedRevisions"] == []
    assert {pod.revision for pod in world.pods} == {world.stable_revision}


def test_the_same_bytes_under_another_name_are_the_same_revision() -> None:
    world = serving_v1()
    before = len(world.pods)
    twin = {**world.versions["v1"], "metadata": {**world.versions["v1"]["metadata"]}}
    twin["metadata"]["name"] = "v1-again"
    world.versions["v1-again"] = twin

    world.serves_version("v1-again")
    world.runs(20)

    assert world.actions() == ["start", "promote"]
    assert len(world.pods) == before


def test_a_rejected_revision_isn_t_tried_again_but_another_one_is() -> None:
    world = serving_v1()
    world.behaviours["v2"] = Behaviour(error_percent=50)
    world.serves_version("v2")
    world.runs(120, until="rolled back")
    rejected = world.status["rejectedRevisions"][0]["revision"]
    world.serves_version("v1")
    world.runs(20, until="settled")
    met = world.answered[rejected]

    world.serves_version("v2")
    world.runs(60)
    blocked = world.condition("Stalled")
    world.serves_version("v3")
    world.runs(900, until="settled")

    assert blocked == ("True", "RevisionRejectedBefore")
    assert world.answered[rejected] == met
    assert world.stable == "v3"


def test_scaled_to_zero_everything_goes_and_the_same_revision_comes_back_in_silence() -> None:
    world = serving_v1()
    told = list(world.actions())

    world.applies(replicas=0)
    world.runs(10)
    at_zero = (len(world.pods), world.phase, world.condition("Ready"))
    world.applies(replicas=2)
    world.runs(20, until="settled")
    world.runs(5)

    assert at_zero == (0, "Healthy", ("True", "ScaledToZero"))
    assert world.ready_pods(world.stable_revision) == 2
    assert world.actions() == told


def test_scaled_to_zero_in_a_canary_ends_the_rollout_and_the_next_revision_is_like_the_first() -> (
    None
):
    world = in_a_canary()

    world.applies(replicas=0)
    world.runs(10)
    ended = (world.canary, len(world.pods), world.reasons()[-1])
    world.applies(replicas=3)
    world.runs(30, until="settled")

    assert ended == (None, 0, "ScaledToZero")
    assert world.stable == "v2"
    assert world.reasons()[-1] == "FirstRevision"


def test_a_stable_workload_that_somebody_scales_away_comes_back_and_is_still_compared_with() -> (
    None
):
    world = serving_v1()
    stable = world.stable_revision
    assert stable is not None
    told = world.reasons()
    world.provider_away = True
    world.serves_version("v2")
    world.runs(3)

    world.workloads()[stable]["spec"]["replicas"] = 0
    world.runs(20)
    waiting = (world.stable, world.canary, world.ready_pods(stable))
    world.provider_away = False
    world.runs(5)

    assert waiting == ("v1", None, world.spec["replicas"])
    assert world.stable == "v1"
    assert "FirstRevision" not in world.reasons()[len(told) :]


def test_a_suspended_deployment_starts_no_rollout_and_serves_on() -> None:
    world = serving_v1()
    world.applies(suspend=True)

    world.serves_version("v2")
    world.runs(60)
    waiting = (world.canary, world.phase, world.condition("Reconciling"))
    world.applies(suspend=False)
    world.runs(900, until="settled")

    assert waiting == (None, "Paused", ("True", "Suspended"))
    assert world.stable == "v2"


def test_a_running_canary_stays_at_its_step_while_suspended() -> None:
    world = serving_v1()
    world.serves_version("v2")
    world.runs(60, until="canary has traffic")
    step = world.canary["step"]

    world.applies(suspend=True)
    world.runs(200)
    held = world.canary["step"]
    world.applies(suspend=False)
    world.runs(900, until="settled")

    assert held == step
    assert world.stable == "v2"


def test_a_suspended_canary_that_harms_is_rolled_back_all_the_same() -> None:
    world = serving_v1()
    world.behaviours["v2"] = Behaviour(error_percent=40)
    world.serves_version("v2")
    world.runs(60, until="canary has traffic")

    world.applies(suspend=True)
    world.runs(120, until="rolled back")

    assert world.stable == "v1"


def test_strategy_and_analysis_are_those_of_the_rollout_s_start() -> None:
    world = in_a_canary()

    world.applies(strategy={"canary": {"stepWeights": [10]}})
    world.runs(5)

    assert world.canary["stepsTotal"] == 3
    assert "that counts for the next" in world.status["message"]


def test_a_canary_whose_pods_never_start_is_rolled_back_at_its_deadline() -> None:
    world = serving_v1(progressDeadlineSeconds=60)
    world.behaviours["v2"] = Behaviour(starts=False)

    world.serves_version("v2")
    world.runs(120, until="rolled back")

    assert world.reasons()[-1] == "ProgressDeadlineExceeded"
    assert world.stable == "v1"
    assert world.unanswered == 0


def test_without_metrics_readiness_and_time_promote_and_status_says_so() -> None:
    world = serving_v1(analysis={"metrics": []})

    world.serves_version("v2")
    world.runs(60, until="settled")

    assert world.stable == "v2"
    assert "PromotedWithoutEvidence" in world.reasons()


@pytest.mark.parametrize("replicas", [1, 2, 5])
def test_every_size_can_release(replicas: int) -> None:
    world = serving_v1(replicas=replicas)

    world.serves_version("v2")
    world.runs(900, until="settled")
    world.runs(10)

    assert world.stable == "v2"
    assert len(world.pods) == replicas
    assert world.unanswered == 0


def test_more_replicas_in_a_canary_give_both_revisions_more_pods() -> None:
    world = in_a_canary()

    world.applies(replicas=8)
    world.runs(10)

    assert world.ready_pods(world.stable_revision) == 8
    assert world.ready_pods(world.canary_revision) == 2
    assert world.canary is not None


def test_a_canary_that_should_grow_and_finds_no_node_waits_and_isn_t_rejected() -> None:
    world = in_a_canary()
    (first,) = (pod for pod in world.pods if pod.version == "v2")
    world.runs(700)
    world.behaviours["v2"] = Behaviour(start_seconds=world.second - first.born_at)
    unschedulable = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    world.pod_status = {"conditions": [{**unschedulable, "message": "0/3 nodes have room"}]}

    world.applies(replicas=8)
    world.runs(650)
    waiting = (world.phase, world.ready_pods(world.canary_revision), world.status["message"])
    world.runs(100)

    assert waiting[:2] == ("Paused", 1)
    assert "finds no node: 0/3 nodes have room" in waiting[2]
    assert world.ready_pods(world.canary_revision) == 2
    assert world.status.get("rejectedRevisions", []) == []


def test_fewer_replicas_in_a_canary_never_give_it_more_than_its_cap() -> None:
    """One pod beside one would be half: stable keeps as many as the cap asks for meanwhile."""
    steps = [{"setWeight": 10}, {"pause": {}}]
    world = serving_v1(replicas=10, strategy={"canary": {"steps": steps, "maxWeight": 15}})
    world.serves_version("v2")
    world.runs(60, until="paused")

    world.applies(replicas=1)
    world.runs(20)
    shared = (world.ready_pods(world.stable_revision), world.ready_pods(world.canary_revision))
    told = world.status["message"]
    world.says("promote")
    world.runs(20)
    world.says("promote")
    world.runs(30)

    assert shared == (6, 1)
    assert "maxWeight" in told
    assert world.stable == "v2"
    assert len(world.pods) == 1
    assert world.unanswered == 0


CAPPED = {"canary": {"steps": [{"setWeight": 10}, {"pause": {}}], "maxWeight": 15}}


@pytest.mark.parametrize(("low", "high"), [(1, 3), (2, 6), (1, 12)])
def test_an_autoscaler_in_place_of_replicas_never_gives_a_canary_more_than_its_cap(
    low: int, high: int
) -> None:
    world = serving_v1(replicas=10, strategy=CAPPED)
    world.requests_per_second = 20  # which one pod would do
    world.serves_version("v2")
    world.runs(60, until="paused")

    del world.spec["replicas"]
    world.applies(autoscaling=by_cpu(low, high))
    shares = shares_while(world, 60)
    world.says("promote")
    world.runs(90)

    assert max(shares) <= 15
    autoscaler = next(body for ref, body in world.objects.items() if "Autoscaler" in ref.kind)
    assert autoscaler["spec"]["maxReplicas"] == high


def test_replicas_in_place_of_an_autoscaler_never_give_a_canary_more_than_its_cap() -> None:
    world = a_world(strategy=CAPPED, autoscaling=by_cpu(6, 12))
    del world.spec["replicas"]
    world.runs(60, until="settled")
    world.serves_version("v2")
    world.runs(60, until="paused")

    del world.spec["autoscaling"]
    world.applies(replicas=1)

    assert max(shares_while(world, 60)) <= 15
    assert world.canary is not None


def shares_while(world: World, seconds: int) -> list[float]:
    """What the canary has of the ready pods, in percent, second by second."""
    shares = []
    for _ in range(seconds):
        world.runs(1)
        counts = [world.ready_pods(one) for one in (world.canary_revision, world.stable_revision)]
        shares.append(100 * counts[0] / max(1, sum(counts)))
    return shares


def test_going_back_to_an_older_version_is_a_rollout_too_and_its_objects_are_used_again() -> None:
    world = serving_v1()
    first = world.stable_revision
    world.serves_version("v2")
    world.runs(900, until="settled")
    records = len([ref for ref in world.objects if ref.kind == "ControllerRevision"])

    world.serves_version("v1")
    world.runs(900, until="settled")

    assert world.stable_revision == first
    assert len([ref for ref in world.objects if ref.kind == "ControllerRevision"]) == records


def test_two_weights_that_are_the_same_pods_are_analyzed_once() -> None:
    world = serving_v1(replicas=1, strategy={"canary": {"stepWeights": [20, 50]}})
    world.serves_version("v2")
    world.runs(600, until="settled")

    steps = [one["because"] for one in world.status["history"] if one["action"] == "step"]
    assert world.stable == "v2"
    assert len(steps) == 1
    assert steps[0].startswith("step 4 of 4: analyze (what stands before it is left out")
