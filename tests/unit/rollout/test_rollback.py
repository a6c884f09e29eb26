"""Every reason to roll back, one row a rule, and a row for each order that matters."""

import pytest

from serinus.api.enums import AnalysisMode, OnEvent, Reason, Verb
from serinus.api.hooks import HookAnswer, HookType
from serinus.api.verdicts import Overall
from serinus.rollout.facts import Finding, PodFacts, first_match
from serinus.rollout.hooks import HookFacts
from serinus.rollout.rollback import (
    ROLLBACK_RULES,
    why_rolled_back,
    why_withdrawn,
    would_have_rolled_back,
)
from tests.support.given import (
    AT_FIRST_ANALYSIS,
    AT_LAST_ANALYSIS,
    AT_PAUSE,
    AT_WEIGHT,
    Given,
    rollout,
)

HOUR = 3600.0

NO_NODE = Finding(Reason.POD_UNSCHEDULABLE, "finds no node")
HOOK_SAYS_YES = HookFacts(HookType.ROLLBACK, "desk", HookAnswer.YES)

CASES = [
    ("a hook says to", rollout().but(hooks=(HOOK_SAYS_YES,)), Reason.ROLLED_BACK_BY_HOOK),
    (
        "evidence of harm is told before a hook's word",
        rollout().but(hooks=(HOOK_SAYS_YES,)).judged(Overall.HARM),
        Reason.EVIDENCE_OF_HARM,
    ),
    (
        "a hook says to while it is promoted",
        rollout().but(hooks=(HOOK_SAYS_YES,)).promoting(),
        Reason.ROLLED_BACK_BY_HOOK,
    ),
    ("a person aborts", rollout().asked(Verb.ABORT), Reason.ABORTED_BY_USER),
    ("the revision is rejected", rollout().but(rejected=True), Reason.REVISION_REJECTED_BEFORE),
    (
        "its ModelVersion was rejected meanwhile",
        rollout().but(canary_version_rejected=True),
        Reason.MODEL_VERSION_REJECTED,
    ),
    ("harm beyond alpha", rollout().judged(Overall.HARM), Reason.EVIDENCE_OF_HARM),
    ("harm in a pause", rollout().at(AT_PAUSE).judged(Overall.HARM), Reason.EVIDENCE_OF_HARM),
    (
        "harm while paused",
        rollout().but(paused_by="ada").judged(Overall.HARM),
        Reason.EVIDENCE_OF_HARM,
    ),
    ("harm while promoting", rollout().promoting().judged(Overall.HARM), Reason.EVIDENCE_OF_HARM),
    (
        "a scalar is outside its limits",
        rollout().judged(Overall.LIMIT_EXCEEDED),
        Reason.SCALAR_LIMIT_EXCEEDED,
    ),
    (
        "the pods don't become ready in time",
        rollout().pods(0, of=1, waiting=600),
        Reason.PROGRESS_DEADLINE_EXCEEDED,
    ),
    (
        "no node for any pod",
        rollout().but(pods=PodFacts(1, 0, 600, NO_NODE)),
        Reason.PROGRESS_DEADLINE_EXCEEDED,
    ),
    (
        "the other pod crashes",
        rollout().but(pods=PodFacts(2, 1, 600, Finding(Reason.PROGRESSING, "crashed"))),
        Reason.PROGRESS_DEADLINE_EXCEEDED,
    ),
    ("no node for the other pod", rollout().but(pods=PodFacts(2, 1, 600, NO_NODE)), None),
    (
        "the deadline is over and says rollback",
        rollout()
        .at(AT_LAST_ANALYSIS, for_seconds=HOUR)
        .judged(Overall.NO_HARM)
        .on_deadline(OnEvent.ROLLBACK),
        Reason.ANALYSIS_DEADLINE_EXCEEDED,
    ),
    (
        "much that speaks for harm at the deadline of a middle step",
        rollout()
        .at(AT_FIRST_ANALYSIS, for_seconds=HOUR)
        .looming(0.45)
        .on_deadline(OnEvent.ROLLBACK),
        Reason.ANALYSIS_DEADLINE_EXCEEDED,
    ),
    (
        "too few requests at the deadline of a middle step",
        rollout()
        .at(AT_FIRST_ANALYSIS, for_seconds=HOUR)
        .judged(Overall.NOT_ENOUGH)
        .on_deadline(OnEvent.ROLLBACK),
        Reason.ANALYSIS_DEADLINE_EXCEEDED,
    ),
    (
        "no samples and told to roll back",
        rollout().judged(Overall.NO_DATA).on_no_data(OnEvent.ROLLBACK),
        Reason.NO_DATA,
    ),
    (
        "no samples in a pause and told to roll back",
        rollout().at(AT_PAUSE).judged(Overall.NO_DATA).on_no_data(OnEvent.ROLLBACK),
        Reason.NO_DATA,
    ),
    # order
    (
        "a person's word comes before statistics",
        rollout().asked(Verb.ABORT).judged(Overall.HARM),
        Reason.ABORTED_BY_USER,
    ),
    (
        "a rejected revision needs no new evidence",
        rollout().but(rejected=True).judged(Overall.HARM),
        Reason.REVISION_REJECTED_BEFORE,
    ),
    (
        "the model's own rejection comes before what it does",
        rollout().but(canary_version_rejected=True).judged(Overall.HARM),
        Reason.MODEL_VERSION_REJECTED,
    ),
    (
        "evidence says more than pods that are missing",
        rollout().judged(Overall.HARM).pods(0, of=1, waiting=HOUR),
        Reason.EVIDENCE_OF_HARM,
    ),
    # no reason to roll back
    ("all is well", rollout(), None),
    ("a person promotes", rollout().asked(Verb.PROMOTE), None),
    (
        "Prometheus is away for days",
        rollout().judged(Overall.ERROR).at(1, for_seconds=99 * HOUR),
        None,
    ),
    ("no samples for days", rollout().judged(Overall.NO_DATA).at(1, for_seconds=99 * HOUR), None),
    ("nothing was judged yet", rollout().judged(None), None),
    ("pods are still starting", rollout().pods(0, of=1, waiting=599), None),
    (
        "capacity is missing for what is promoted",
        rollout().promoting().pods(1, of=4, waiting=HOUR),
        None,
    ),
    (
        "capacity is missing for what was stable lately",
        rollout().but(returning=True).pods(1, of=4, waiting=HOUR),
        None,
    ),
    (
        "samples are missing for what is promoted",
        rollout().promoting().judged(Overall.NO_DATA).on_no_data(OnEvent.ROLLBACK),
        None,
    ),
    (
        "the deadline is over and says hold",
        rollout().at(AT_LAST_ANALYSIS, for_seconds=HOUR).judged(Overall.NO_HARM),
        None,
    ),
    (
        "a middle step that may go on has no deadline",
        rollout()
        .at(AT_FIRST_ANALYSIS, for_seconds=HOUR)
        .judged(Overall.NO_HARM)
        .on_deadline(OnEvent.ROLLBACK),
        None,
    ),
    (
        "safe at the deadline",
        rollout()
        .at(AT_LAST_ANALYSIS, for_seconds=HOUR)
        .judged(Overall.SAFE)
        .on_deadline(OnEvent.ROLLBACK),
        None,
    ),
    (
        "a weight has no analysis and so no deadline",
        rollout().at(AT_WEIGHT, for_seconds=HOUR).on_deadline(OnEvent.ROLLBACK),
        None,
    ),
]


