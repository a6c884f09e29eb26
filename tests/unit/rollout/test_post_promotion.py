"""Every reason for which what was promoted is taken away again, and how."""

from dataclasses import replace

import pytest

from serinus.api.enums import AnalysisMode, Reason
from serinus.api.verdicts import Overall
from serinus.rollout.facts import Finding, Judgement
from serinus.rollout.post_promotion import (
    POST_PROMOTION_RULES,
    AwaitCapacity,
    GoBack,
    PromotedFacts,
    Restore,
    Tell,
    after_promotion,
)

DECIDED = Finding(Reason.EVIDENCE_OF_HARM, "errors: 30 %")
QUIET = PromotedFacts(
    name="revision b (v2)",
    former="revision a (v1)",
    mode=AnalysisMode.AUTO,
    judgement=None,
    going_back=None,
    available=1,
    wanted=4,
)


def said(overall: Overall, mode: AnalysisMode = AnalysisMode.AUTO) -> PromotedFacts:
    return replace(QUIET, judgement=Judgement(overall, "errors: 30 %"), mode=mode)


CASES = [
    ("nothing measured yet", QUIET, None, None),
    ("shown to be safe", said(Overall.SAFE), None, None),
    ("not yet shown", said(Overall.NOT_ENOUGH), None, None),
    ("no samples are no evidence", said(Overall.NO_DATA), None, None),
    ("nor is a provider that is away", said(Overall.ERROR), None, None),
    ("harm", said(Overall.HARM), GoBack, Reason.EVIDENCE_OF_HARM),
    ("a scalar", said(Overall.LIMIT_EXCEEDED), GoBack, Reason.SCALAR_LIMIT_EXCEEDED),
    ("observed", said(Overall.HARM, AnalysisMode.OBSERVE), Tell, Reason.EVIDENCE_OF_HARM),
    ("left to people", said(Overall.HARM, AnalysisMode.PAUSE), Tell, Reason.EVIDENCE_OF_HARM),
    ("decided, too few pods", replace(QUIET, going_back=DECIDED), AwaitCapacity, DECIDED.reason),
    (
        "decided, all pods",
        replace(QUIET, going_back=DECIDED, available=4),
        Restore,
        DECIDED.reason,
    ),
    (
        "what is decided isn't judged again",
        replace(said(Overall.SAFE), going_back=DECIDED, available=4),
        Restore,
        DECIDED.reason,
    ),
]


@pytest.mark.parametrize(
    ("facts", "kind", "reason"), [row[1:] for row in CASES], ids=[row[0] for row in CASES]
)
def test_after_promotion(facts: PromotedFacts, kind: type | None, reason: Reason | None) -> None:
    found = after_promotion(facts)

    assert (type(found) if found else None, found.because.reason if found else None) == (
        kind,
        reason,
    )


def test_the_wait_says_for_how_many_pods() -> None:
    found = after_promotion(replace(QUIET, going_back=DECIDED))

    assert found is not None
    assert "1 of 4 pods of revision a (v1) are ready" in found.because.message


def test_each_rule_bears_the_name_of_its_reason_and_has_its_row() -> None:
    tried = {reason.name.lower() for _, _, kind, reason in CASES if kind is GoBack and reason}

    assert {rule.__name__ for rule in POST_PROMOTION_RULES} == tried
