"""Whole first deployments: what is shown before users' requests, and what is judged of them."""

from typing import Any

import pytest

from serinus.api.deployment_status import DeploymentStatus, FirstCheckStatus, RevisionStatus
from serinus.reconcile.deployment_first_check import DEFAULT_DURATION
from serinus.reconcile.deployment_post_promotion import judged_as_canary
from tests.support import prometheus_faults as faults
from tests.support.deployment_world import (
    QUICK_ANALYSIS,
    Behaviour,
    World,
    a_world,
)

pytestmark = pytest.mark.slow

LIMIT = {"name": "ever", "template": "error-rate", "max": "0.05"}
COMPARED = QUICK_ANALYSIS["metrics"][0]
QUEUE = {"name": "queue", "prometheus": {"query": "queue"}, "max": "9", "interval": "10s"}
BESIDE = {"name": "beside", "prometheus": {"query": 'd{of="{{ .stableRevision }}"}'}, "max": "9"}


def first(
    *metrics: dict[str, Any],
    duration: str = "5m",
    error_percent: int = 0,
    **spec: Any,
) -> World:
    """`v1` has just become stable: the first revision."""
    analysis = {**QUICK_ANALYSIS, "metrics": [*metrics], **spec.pop("analysis", {})}
    strategy = {"canary": {"stepWeights": [50]}, "firstDeployment": {"duration": duration}}
    world = a_world(analysis=analysis, strategy=strategy, **spec)
    world.behaviours["v1"] = Behaviour(error_percent=error_percent)
    world.scalars = {"queue": 5.0}
    world.runs(30, until="settled")
    return world


def lines(world: World) -> list[tuple[str, str]]:
    return [(one["action"], one["reason"]) for one in world.status["history"]]


def test_before_its_pods_answer_as_in_training_it_gets_no_request() -> None:
    world = a_world(analysis={**QUICK_ANALYSIS, "metrics": [LIMIT]}, progressDeadlineSeconds=40)
    world.behaviours["v1"] = Behaviour(starts=False)
    world.runs(60, until="degraded")

    assert (world.stable, world.selected_pods(), world.answered) == (None, [], {})
    assert world.condition("Available") == ("False", "FirstRevision")
    assert world.condition("Stalled") == ("True", "ProgressDeadlineExceeded")
    assert "firstCheck" not in world.status


def test_while_it_is_judged_nothing_says_that_it_was_promoted() -> None:
    world = first(LIMIT, COMPARED)
    told = world.status["history"][-1]

    assert (world.stable, world.phase) == ("v1", "Healthy")
    assert lines(world) == [("start", "FirstRevision"), ("serve", "FirstRevision")]
    assert "it is judged until 2023-11-14T22:18:" in told["because"]
    assert "by `ever`; not judged, as they compare with stable: `errors`" in told["because"]
    assert world.condition("Promoted") == ("Unknown", "FirstRevision")
    assert world.condition("Ready") == ("True", "Succeeded")
    assert "judged until" in world.status["message"]
    assert "promote" not in {one["action"] for _, one in world.recorded()}


def test_what_keeps_its_limits_is_promoted_on_evidence_when_its_time_is_over() -> None:
    world = first(LIMIT)
    world.runs(320)
    (told,) = [one for _, one in world.recorded() if one["action"] == "promote"]

    assert lines(world)[-1] == ("promote", "FirstRevisionSafe")
    assert world.condition("Promoted") == ("True", "Promoted")
    assert told["evidence"][0]["verdict"] == "Successful"
    assert "firstCheck" not in world.status
    before = len(world.writes)
    world.runs(60)
    assert len(world.writes) == before


def test_harm_is_told_with_its_evidence_and_it_goes_on_serving() -> None:
    world = first(LIMIT, error_percent=30)
    world.runs(120, until="degraded")
    (told,) = [one for _, one in world.recorded() if one["action"] == "hold"]
    world.runs(600)

    assert (world.stable, len(world.selected_pods()), world.unanswered) == ("v1", 4, 0)
    assert lines(world)[-1] == ("hold", "FirstRevisionHarmful")
    assert world.condition("Promoted") == ("False", "FirstRevisionHarmful")
    assert world.condition("Stalled") == ("True", "FirstRevisionHarmful")
    assert world.condition("Available") == ("True", "Succeeded")
    assert "Release another version" in world.status["message"]
    assert told["evidence"][0]["verdict"] == "Failed"
    assert world.reasons().count("FirstRevisionHarmful") == 1
    assert "FirstRevisionHarmful" in {reason for _, reason, _ in world.events}
    assert "rejectedRevisions" not in world.status or not world.status["rejectedRevisions"]


def test_a_better_version_takes_its_place_as_any_does() -> None:
    world = first(LIMIT, COMPARED, error_percent=30)
    world.runs(120, until="degraded")
    world.serves_version("v2")
    world.runs(600, until="settled")

    assert (world.stable, world.condition("Promoted")) == ("v2", ("True", "Promoted"))
    assert "firstCheck" not in world.status
    assert world.unanswered == 0


def test_where_the_next_is_no_better_the_first_is_still_known_to_be_harmful() -> None:
    world = first(LIMIT, error_percent=30)
    world.runs(120, until="degraded")
    world.behaviours["v2"] = Behaviour(error_percent=50)
    world.serves_version("v2")
    world.runs(300, until="rolled back")
    world.serves_version("v1")
    world.runs(10)

    assert world.stable == "v1"
    assert world.condition("Promoted") == ("False", "FirstRevisionHarmful")


