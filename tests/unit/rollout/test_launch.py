"""The first revision becomes stable by readiness alone."""

from serinus.api.enums import Reason
from serinus.rollout.advance import FinishPromotion, Hold
from serinus.rollout.facts import Finding, PodFacts
from serinus.rollout.launch import launch


def test_all_pods_ready_makes_it_stable() -> None:
    assert isinstance(
        launch("delay-1", PodFacts(3, 3), progress_deadline_seconds=60), FinishPromotion
    )


def test_missing_pods_are_waited_for() -> None:
    found = launch("delay-1", PodFacts(3, 2, 10), progress_deadline_seconds=60)

    assert isinstance(found, Hold)
    assert found.because.reason == Reason.FIRST_REVISION
    assert not found.waits_without_end


def test_after_the_deadline_a_person_should_look_and_reads_why() -> None:
    why = Finding(Reason.SECRET_MISSING, "Secret `token` doesn't exist")

    found = launch("delay-1", PodFacts(3, 0, 61, why), progress_deadline_seconds=60)

    assert isinstance(found, Hold)
    assert found.because.reason == Reason.PROGRESS_DEADLINE_EXCEEDED
    assert "Secret `token` doesn't exist" in found.because.message
    assert found.waits_without_end
