"""Whether a version may serve: one row for each pair of rules whose order matters."""

import pytest

from serinus.api.enums import Outcome, Phase, Reason
from serinus.api.modelversion import ModelVersion, VerificationStatus
from serinus.reconcile.modelversion_conditions import (
    Standing,
    Verification,
    observations,
    phase,
    readiness,
)
from serinus.reconcile.readiness import Note
from serinus.reconcile.run_execution import Continues
from tests.support.run_world import MODEL_VERSION_SPEC

WORKS = Continues(Note(Reason.PROGRESSING, "run is underway"))
IN_THE_WAY = Continues(Note(Reason.NAME_CONFLICT, "taken"), needs_a_person=True)
REQUIRED = {"approval": {"required": True}}


def ended(outcome: Outcome, reason: str = "Done") -> VerificationStatus:
    return VerificationStatus(
        name="v", identity="i", outcome=outcome.value, reason=reason, message=reason
    )


def standing(
    status: VerificationStatus | None = None,
    execution: Continues | None = None,
    approved_by: str | None = None,
    **spec: object,
) -> Standing:
    body = {"metadata": {"name": "delay-1"}, "spec": {**MODEL_VERSION_SPEC, **spec}}
    version = ModelVersion.model_validate(body)
    return Standing(version, Verification(status, None, execution), approved_by, None)


GOOD, BAD = ended(Outcome.SUCCEEDED), ended(Outcome.REJECTED, "ArtifactChanged")
BROKEN = ended(Outcome.FAILED, "JobFailed")


@pytest.mark.parametrize(
    ("what", "given", "ready", "word", "reason"),
    [
        ("verified", standing(GOOD), True, Phase.READY, "Succeeded"),
        ("being verified", standing(None, WORKS), None, Phase.VERIFYING, "Progressing"),
        ("its Job's name is taken", standing(None, IN_THE_WAY), None, Phase.PENDING,
         "NameConflict"),
        ("found to be another", standing(BAD), False, Phase.REJECTED, "ArtifactChanged"),
        ("the Job broke", standing(BROKEN), False, Phase.PENDING, "JobFailed"),
        ("verified, not approved", standing(GOOD, **REQUIRED), False, Phase.PENDING,
         "WaitingForApproval"),
        ("verified and approved", standing(GOOD, approved_by="maria", **REQUIRED), True,
         Phase.READY, "Succeeded"),
        ("approved and found to be another", standing(BAD, approved_by="maria", **REQUIRED),
         False, Phase.REJECTED, "ArtifactChanged"),
        ("verified, but a gate was missed", standing(GOOD, evaluation={"passed": False}), False,
         Phase.REJECTED, "GateFailed"),
        ("verified, of a format that isn't known any more",
         standing(GOOD, modelFormat={"name": "old"}), False, Phase.REJECTED, "FormatRefused"),
    ],
)  # fmt: skip
def test_readiness(
    what: str, given: Standing, ready: bool | None, word: Phase, reason: str
) -> None:
    found = readiness(given)

    assert found.ready is ready, what
    assert found.note.reason == reason
    assert phase(given, found) is word


def test_each_observation_speaks_for_itself() -> None:
    given = standing(BAD, evaluation={"passed": True}, **REQUIRED)

    assert {one.type: one.status for one in observations(given)} == {
        "ArtifactVerified": "False",
        "Evaluated": "True",
        "Approved": "False",
    }
