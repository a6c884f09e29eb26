"""Every reason to promote, one row a rule, and a row for each order that matters."""

import pytest

from serinus.api.enums import OnEvent, Reason, Verb
from serinus.api.verdicts import Overall
from serinus.rollout.facts import first_match
from serinus.rollout.promotion import PROMOTION_RULES, promoted_by_user
from serinus.rollout.steps import Pause, SetWeight, Shadow
from tests.support.given import AT_LAST_ANALYSIS, AT_PAUSE, Given, rollout

END = rollout().at(AT_LAST_ANALYSIS, for_seconds=3600)

CASES = [
    ("a person promotes", END.asked(Verb.PROMOTE), Reason.PROMOTED_BY_USER),
    (
        "it was stable lately",
        rollout().but(returning=True).judged(None),
        Reason.WITHIN_ROLLBACK_WINDOW,
    ),
    ("no metric gates", END.judged(Overall.NO_METRICS), Reason.PROMOTED_WITHOUT_EVIDENCE),
    (
        "no step analyzes",
        rollout().but(steps=(SetWeight(50), Pause(60)), step_index=1).judged(Overall.SAFE),
        Reason.PROMOTED_WITHOUT_EVIDENCE,
    ),
    (
        "nothing but a shadow analyzes",
        rollout()
        .but(steps=(Shadow(50, 0, 1800, last=False), SetWeight(50), Pause(60)), step_index=2)
        .judged(Overall.SAFE),
        Reason.PROMOTED_WITHOUT_EVIDENCE,
    ),
    ("no steps at all", rollout().but(steps=()).judged(None), Reason.PROMOTED_WITHOUT_EVIDENCE),
    (
        "no samples, told to",
        END.judged(Overall.NO_DATA).on_no_data(OnEvent.PROMOTE),
        Reason.NO_DATA,
    ),
    (
        "no safety in time, told to",
        END.judged(Overall.NO_HARM).on_deadline(OnEvent.PROMOTE),
        Reason.ANALYSIS_DEADLINE_EXCEEDED,
    ),
    ("safe", END.judged(Overall.SAFE), Reason.PROMOTED),
    # order
    (
        "a person's word is recorded as such, whatever the evidence",
        END.asked(Verb.PROMOTE).judged(Overall.SAFE),
        Reason.PROMOTED_BY_USER,
    ),
    (
        "safe in time is safe, whatever a deadline would have said",
        END.judged(Overall.SAFE).on_deadline(OnEvent.PROMOTE),
        Reason.PROMOTED,
    ),
    (
        "without samples is said before the deadline is",
        END.judged(Overall.NO_DATA).on_no_data(OnEvent.PROMOTE).on_deadline(OnEvent.PROMOTE),
        Reason.NO_DATA,
    ),
]


@pytest.mark.parametrize(
    ("given", "then"), [row[1:] for row in CASES], ids=[row[0] for row in CASES]
)
def test_promotion(given: Given, then: Reason) -> None:
    found = first_match(PROMOTION_RULES, given.facts)

    assert found is not None
    assert found.reason == then
    assert "c0ffee0000" in found.message


def test_each_rule_bears_the_name_of_its_reason_and_has_its_row() -> None:
    tried = {then.name.lower() for _, _, then in CASES}

    assert {rule.__name__ for rule in PROMOTION_RULES} == tried


def test_in_a_pause_promote_only_ends_the_pause() -> None:
    assert promoted_by_user(rollout().at(AT_PAUSE).asked(Verb.PROMOTE).facts) is None
