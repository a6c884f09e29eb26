"""Labels are compared cohort by cohort; with few of them, few cohorts are taken together."""

from dataclasses import dataclass, replace

import pytest

from serinus.analysis.cells import Arm, Cell, PodCounts
from serinus.analysis.evidence import after_round, log_harm, round_cap
from serinus.analysis.spec import DEFAULT_COMPARISON
from serinus.analysis.state import RateState
from serinus.analysis.strata import strata
from serinus.api.enums import MetricTemplate
from serinus.api.verdicts import Counts
from tests.support.rollout_rounds import new_state

LABELS = DEFAULT_COMPARISON[MetricTemplate.WRONG_PREDICTIONS]
Numbers = tuple[int, int]


def counted(*cohorts: tuple[int, Numbers, Numbers]) -> PodCounts:
    """Wrong and all labels of canary and stable, by cohort; (0, 0) was never counted."""
    return {
        Cell(arm, f"{arm}-1", float(cohort)): Counts(wrong, total)
        for cohort, *arms in cohorts
        for arm, (wrong, total) in zip((Arm.CANARY, Arm.STABLE), arms, strict=True)
        if total
    }


@dataclass(frozen=True)
class Case:
    says: str
    given: PodCounts
    then: list[tuple[Numbers, Numbers]]


CASES = [
    Case("requests have no cohort", counted((0, (1, 10), (2, 30))), [((1, 10), (2, 30))]),
    Case(
        "each cohort for itself, the newest first",
        counted((300, (1, 4), (1, 9)), (600, (2, 5), (3, 8))),
        [((2, 5), (3, 8)), ((1, 4), (1, 9))],
    ),
    Case(
        "one of stable alone goes with the next older",
        counted((300, (1, 4), (1, 9)), (600, (0, 0), (3, 8)), (900, (1, 1), (0, 3))),
        [((1, 1), (0, 3)), ((1, 4), (4, 17))],
    ),
    Case(
        "the oldest of one version alone go with those before them",
        counted((300, (0, 0), (1, 9)), (600, (0, 0), (0, 2)), (900, (1, 1), (0, 3))),
        [((1, 1), (1, 14))],
    ),
    Case(
        "one version alone",
        counted((300, (0, 0), (1, 9)), (600, (0, 0), (0, 1))),
        [((0, 0), (1, 10))],
    ),
    Case("nothing", {}, [((0, 0), (0, 0))]),
]


def after_rounds(rounds: int, of: PodCounts) -> RateState:
    state = new_state(0.1, 5000, 1)
    for end in range(rounds):
        state = after_round(state, of, end_ms=end, comparisons=(LABELS,), cap=round_cap(0.01))
    return state


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says)
def test_what_is_compared(case: Case) -> None:
    found = [
        tuple((round(arm.bad), arm.total) for arm in (one.canary, one.stable))
        for one in strata(case.given)
    ]

    assert found == case.then


def test_pods_of_one_version_are_added_up() -> None:
    pods: PodCounts = {
        Cell(Arm.CANARY, "c-1", 300.0): Counts(1, 4),
        Cell(Arm.CANARY, "c-2", 300.0): Counts(0.5, 2),
        Cell(Arm.STABLE, "s-1", 300.0): Counts(0, 1),
        Cell(Arm.STABLE, "s-1", 600.0): Counts(0, 1),
        Cell(Arm.CANARY, "c-1", 600.0): Counts(0, 1),
    }

    assert strata(pods)[1].canary == Counts(1.5, 6)


def test_wrong_answers_that_are_known_sooner_are_no_harm_to_a_canary_whose_share_grows() -> None:
    """Both versions: half of the young labels are wrong, one in twenty of the old ones."""
    growing = counted((300, (1, 20), (50, 1000)), (600, (50, 100), (50, 100)))
    without_cohorts = counted((0, (51, 120), (100, 1100)))

    fair, pooled = after_rounds(20, growing), after_rounds(20, without_cohorts)

    assert log_harm(fair) < 0 < 20 < log_harm(pooled)
    assert fair.canary == pooled.canary == Counts(20 * 51, 20 * 120)
    assert replace(fair, bets=pooled.bets) == pooled
