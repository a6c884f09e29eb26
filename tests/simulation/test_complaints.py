"""What users of other controllers complain about most, and what happens here instead.

One row a complaint: where it stands (AR Argo Rollouts, FL Flagger, KY Kayenta, KS KServe, SC
Seldon Core, GP Argo's Gateway API plugin), what went wrong there, and the scenario that shows what
we do. Only worlds in miniature are used; what real pods show stands in tests/cluster.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from serinus.cluster.errors import LeaseLost
from serinus.cluster.fence import FencedKube
from serinus.reconcile.decision import ObjectRef
from tests.support.autoscaler import by_cpu
from tests.support.deployment_world import (
    NAME,
    NAMESPACE,
    QUICK_ANALYSIS,
    Behaviour,
    World,
    model_version,
    serving_v1,
)
from tests.support.fake_kube import FakeKube
from tests.support.kube_contract import service


class Expired:
    """A Lease that somebody else holds by now."""

    def seconds_left(self) -> float:
        return 0.0


HALF = {"canary": {"steps": [{"setWeight": 50}, {"analyze": {}}]}}


def canary_of(version: str, **spec: Any) -> World:
    """`version` beside v1, with its first requests."""
    world = serving_v1(**spec)
    world.behaviours["bad"] = Behaviour(error_percent=30)
    world.serves_version(version)
    world.runs(60, until="canary has traffic")
    return world


def nothing_measured_is_no_success() -> None:
    world = canary_of("v2")
    world.provider_fails("nan")
    world.runs(300)

    (verdict,) = {one["verdict"] for one in world.status["analysis"]}
    assert verdict in ("Error", "NoData", "Inconclusive")
    assert world.stable == "v1"
    assert "promote" not in world.actions()[2:]


def no_traffic_is_no_harm() -> None:
    world = serving_v1()
    world.requests_per_second = 0
    world.serves_version("v2")
    world.runs(400)

    assert world.canary is not None
    assert world.phase == "Progressing"
    assert "more canary requests needed" in world.status["message"]


def both_answers_to_no_data_are_a_field() -> None:
    ends = {}
    for choice in ("hold", "pause", "rollback", "promote"):
        world = serving_v1(analysis={**QUICK_ANALYSIS, "onNoData": choice})
        world.serves_version("v2")
        world.runs(60, until="canary has traffic")
        world.provider_fails("empty")
        world.runs(500)
        ends[choice] = (world.stable, world.phase)

    assert ends["hold"] == ends["pause"] == ("v1", "Paused")
    assert ends["rollback"] == ("v1", "Degraded")
    assert ends["promote"] == ("v2", "Healthy")


def trust_in_evidence_grows_by_steps() -> None:
    ends = {}
    watched = {"canary": {"steps": [{"setWeight": 20}, {"analyze": {"minDuration": "2m"}}]}}
    for mode in ("observe", "pause", "auto"):
        world = serving_v1(analysis={**QUICK_ANALYSIS, "mode": mode}, strategy=watched)
        world.behaviours["bad"] = Behaviour(error_percent=30)
        world.serves_version("bad")
        world.runs(300)
        ends[mode] = (world.phase, {pod.version for pod in world.selected_pods()})
        assert "EvidenceOfHarm" in world.reasons()

    assert ends["observe"] == ("Healthy", {"bad"})
    assert ends["pause"] == ("Paused", {"v1"})
    assert ends["auto"] == ("Degraded", {"v1"})


def what_is_promoted_is_still_watched() -> None:
    """Harm that shows only with all the requests; the old pods were about to go."""
    world = serving_v1(strategy={**HALF, "postPromotionAnalysis": {"duration": "10m"}})
    world.serves_version("v2")
    world.runs(900, until="settled")
    assert world.stable == "v2"
    world.runs(60)
    world.behaviours["v2"] = Behaviour(error_percent=30)
    world.runs(120)

    assert (world.stable, world.phase) == ("v1", "Degraded")
    assert world.status["rejectedRevisions"][0]["reason"] == "EvidenceOfHarm"
    assert world.unanswered == 0


def a_canary_is_compared_with_stable_at_the_same_time() -> None:
    """Both fail alike for a while: an incident, not a bad version."""
    world = canary_of("v2")
    world.behaviours |= {"v1": Behaviour(error_percent=20), "v2": Behaviour(error_percent=20)}
    world.runs(60)
    world.behaviours |= {"v1": Behaviour(), "v2": Behaviour()}
    world.runs(900, until="settled")

    assert world.stable == "v2"


def a_hard_failure_needs_a_few_requests_not_hours() -> None:
    world = serving_v1()
    world.behaviours["broken"] = Behaviour(error_percent=100)
    world.requests_per_second = 5
    world.serves_version("broken")
    world.runs(120, until="rolled back")

    failed = world.answered[world.status["rejectedRevisions"][0]["revision"]]
    assert failed <= 40


def going_back_waits_for_pods() -> None:
    world = canary_of("v2")
    world.runs(600, until="settled")
    world.behaviours["v1"] = Behaviour(start_seconds=60)
    world.serves_version("v1")
    for _ in range(600):
        world.ticks()
        ready = [world.is_ready(pod) for pod in world.selected_pods()]
        assert ready
        assert all(ready)

    assert world.stable == "v1"
    assert world.unanswered == 0


def another_version_in_the_middle_leaves_nobody_unserved() -> None:
    world = canary_of("v2", strategy=HALF)
    world.behaviours["v3"] = Behaviour(start_seconds=30)
    world.serves_version("v3")
    for _ in range(600):
        world.ticks()
        revisions = {pod.revision for pod in world.selected_pods()}
        assert revisions <= {world.stable_revision, world.canary_revision}

    assert world.stable == "v3"
    assert world.unanswered == 0


def a_promotion_that_fails_leaves_stable_whole() -> None:
    """The promotion is decided; then the new pods don't come up, and a person ends it."""
    world = canary_of("v2", strategy={"canary": {"steps": [{"setWeight": 20}, {"analyze": {}}]}})
    for _ in range(300):
        world.ticks()
        if world.canary and world.canary["promoting"]:
            break
    world.behaviours["v2"] = Behaviour(starts=False)
    world.dirty = True
    world.runs(20)
    assert world.canary is not None
    world.says("abort")
    world.runs(30)

    assert world.stable == "v1"
    assert world.ready_pods(world.stable_revision) == 4
    assert world.unanswered == 0


