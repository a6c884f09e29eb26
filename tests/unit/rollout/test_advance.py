"""Rollback, else hold, else go on: what happens to a canary next."""

import pytest

from serinus.api.enums import Reason, Verb
from serinus.api.verdicts import Overall
from serinus.rollout.advance import (
    FinishPromotion,
    Hold,
    Promote,
    RollBack,
    StartStep,
    advance,
)
from tests.support.given import (
    AT_FIRST_ANALYSIS,
    AT_LAST_ANALYSIS,
    AT_PAUSE,
    AT_SECOND_WEIGHT,
    AT_TIMED_PAUSE,
    Given,
    rollout,
)

CASES = [
    ("harm", rollout().judged(Overall.HARM), RollBack, Reason.EVIDENCE_OF_HARM),
    (
        "rollback comes before hold",
        rollout().but(paused_by="ada").judged(Overall.HARM),
        RollBack,
        Reason.EVIDENCE_OF_HARM,
    ),
    (
        "rollback comes before a person's promote",
        rollout().asked(Verb.PROMOTE).judged(Overall.HARM),
        RollBack,
        Reason.EVIDENCE_OF_HARM,
    ),
    (
        "hold comes before the next step",
        rollout().judged(Overall.ERROR),
        Hold,
        Reason.METRICS_UNAVAILABLE,
    ),
    ("a weight that is reached", rollout(), StartStep, Reason.STEP_STARTED),
    (
        "a person's promote comes before hold",
        rollout().at(AT_LAST_ANALYSIS).judged(Overall.ERROR).asked(Verb.PROMOTE),
        Promote,
        Reason.PROMOTED_BY_USER,
    ),
    (
        "a person's promote ends a pause",
        rollout().at(AT_PAUSE).asked(Verb.PROMOTE),
        StartStep,
        Reason.STEP_STARTED,
    ),
    (
        "the last analysis, safe",
        rollout().at(AT_LAST_ANALYSIS, for_seconds=60).judged(Overall.SAFE),
        Promote,
        Reason.PROMOTED,
    ),
    (
        "promoted, but pods are missing",
        rollout().promoting().pods(3, of=4),
        Hold,
        Reason.WAITING_FOR_PODS,
    ),
    (
        "promoted, with all pods",
        rollout().promoting().pods(4, of=4),
        FinishPromotion,
        Reason.PROMOTED,
    ),
    (
        "promoted, and then harmful",
        rollout().promoting().pods(4, of=4).judged(Overall.HARM),
        RollBack,
        Reason.EVIDENCE_OF_HARM,
    ),
    (
        "promoted and aborted",
        rollout().promoting().asked(Verb.ABORT),
        RollBack,
        Reason.ABORTED_BY_USER,
    ),
    (
        "promoted while metrics are away goes on: it was decided",
        rollout().promoting().pods(4, of=4).judged(Overall.ERROR),
        FinishPromotion,
        Reason.PROMOTED,
    ),
    ("no steps", rollout().but(steps=()), Promote, Reason.PROMOTED_WITHOUT_EVIDENCE),
]


@pytest.mark.parametrize(
    ("given", "kind", "reason"), [row[1:] for row in CASES], ids=[row[0] for row in CASES]
)
def test_advance(given: Given, kind: type, reason: Reason) -> None:
    transition = advance(given.facts)

    assert type(transition) is kind
    assert transition.because.reason == reason


def test_steps_come_one_after_the_other_and_none_is_left_out() -> None:
    given = rollout()
    way = []
    for _ in range(10):
        transition = advance(
            given.but(step_seconds=600).judged(Overall.SAFE).asked(Verb.PROMOTE).facts
            if given.facts.step_index == AT_PAUSE
            else given.but(step_seconds=600).judged(Overall.SAFE).facts
        )
        if not isinstance(transition, StartStep):
            break
        way.append(transition.index)
        given = given.at(transition.index)

    assert way == [
        AT_FIRST_ANALYSIS,
        AT_TIMED_PAUSE,
        AT_PAUSE,
        AT_SECOND_WEIGHT,
        AT_LAST_ANALYSIS,
    ]
    assert isinstance(transition, Promote)


def test_a_promotion_that_waits_too_long_for_capacity_asks_for_a_person_and_keeps_the_canary() -> (
    None
):
    transition = advance(rollout().promoting().pods(3, of=4, waiting=600).facts)

    assert isinstance(transition, Hold)
    assert transition.waits_without_end