@pytest.mark.parametrize(
    ("given", "then"), [row[1:] for row in CASES], ids=[row[0] for row in CASES]
)
def test_rollback(given: Given, then: Reason | None) -> None:
    found = first_match(ROLLBACK_RULES, given.facts)

    assert (found.reason if found else None) == then
    assert found is None or found.message


EVIDENCE = [
    (rollout().judged(Overall.HARM), Reason.EVIDENCE_OF_HARM),
    (rollout().judged(Overall.LIMIT_EXCEEDED), Reason.SCALAR_LIMIT_EXCEEDED),
    (rollout().judged(Overall.NO_DATA).on_no_data(OnEvent.ROLLBACK), Reason.NO_DATA),
    (
        rollout()
        .at(AT_LAST_ANALYSIS, for_seconds=HOUR)
        .judged(Overall.NO_HARM)
        .on_deadline(OnEvent.ROLLBACK),
        Reason.ANALYSIS_DEADLINE_EXCEEDED,
    ),
]


@pytest.mark.parametrize(("given", "reason"), EVIDENCE)
def test_what_evidence_may_do_is_what_the_mode_says(given: Given, reason: Reason) -> None:
    of = {mode: given.but(mode=mode).facts for mode in AnalysisMode}
    answers = {
        mode: [
            found.reason if (found := asks(facts)) else None
            for asks in (why_rolled_back, why_withdrawn, would_have_rolled_back)
        ]
        for mode, facts in of.items()
    }

    assert answers == {
        AnalysisMode.AUTO: [reason, None, None],
        AnalysisMode.PAUSE: [None, reason, None],
        AnalysisMode.OBSERVE: [None, None, reason],
    }