def test_a_person_may_accept_it() -> None:
    world = first(LIMIT, error_percent=30)
    world.runs(120, until="degraded")
    world.says("promote", revision=world.stable_revision, reason="known, ticket 7")
    world.runs(30)
    told = world.status["history"][-1]

    assert (told["action"], told["reason"], told["actor"]) == ("promote", "PromotedByUser", "ada")
    assert (world.phase, world.condition("Promoted")) == ("Healthy", ("True", "Promoted"))
    assert world.status["lastHandledRequest"]["outcome"] == "done"


def test_who_scales_it_to_zero_isn_t_told_that_it_serves() -> None:
    world = first(LIMIT, error_percent=30)
    world.runs(120, until="degraded")
    world.applies(replicas=0)
    world.runs(20)
    at_zero = (world.phase, world.condition("Stalled"), world.condition("Promoted"))
    world.applies(replicas=4)
    world.runs(20)

    assert at_zero == ("Healthy", None, ("False", "FirstRevisionHarmful"))
    assert (world.stable, world.phase) == ("v1", "Degraded")


def test_a_scalar_judges_it_too() -> None:
    world = first(QUEUE)
    world.scalars = {"queue": 50.0}
    world.runs(60, until="degraded")

    assert "doesn't cover" in world.status["message"]


@pytest.mark.parametrize(
    ("metrics", "told"),
    [
        pytest.param(
            [COMPARED], "not judged, as they compare with stable: `errors`", id="compared"
        ),
        pytest.param([BESIDE], "not judged, as they compare with stable: `beside`", id="a query"),
        pytest.param([], "all its pods are ready", id="no metric"),
    ],
)
def test_without_a_limit_of_its_own_readiness_decides(
    metrics: list[dict[str, Any]], told: str
) -> None:
    world = first(*metrics, error_percent=30)
    world.runs(60)

    assert (world.phase, lines(world)[-1]) == ("Healthy", ("promote", "FirstRevision"))
    assert world.status["history"][-1]["because"].endswith(told)
    assert world.condition("Promoted") == ("True", "Promoted")


def test_a_metric_that_only_alarms_is_no_reason_to_judge() -> None:
    world = first({**LIMIT, "gate": False}, error_percent=30)

    assert lines(world)[-1] == ("promote", "FirstRevision")


def test_no_time_means_no_look() -> None:
    world = first(LIMIT, duration="0s", error_percent=30)
    world.runs(60)

    assert (world.phase, lines(world)[-1]) == ("Healthy", ("promote", "FirstRevision"))


def test_without_a_word_in_the_spec_it_is_judged_all_the_same() -> None:
    world = a_world(analysis={**QUICK_ANALYSIS, "metrics": [LIMIT]})
    world.runs(30, until="settled")

    assert DEFAULT_DURATION == "30m"
    assert world.status["firstCheck"]["rules"]["steps"] == [{"analyze": {"maxDuration": "30m"}}]


def test_observed_only_harm_is_told_once_and_nothing_comes_of_it() -> None:
    world = first(LIMIT, error_percent=30, analysis={"mode": "observe"})
    world.runs(330)

    assert lines(world)[2:] == [
        ("observe", "FirstRevisionHarmful"),
        ("promote", "FirstRevisionUnproven"),
    ]
    assert world.phase == "Healthy"


@pytest.mark.parametrize("fault", [faults.AWAY, "empty", "nan"])
def test_not_being_able_to_measure_is_neither_harm_nor_proof(fault: str) -> None:
    world = a_world(
        analysis={**QUICK_ANALYSIS, "metrics": [LIMIT]},
        strategy={"canary": {"steps": []}, "firstDeployment": {"duration": "3m"}},
    )
    world.provider_fails(fault)
    world.runs(30, until="settled")
    world.runs(100)
    meanwhile = (world.phase, world.condition("Promoted"))
    world.runs(100)

    assert meanwhile == ("Healthy", ("Unknown", "FirstRevision"))
    assert lines(world)[-1] == ("promote", "FirstRevisionUnproven")


def test_the_next_version_ends_the_look_and_is_compared_at_once() -> None:
    world = first(LIMIT, COMPARED)
    world.serves_version("v2")
    world.runs(3)

    assert "firstCheck" not in world.status
    assert (world.canary or {}).get("rules")
    world.runs(600, until="settled")
    assert (world.stable, lines(world)[2][0]) == ("v2", "start")


@pytest.mark.parametrize("writes", range(8))
def test_killed_anywhere_it_tells_the_same_once(writes: int) -> None:
    world = first(LIMIT, error_percent=30)
    world.dies_after = writes
    world.runs(200)

    assert lines(world)[1:] == [("serve", "FirstRevision"), ("hold", "FirstRevisionHarmful")]
    assert len(world.selected_pods()) == 4


def test_scaled_to_zero_nothing_is_judged_and_the_next_is_the_first_again() -> None:
    world = first(LIMIT)
    world.applies(replicas=0)
    world.runs(20)
    world.serves_version("v2")
    world.applies(replicas=4)
    world.runs(60, until="settled")

    assert (world.stable, lines(world)[-1]) == ("v2", ("serve", "FirstRevision"))
    assert world.status["firstCheck"]["until"] > world.status["stable"]["since"]


def check(**changes: Any) -> DeploymentStatus:
    found = FirstCheckStatus(started_at="2024-05-06T12:00:00Z", until="later", rules={}, **changes)
    stable = RevisionStatus(revision="a", model_version="v1")
    return DeploymentStatus(stable=stable, first_check=found)


def test_it_is_judged_as_a_canary_of_all_requests() -> None:
    found = judged_as_canary(check())

    assert found is not None
    assert (found.revision, found.traffic_started_at) == ("a", "2024-05-06T12:00:00Z")
