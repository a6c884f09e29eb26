"""ModelVersion: format, gates, verification, approval, and who serves it."""

from typing import Any

import pytest

from serinus.api.enums import Outcome, Reason, Verb
from tests.support.run_world import NAMESPACE, RunWorld, a_model_version

VERIFY = "delay-1-verify"
PREDICTOR = {"kind": "linear", "verifiedRows": 1000, "mismatches": 0, "p50Micros": 3}


def verified(**spec: Any) -> RunWorld:
    world = a_model_version(**spec).passes()
    return world.run_ends(VERIFY, Outcome.SUCCEEDED, predictor=PREDICTOR).passes()


def test_a_new_version_is_verified_by_a_job_that_may_only_write_its_result() -> None:
    world = a_model_version().passes()

    assert world.status["phase"] == "Verifying"
    assert world.jobs == [VERIFY]
    [container] = world.job(VERIFY)["spec"]["template"]["spec"]["containers"]
    store = [mount for mount in container["volumeMounts"] if mount["name"] == "store"]
    assert store == [
        {"name": "store", "mountPath": "/store/runs", "subPath": "runs"},
        {"name": "store", "mountPath": "/store", "readOnly": True},
    ]


def test_a_verified_version_is_ready_and_is_not_verified_twice() -> None:
    world = verified()
    world.delete("Job", VERIFY).later(days=1).passes()

    assert world.status["phase"] == "Ready"
    assert world.status["predictor"] == PREDICTOR
    assert world.condition("ArtifactVerified") == ("True", Reason.VERIFIED)
    assert world.condition("Ready")[0] == "True"
    assert world.condition("Approved") == ("True", Reason.NOT_REQUIRED)
    assert world.created_jobs() == [VERIFY]


@pytest.mark.parametrize(
    ("model_format", "words"),
    [
        ({"name": "pickle"}, "loading it runs code"),
        ({"name": "Joblib"}, "loading it runs code"),
        ({"name": "pmml"}, "`pmml` is unknown; expected `serinus`"),
        ({"name": "serinus", "version": "9"}, "`9` of `serinus` is unknown; expected `1`"),
    ],
)
def test_a_format_that_is_not_data_is_refused_without_a_job(
    model_format: dict[str, str], words: str
) -> None:
    world = a_model_version(modelFormat=model_format).passes()

    assert world.status["phase"] == "Rejected"
    assert world.condition("ArtifactVerified") == ("False", Reason.FORMAT_REFUSED)
    assert world.status["message"].startswith("spec.modelFormat.")
    assert words in world.status["message"]
    assert world.jobs == []
    assert [event.reason for event in world.events] == [Reason.FORMAT_REFUSED]


def test_a_missed_gate_is_rejected_and_never_verified() -> None:
    gate = {"metric": "roc_auc", "value": "0.55", "min": "0.60", "passed": False}
    world = a_model_version(evaluation={"passed": False, "gates": [gate]}).passes()

    assert world.status["phase"] == "Rejected"
    assert world.condition("Evaluated") == ("False", Reason.GATE_FAILED)
    assert "roc_auc is 0.55, outside min 0.60" in world.status["message"]
    assert world.jobs == []


@pytest.mark.parametrize("reason", ["ArtifactChanged", "SignatureMismatch", "PredictorMismatch"])
@pytest.mark.parametrize("outcome", [Outcome.REJECTED, Outcome.FAILED])
def test_what_verification_finds_rejects_the_version(reason: str, outcome: Outcome) -> None:
    world = a_model_version().passes()
    world.run_ends(VERIFY, outcome, reason=reason, message="bytes differ").passes()

    assert world.status["phase"] == "Rejected"
    assert world.condition("ArtifactVerified") == ("False", reason)
    assert world.condition("Stalled") == ("True", reason)
    assert world.condition("Ready") == ("False", reason)
    assert [event.reason for event in world.events] == [reason]