@pytest.mark.parametrize("mode", AnalysisMode)
@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (rollout().asked(Verb.ABORT), Reason.ABORTED_BY_USER),
        (rollout().but(rejected=True), Reason.REVISION_REJECTED_BEFORE),
        (rollout().but(canary_version_rejected=True), Reason.MODEL_VERSION_REJECTED),
        (rollout().pods(0, of=1, waiting=600), Reason.PROGRESS_DEADLINE_EXCEEDED),
    ],
)
def test_what_isn_t_evidence_rolls_back_in_every_mode(
    mode: AnalysisMode, given: Given, reason: Reason
) -> None:
    found = why_rolled_back(given.but(mode=mode).facts)

    assert found is not None
    assert found.reason == reason


def test_requests_are_taken_away_once_and_pods_that_are_kept_have_no_deadline() -> None:
    given = rollout().withdrawn().judged(Overall.HARM).pods(0, of=1, waiting=HOUR)

    assert why_withdrawn(given.facts) is None
    assert why_rolled_back(given.facts) is None


def test_each_rule_bears_the_name_of_its_reason() -> None:
    reasons = {reason.name.lower() for reason in Reason}

    assert {rule.__name__ for rule in ROLLBACK_RULES} <= reasons


def test_each_rule_has_its_row() -> None:
    tried = {then for _, _, then in CASES if then}

    assert {reason.name.lower() for reason in tried} == {rule.__name__ for rule in ROLLBACK_RULES}


def test_the_message_of_missing_pods_says_which_and_why() -> None:
    given = rollout().pods(0, of=2, waiting=700, problem="Secret `token` doesn't exist")

    found = first_match(ROLLBACK_RULES, given.facts)

    assert found is not None
    assert "0 of 2 pods" in found.message
    assert "Secret `token` doesn't exist" in found.message


@pytest.mark.parametrize(
    ("given", "then"), [row[1:] for row in CASES if row[2]], ids=[row[0] for row in CASES if row[2]]
)
def test_what_no_error_rate_covers_says_so(given: Given, then: Reason) -> None:
    found = first_match(ROLLBACK_RULES, given.facts)

    covered = {
        Reason.EVIDENCE_OF_HARM,
        Reason.ABORTED_BY_USER,
        Reason.REVISION_REJECTED_BEFORE,
        Reason.MODEL_VERSION_REJECTED,
    }
    assert found is not None
    assert ("`falseRollbackRate` doesn't cover" in found.message) is (then not in covered)
