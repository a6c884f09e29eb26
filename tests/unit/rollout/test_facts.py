"""What facts say about themselves."""

from serinus.api.enums import Reason, Verb
from serinus.rollout.facts import Finding, PodFacts, RolloutFacts, first_match
from tests.support.given import rollout


def test_the_first_rule_that_applies_wins() -> None:
    def never(facts: int) -> Finding | None:
        return None

    def odd(facts: int) -> Finding | None:
        return Finding(Reason.PROGRESSING, "odd") if facts % 2 else None

    def always(facts: int) -> Finding | None:
        return Finding(Reason.SUCCEEDED, "always")

    assert first_match((never, odd, always), 1) == Finding(Reason.PROGRESSING, "odd")
    assert first_match((never, odd, always), 2) == Finding(Reason.SUCCEEDED, "always")
    assert first_match((never,), 1) is None


def test_after_the_last_step_there_is_no_step() -> None:
    facts: RolloutFacts = rollout().at(99).facts

    assert facts.step is None


def test_a_request_is_asked_for_by_its_verb_only() -> None:
    facts = rollout().asked(Verb.ABORT).facts

    assert facts.asked_for(Verb.ABORT)
    assert not facts.asked_for(Verb.PROMOTE)


def test_no_pods_wanted_is_ready() -> None:
    assert PodFacts(wanted=0, available=0).ready
    assert not PodFacts(wanted=1, available=0).ready