def test_a_job_that_broke_says_nothing_about_the_artifact() -> None:
    world = a_model_version().passes()
    world.pod_ends(VERIFY, "disk error", 1, reason="Error")
    world.job_ends(VERIFY, "Failed", "BackoffLimitExceeded").passes()

    assert world.status["phase"] == "Pending"
    assert world.condition("Stalled") == ("True", Reason.JOB_FAILED)
    assert world.condition("ArtifactVerified")[0] == "Unknown"

    world.later(minutes=1).ask(Verb.RETRY).passes()

    assert world.created_jobs() == [VERIFY, VERIFY]
    assert world.status["phase"] == "Verifying"


def test_verified_again_it_gets_no_older_result() -> None:
    world = a_model_version().passes()
    before = world.run_input(VERIFY).identity
    world.run_ends(VERIFY, Outcome.REJECTED, reason="ArtifactChanged").passes()
    world.later(minutes=1).ask(Verb.RETRY).passes()

    assert world.run_input(VERIFY).identity != before


def test_a_version_that_is_applied_again_is_verified_again() -> None:
    world = verified()
    before = world.run_input(VERIFY).identity
    world.apply_again().later(seconds=1).passes()

    assert world.run_input(VERIFY).identity != before
    assert world.status["phase"] == "Verifying"


def test_a_lost_status_is_verified_again() -> None:
    world = verified()
    world.resource.pop("status")
    world.later(seconds=1).passes()

    assert world.created_jobs() == [VERIFY, VERIFY]


def test_it_waits_for_approval_where_that_is_required() -> None:
    world = verified(approval={"required": True})

    assert world.status["phase"] == "Pending"
    assert world.condition("Approved") == ("False", Reason.WAITING_FOR_APPROVAL)
    assert world.condition("Ready")[0] == "False"
    assert "kubectl serinus approve" in world.status["message"]

    world.ask(Verb.APPROVE).passes()

    assert world.status["approvedBy"] == "maria"
    assert world.status["approvedAt"] == "2026-01-01T12:00:00Z"
    assert world.status["phase"] == "Ready"
    assert world.condition("Approved") == ("True", Reason.APPROVED)


def test_a_person_can_approve_while_it_is_being_verified() -> None:
    world = a_model_version(approval={"required": True}).passes().ask(Verb.APPROVE).passes()
    world.run_ends(VERIFY, Outcome.SUCCEEDED, predictor=PREDICTOR).passes()

    assert world.status["phase"] == "Ready"


@pytest.mark.parametrize("verb", [Verb.APPROVE, Verb.RETRY])
def test_a_version_that_missed_its_gate_cannot_be_approved_or_tried_again(verb: Verb) -> None:
    world = a_model_version(evaluation={"passed": False}).passes().ask(verb).passes()

    assert world.status["lastHandledRequest"]["outcome"] == "refused"
    assert "rejected for good" in world.status["lastHandledRequest"]["message"]
    assert "approvedBy" not in world.status


def test_an_approval_counts_once_and_only_for_this_object() -> None:
    world = verified(approval={"required": True})
    world.ask(Verb.APPROVE, uid="another").passes()

    assert world.status["lastHandledRequest"]["outcome"] == "refused"
    assert world.condition("Approved")[0] == "False"


def test_it_tells_who_serves_it() -> None:
    world = verified()
    world.deployments = [
        deployment("b", stable="delay-1"),
        deployment("a", stable="delay-0", canary="delay-1"),
        deployment("c", stable="delay-0"),
        {"metadata": {"name": "d", "namespace": NAMESPACE}, "status": {"stable": "broken"}},
    ]
    world.passes()

    assert world.status["servedBy"] == [
        {"deployment": "a", "role": "canary"},
        {"deployment": "b", "role": "stable"},
    ]


def deployment(name: str, *, stable: str, canary: str | None = None) -> dict[str, Any]:
    moment = "2026-01-01T00:00:00Z"
    status: dict[str, Any] = {"stable": {"revision": "a" * 10, "modelVersion": stable}}
    if canary:
        status["canary"] = {
            "revision": "b" * 10,
            "modelVersion": canary,
            "startedAt": moment,
            "stepStartedAt": moment,
        }
    return {"metadata": {"name": name, "namespace": NAMESPACE}, "status": status}
