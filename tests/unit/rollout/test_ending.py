"""Every reason for which a rollout ends without a verdict."""

import pytest

from serinus.api.enums import Reason
from serinus.rollout.ending import ENDING_RULES, EndingFacts, why_ended

CASES = [
    ("scaled to zero", EndingFacts("b", 0, "a", "b"), Reason.SCALED_TO_ZERO),
    ("back at stable", EndingFacts("b", 4, "a", "a"), Reason.BACK_TO_STABLE),
    ("yet another", EndingFacts("b", 4, "a", "c"), Reason.ROLLOUT_SUPERSEDED),
    ("another first one", EndingFacts("b", 4, None, "c"), Reason.ROLLOUT_SUPERSEDED),
    ("still wanted", EndingFacts("b", 4, "a", "b"), None),
    ("the reference leads nowhere for now", EndingFacts("b", 4, "a", None), None),
    ("the first, and its reference leads nowhere", EndingFacts("b", 4, None, None), None),
    (
        "the first, and its version is rejected meanwhile",
        EndingFacts("b", 4, None, None, rejected_version="v2"),
        Reason.MODEL_VERSION_REJECTED,
    ),
    (
        "rejected beside stable: that is a rollback's to say",
        EndingFacts("b", 4, "a", None, rejected_version="v2"),
        None,
    ),
    (
        "who asks for another says so",
        EndingFacts("b", 4, None, "c", rejected_version="v2"),
        Reason.ROLLOUT_SUPERSEDED,
    ),
    ("zero is told before what is wanted", EndingFacts("b", 0, "a", "c"), Reason.SCALED_TO_ZERO),
]


@pytest.mark.parametrize(
    ("given", "then"), [row[1:] for row in CASES], ids=[row[0] for row in CASES]
)
def test_ending(given: EndingFacts, then: Reason | None) -> None:
    found = why_ended(given)

    assert (found.reason if found else None) == then


def test_each_rule_bears_the_name_of_its_reason_and_has_its_row() -> None:
    tried = {then.name.lower() for _, _, then in CASES if then}

    assert {rule.__name__ for rule in ENDING_RULES} == tried
