"""Rollback, else hold, else go on: what happens to a canary next."""

import pytest

from serinus.api.enums import AnalysisMode, OnEvent, Reason, Verb
from serinus.api.verdicts import Overall
from serinus.rollout.advance import (
    FinishPromotion,
    Hold,
    Promote,
    RollBack,
    StartStep,
    Withdraw,
    advance,
)
from serinus.rollout.promotion_window import Closed
from serinus.rollout.steps import explicit_steps, parsed_steps
from tests.support.given import (
    AT_FIRST_ANALYSIS,
    AT_LAST_ANALYSIS,
    AT_PAUSE,
    AT_SECOND_WEIGHT,
    AT_TIMED_PAUSE,
    Given,
    rollout,
)

AT_LAST = 3  # of the default steps

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
    (
        "promoted, and a person pauses it before its pods are there",
        rollout().promoting().pods(4, of=4).but(paused_by="ada"),
        Hold,
        Reason.PAUSED_BY_USER,
    ),
    (
        "promoted, and suspended by its spec",
        rollout().promoting().pods(4, of=4).but(suspended=True),
        Hold,
        Reason.SUSPENDED,
    ),
    (
        "promoted, and the spec asks for a model that isn't there yet",
        rollout().promoting().pods(4, of=4).waits_for_another_model(),
        Hold,
        Reason.WAITING_FOR_MODEL_VERSION,
    ),
    (
        "promoted, paused, and aborted",
        rollout().promoting().but(paused_by="ada").asked(Verb.ABORT),
        RollBack,
        Reason.ABORTED_BY_USER,
    ),
    (
        "promoted without samples goes on, whatever `onNoData` says: it was decided",
        rollout().promoting().pods(4, of=4).judged(Overall.NO_DATA).on_no_data(OnEvent.ROLLBACK),
        FinishPromotion,
        Reason.PROMOTED,
    ),
    (
        "a person's promote ends their pause",
        rollout().at(AT_LAST_ANALYSIS).but(paused_by="ada").asked(Verb.PROMOTE),
        Promote,
        Reason.PROMOTED_BY_USER,
    ),
    (
        "a person's promote is no word against the spec",
        rollout().but(suspended=True).asked(Verb.PROMOTE),
        Hold,
        Reason.SUSPENDED,
    ),
    (
        "a person's promote of what the spec no longer asks for",
        rollout().waits_for_another_model().asked(Verb.PROMOTE),
        Hold,
        Reason.WAITING_FOR_MODEL_VERSION,
    ),
    (
        "a person's promote without a single pod",
        rollout().pods(0, of=1).asked(Verb.PROMOTE),
        Hold,
        Reason.WAITING_FOR_PODS,
    ),
    (
        "a person's promote with a pod of two",
        rollout().pods(1, of=2).asked(Verb.PROMOTE),
        Promote,
        Reason.PROMOTED_BY_USER,
    ),
    (
        "a person's promote ends a pause also without pods: it promotes nothing yet",
        rollout().at(AT_PAUSE).pods(0, of=1).asked(Verb.PROMOTE),
        StartStep,
        Reason.STEP_STARTED,
    ),
    (
        "harm where a person decides",
        rollout().but(mode=AnalysisMode.PAUSE).judged(Overall.HARM),
        Withdraw,
        Reason.EVIDENCE_OF_HARM,
    ),
    (
        "harm that comes together with a person's promote",
        rollout().but(mode=AnalysisMode.PAUSE).judged(Overall.HARM).asked(Verb.PROMOTE),
        Withdraw,
        Reason.EVIDENCE_OF_HARM,
    ),
    (
        "harm while it is promoted, where a person decides",
        rollout().promoting().but(mode=AnalysisMode.PAUSE).judged(Overall.HARM),
        Withdraw,
        Reason.EVIDENCE_OF_HARM,
    ),
    ("waits for a person", rollout().withdrawn(), Hold, Reason.PAUSED_BY_EVIDENCE),
    (
        "a person promotes it all the same, also from a pause",
        rollout().withdrawn().at(AT_PAUSE).asked(Verb.PROMOTE),
        Promote,
        Reason.PROMOTED_BY_USER,
    ),
    (
        "promoted by a person against the evidence",
        rollout().withdrawn().promoting().pods(4, of=4).judged(None),
        FinishPromotion,
        Reason.PROMOTED,
    ),
    (
        "a person rejects it",
        rollout().withdrawn().asked(Verb.ABORT),
        RollBack,
        Reason.ABORTED_BY_USER,
    ),
    (
        "harm that is only observed",
        rollout().but(mode=AnalysisMode.OBSERVE).judged(Overall.HARM),
        StartStep,
        Reason.STEP_STARTED,
    ),
    (
        "harm that is only observed, at the end",
        rollout()
        .at(AT_LAST_ANALYSIS, for_seconds=60)
        .but(mode=AnalysisMode.OBSERVE)
        .judged(Overall.HARM),
        Promote,
        Reason.PROMOTED_WITHOUT_EVIDENCE,
    ),
    (
        "all is shown, outside of the hours",
        rollout()
        .at(AT_LAST_ANALYSIS, for_seconds=60)
        .judged(Overall.SAFE)
        .but(window_closed=Closed(None)),
        Hold,
        Reason.OUTSIDE_PROMOTION_WINDOW,
    ),
    (
        "steps go on outside of the hours",
        rollout().but(window_closed=Closed(None)),
        StartStep,
        Reason.STEP_STARTED,
    ),
    (
        "harm outside of the hours",
        rollout().judged(Overall.HARM).but(window_closed=Closed(None)),
        RollBack,
        Reason.EVIDENCE_OF_HARM,
    ),
    (
        "a person's promote outside of the hours",
        rollout()
        .at(AT_LAST_ANALYSIS, for_seconds=60)
        .asked(Verb.PROMOTE)
        .but(window_closed=Closed(None)),
        Promote,
        Reason.PROMOTED_BY_USER,
    ),
    (
        "decided within the hours, finished after them",
        rollout().promoting().pods(4, of=4).but(window_closed=Closed(None)),
        FinishPromotion,
        Reason.PROMOTED,
    ),
    (
        "back to what was stable lately, outside of the hours",
        rollout().but(returning=True, window_closed=Closed(None)).judged(None),
        Promote,
        Reason.WITHIN_ROLLBACK_WINDOW,
    ),
    (
        "back to what was stable lately, before its pods are there",
        rollout().but(returning=True).pods(0, of=4).judged(None),
        Promote,
        Reason.WITHIN_ROLLBACK_WINDOW,
    ),
    (
        "back to what was stable lately, while the spec is suspended",
        rollout().but(returning=True, suspended=True).judged(None),
        Hold,
        Reason.SUSPENDED,
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


@pytest.mark.parametrize(
    ("given", "stands_still"),
    [
        (rollout().at(AT_TIMED_PAUSE), False),
        (rollout().at(AT_FIRST_ANALYSIS), False),
        (rollout().at(AT_FIRST_ANALYSIS).judged(Overall.ERROR), True),
        (rollout().at(AT_FIRST_ANALYSIS).pods(0, of=1), True),
        (rollout().at(AT_TIMED_PAUSE).pods(0, of=1).judged(Overall.ERROR), True),
        (rollout().at(AT_TIMED_PAUSE).judged(Overall.NO_DATA), True),
        (rollout().at(AT_TIMED_PAUSE).but(traffic_problem="a stranger"), True),
        (rollout().at(AT_TIMED_PAUSE).but(paused_by="ada").judged(Overall.ERROR), True),
    ],
)
def test_the_clock_stands_still_whichever_reason_to_hold_is_told(
    given: Given, stands_still: bool
) -> None:
    transition = advance(given.facts)

    assert isinstance(transition, Hold)
    assert transition.clock_stands_still is stands_still


@pytest.mark.parametrize(
    ("stable_replicas", "way"),
    [(1, [AT_LAST]), (2, [1, 2, AT_LAST]), (4, [1, 2, AT_LAST])],
)
def test_steps_that_whole_pods_cannot_tell_apart_become_one(
    stable_replicas: int, way: list[int]
) -> None:
    steps = parsed_steps(explicit_steps(None))
    given = rollout().but(steps=steps, stable_replicas=stable_replicas).judged(Overall.SAFE)
    taken = []
    while isinstance(transition := advance(given.facts), StartStep):
        taken.append(transition.index)
        given = given.at(transition.index)

    assert taken == way
    assert isinstance(transition, Promote)


def test_what_is_left_out_is_told() -> None:
    steps = parsed_steps(explicit_steps(None))

    transition = advance(rollout().but(steps=steps, stable_replicas=1).facts)

    assert transition.because.message == (
        "step 4 of 4: analyze (what stands before it is left out: beside 1 pod of stable it "
        "changes no pod)"
    )
