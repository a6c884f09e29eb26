"""What people may ask of a ModelVersion, and when it is refused."""

from datetime import timedelta

import pytest

from serinus.api.enums import Verb
from serinus.api.modelversion import ModelVersion
from serinus.reconcile.modelversion_requests import asked_for
from tests.support.run_world import NOW, a_model_version

LONG_AGO = NOW - timedelta(days=1)
UNDERWAY = {"verification": {"name": "v", "identity": "i"}}
DONE = {"verification": {"name": "v", "identity": "i", "outcome": "succeeded"}}
REJECTED = {
    "phase": "Rejected",
    "message": "bytes differ",
    "verification": {"name": "v", "identity": "i", "outcome": "rejected"},
}


def version(verb: Verb | None, status: dict[str, object], **spec: object) -> ModelVersion:
    world = a_model_version(**spec)
    if verb:
        world.ask(verb)
    return ModelVersion.model_validate({**world.resource, "status": status})


def test_nothing_asked_keeps_what_was_approved() -> None:
    asked = asked_for(version(None, {"approvedBy": "otto"}), NOW, vouched_since=LONG_AGO)

    assert asked.approved_by == "otto"
    assert asked.events == ()


@pytest.mark.parametrize(
    ("verb", "status", "outcome", "words"),
    [
        (Verb.APPROVE, DONE, "done", "approved"),
        (Verb.APPROVE, UNDERWAY, "done", "approved"),
        (Verb.APPROVE, REJECTED, "refused", "rejected: bytes differ"),
        (Verb.RETRY, DONE, "done", "verified again"),
        (Verb.RETRY, REJECTED, "done", "verified again"),
        (Verb.RETRY, UNDERWAY, "refused", "underway"),
        (Verb.PROMOTE, DONE, "refused", "`promote` is none of approve, retry"),
    ],
)
def test_requests(verb: Verb, status: dict[str, object], outcome: str, words: str) -> None:
    asked = asked_for(version(verb, status), NOW, vouched_since=LONG_AGO)

    assert asked.record is not None
    assert asked.record.outcome == outcome
    assert words in asked.record.message
    assert asked.record.actor_verified
    assert asked.verify_again is (outcome == "done" and verb is Verb.RETRY)
    assert asked.approved_by == ("maria" if outcome == "done" and verb is Verb.APPROVE else None)
    [event] = asked.events
    assert event.message.startswith(f"`{verb}` by maria: ")
