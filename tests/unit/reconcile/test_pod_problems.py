"""Why a pod can't start, in words that a person can act on."""

from typing import Any

import pytest

from serinus.api.enums import Reason
from serinus.reconcile.pod_problems import pod_problem
from tests.support.deployment_world import Behaviour, a_world


def pod(**status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "delay-1"}, "status": status}


def waiting(reason: str, message: str = "", **more: Any) -> dict[str, Any]:
    state = {"waiting": {"reason": reason, "message": message}}
    return pod(containerStatuses=[{"image": "serinus-server:9", "state": state, **more}])


CASES = [
    (
        waiting("CreateContainerConfigError", 'secret "token" not found'),
        Reason.SECRET_MISSING,
        "Secret `token` doesn't exist",
    ),
    (
        waiting("CreateContainerConfigError", "couldn't find key password in Secret flights/token"),
        Reason.SECRET_MISSING,
        "Secret `token` has no key `password`",
    ),
    (
        waiting("ImagePullBackOff", "Back-off pulling image"),
        Reason.IMAGE_PULL_FAILED,
        "image `serinus-server:9` can't be pulled",
    ),
    (waiting("ErrImageNeverPull"), Reason.IMAGE_PULL_FAILED, "ErrImageNeverPull"),
    (
        waiting("CreateContainerConfigError", "configmap broken"),
        Reason.PROGRESSING,
        "configmap broken",
    ),
    (
        waiting(
            "CrashLoopBackOff",
            restartCount=4,
            lastState={"terminated": {"reason": "OOMKilled", "exitCode": 137}},
        ),
        Reason.PROGRESSING,
        "crashed 4 times, last OOMKilled (exit code 137); see `kubectl logs delay-1 --previous`",
    ),
    (
        pod(
            conditions=[
                {
                    "type": "PodScheduled",
                    "status": "False",
                    "reason": "Unschedulable",
                    "message": "0/1 nodes are available: 1 Insufficient cpu",
                }
            ]
        ),
        Reason.POD_UNSCHEDULABLE,
        "Insufficient cpu",
    ),
]


@pytest.mark.parametrize(("given", "reason", "said"), CASES)
def test_a_pod_that_can_t_start(given: dict[str, Any], reason: Reason, said: str) -> None:
    found = pod_problem(given)

    assert found is not None
    assert found.reason == reason
    assert said in found.message
    assert "delay-1" in found.message


@pytest.mark.parametrize(
    "given",
    [
        pod(),
        waiting("ContainerCreating"),
        waiting("PodInitializing"),
        pod(containerStatuses=[{"state": {"running": {}}}], conditions=[{"type": "Ready"}]),
    ],
)
def test_a_pod_that_just_starts_has_no_problem(given: dict[str, Any]) -> None:
    assert pod_problem(given) is None


def test_the_gravest_problem_is_told() -> None:
    both = waiting("CreateContainerConfigError", 'secret "token" not found')
    both["status"]["initContainerStatuses"] = [
        {"state": {"waiting": {"reason": "CrashLoopBackOff"}}}
    ]

    found = pod_problem(both)

    assert found is not None
    assert found.reason == Reason.SECRET_MISSING


def test_a_missing_secret_is_told_in_the_deployment_s_message() -> None:
    world = a_world(progressDeadlineSeconds=30)
    world.pod_status = waiting("CreateContainerConfigError", 'secret "token" not found')["status"]
    world.behaviours["v1"] = Behaviour(starts=False)

    world.runs(10)
    early = world.status["message"]
    reason = world.condition("Reconciling")
    world.runs(40)

    assert "Secret `token` doesn't exist" in early
    assert reason == ("True", "SecretMissing")
    assert world.condition("Stalled") == ("True", "ProgressDeadlineExceeded")
    assert "Secret `token` doesn't exist" in world.status["message"]