def the_last_step_lowers_no_capacity() -> None:
    world = canary_of("v2")
    least = 4
    for _ in range(600):
        world.ticks()
        least = min(least, len(world.selected_pods()))
        if world.stable == "v2":
            break

    world.runs(60)
    assert world.stable == "v2"
    assert least >= 4
    assert len(world.selected_pods()) == 4


async def a_leader_that_lost_its_lease_writes_nothing() -> None:
    server = FakeKube()
    with pytest.raises(LeaseLost):
        await FencedKube(server, Expired()).create(service("delay"))

    assert server.requests == []


def git_and_the_cluster_stay_the_same() -> None:
    """Nothing of the object is written but its status, and a route keeps what others put there."""
    world = serving_v1(traffic={"gatewayAPI": {"parentRefs": [{"name": "public"}]}})
    world.clients_use_gateway = True
    asked = copy.deepcopy((world.spec, world.annotations))
    header = {"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["x-debug"]}}
    health = {"name": "health", "matches": [{"path": {"type": "Exact", "value": "/health"}}]}

    def edited(spec: dict[str, Any]) -> None:
        spec["rules"][0]["filters"] = [header]
        spec["rules"].append(health)

    world.edits_route(edited)
    world.versions["v2"] = model_version("v2")
    asked[0]["model"] = {"versionRef": {"name": "v2"}}
    world.applies(model=asked[0]["model"])
    world.runs(900, until="settled")

    ours, theirs = world.route["spec"]["rules"]
    assert world.stable == "v2"
    assert (world.spec, world.annotations) == asked
    assert (ours["filters"], theirs) == ([header], health)


def one_canary_after_another_gets_requests_only_in_its_turn() -> None:
    world = canary_of("bad", strategy=HALF)
    bad = world.canary_revision
    world.runs(300, until="rolled back")
    world.runs(5)
    met = world.answered[bad or ""]
    world.serves_version("v3")
    world.runs(900, until="settled")

    assert world.answered[bad or ""] == met
    assert world.stable == "v3"


def an_autoscaler_is_not_driven_by_a_canary() -> None:
    world = serving_v1()
    del world.spec["replicas"]
    world.applies(autoscaling=by_cpu(2, 12))
    world.runs(30)
    stable = world.stable_revision or ""
    world.serves_version("v2")
    for _ in range(120):
        world.ticks()
        if world.stable_revision == stable:
            assert world.workloads()[stable]["spec"]["replicas"] == 4

    workload = ObjectRef("apps/v1", "Deployment", NAMESPACE, f"{NAME}-{stable}")
    assert world.objects[workload]["spec"]["replicas"] in (0, 4)


@dataclass(frozen=True)
class Complaint:
    """What went wrong elsewhere, and what is shown here."""

    number: int
    where: str
    what: str
    shown: Callable[[], Any]


COMPLAINTS = [
    Complaint(1, "AR #4479", "an analysis with no measurement is Successful",
              nothing_measured_is_no_success),
    Complaint(2, "AR #1905", "no traffic rolls a healthy version back", no_traffic_is_no_harm),
    Complaint(3, "FL #1035, #1011", "whether no data halts can't be chosen",
              both_answers_to_no_data_are_a_field),
    Complaint(4, "AR #2866", "a failed analysis can only abort", trust_in_evidence_grows_by_steps),
    Complaint(5, "AR #1978", "nothing watches a canary after its promotion",
              what_is_promoted_is_still_watched),
    Complaint(6, "FL #739", "a canary isn't compared with stable",
              a_canary_is_compared_with_stable_at_the_same_time),
    Complaint(7, "KY #780", "a comparison needs 50 points a metric and hours",
              a_hard_failure_needs_a_few_requests_not_hours),
    Complaint(8, "AR #3941", "a rollback sends traffic to pods that aren't ready",
              going_back_waits_for_pods),
    Complaint(9, "AR #4390", "a new version in the middle of a canary gives 503s",
              another_version_in_the_middle_leaves_nobody_unserved),
    Complaint(10, "FL #1898, #1932", "a failed promotion sends all traffic to the broken copy",
              a_promotion_that_fails_leaves_stable_whole),
    Complaint(11, "FL #1600", "the last step overloads what is left",
              the_last_step_lowers_no_capacity),
    Complaint(12, "AR #2117", "a former leader goes on writing",
              a_leader_that_lost_its_lease_writes_nothing),
    Complaint(13, "GP #208, FL #1504, #1857", "GitOps sees drift, others' settings are wiped",
              git_and_the_cluster_stay_the_same),
    Complaint(14, "KS #3085, #2130", "nothing promotes by itself, requests leak to old canaries",
              one_canary_after_another_gets_requests_only_in_its_turn),
    Complaint(15, "AR #2857, #3849", "a canary drives the autoscaler",
              an_autoscaler_is_not_driven_by_a_canary),
]  # fmt: skip


@pytest.mark.parametrize(
    "complaint", COMPLAINTS, ids=[f"{one.number}: {one.what}" for one in COMPLAINTS]
)
async def test_what_happens_here_instead(complaint: Complaint) -> None:
    done = complaint.shown()
    if done is not None:
        await done


def test_each_of_the_fifteen_is_answered() -> None:
    assert [one.number for one in COMPLAINTS] == [*range(1, 16)]
