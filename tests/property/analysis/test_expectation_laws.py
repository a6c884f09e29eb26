"""The promise itself, summed over all outcomes: on the line, evidence is worth what was staked.

A process whose expectation stays at its stake, whatever came before, exceeds 1/alpha times it with
probability at most alpha, at whatever moments one looks (Ville, 1939). So it is enough that no
sequence of rounds, however it is cut, gains in expectation.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from serinus.analysis.cells import Arm, Cell, PodCounts
from serinus.analysis.evidence import after_round, round_cap
from serinus.analysis.spec import AgainstStable, Boundary
from serinus.analysis.state import RateState
from serinus.api.verdicts import Counts
from tests.support.rollout_rounds import new_state

ROUNDING = 1e-6


@dataclass(frozen=True)
class Batch:
    """Requests of one round or cohort, and stable's true rate in it.

    The rate is a share of the highest one with which the canary can be on the line.
    """

    canary: int
    stable: int
    share: float

    def rates(self, line: Boundary) -> tuple[float, float]:
        """True rates of canary and stable."""
        highest = min(1.0, (1 - line.increase) / line.ratio) if line.ratio else 1.0
        return min(1.0, line.rate(self.share * highest)), self.share * highest


batches = st.builds(Batch, st.integers(0, 2), st.integers(0, 3), st.floats(0, 1))
lines = st.builds(
    Boundary,
    ratio=st.sampled_from([0.0, 0.5, 1.0, 1.25, 3.0]),
    increase=st.sampled_from([0.001, 0.05, 0.3]),
)


def outcomes(batch: Batch, line: Boundary) -> Iterator[tuple[float, int, int]]:
    """Probability of each number of bad answers, with the canary on the line."""
    canary_rate, stable_rate = batch.rates(line)
    for bad_canary, bad_stable in itertools.product(
        range(batch.canary + 1), range(batch.stable + 1)
    ):
        chance = _binomial(bad_canary, batch.canary, canary_rate) * _binomial(
            bad_stable, batch.stable, stable_rate
        )
        if chance > 0:
            yield chance, bad_canary, bad_stable


def _binomial(bad: int, total: int, rate: float) -> float:
    return math.comb(total, bad) * rate**bad * (1 - rate) ** (total - bad)


def expected_evidence(
    state: RateState, rounds: Sequence[Sequence[Batch]], line: Boundary, alpha: float
) -> tuple[float, float]:
    """Of harm and of safety after all rounds; each of them may have several cohorts."""
    if not rounds:
        (bets,) = state.bets
        return math.exp(bets.harm.log_evidence), math.exp(bets.safe.log_evidence)
    comparison = AgainstStable(tolerance=line, margin=line)
    harm = safe = 0.0
    for found in itertools.product(*(outcomes(batch, line) for batch in rounds[0])):
        counts: dict[Cell, Counts] = {}
        for cohort, (batch, (_, bad_canary, bad_stable)) in enumerate(
            zip(rounds[0], found, strict=True)
        ):
            counts[Cell(Arm.CANARY, "c", float(cohort))] = Counts(bad_canary, batch.canary)
            counts[Cell(Arm.STABLE, "s", float(cohort))] = Counts(bad_stable, batch.stable)
        chance = math.prod(one[0] for one in found)
        grown = _after(state, counts, comparison, alpha)
        harm_then, safe_then = expected_evidence(grown, rounds[1:], line, alpha)
        harm, safe = harm + chance * harm_then, safe + chance * safe_then
    return harm, safe


def _after(
    state: RateState, counts: PodCounts, comparison: AgainstStable, alpha: float
) -> RateState:
    end_ms = state.watermark_ms + 1
    return after_round(
        state, counts, end_ms=end_ms, comparisons=(comparison,), cap=round_cap(alpha)
    )


@settings(max_examples=60)
@given(
    st.lists(batches, max_size=3).map(lambda found: [[one] for one in found]),
    lines,
    st.floats(0, 1),
    st.sampled_from([1.0, 1.3, 2.0, 9.0]),
    st.sampled_from([0.5, 0.01]),
)
def test_no_way_to_cut_requests_into_rounds_gains_in_expectation(
    rounds: list[list[Batch]], line: Boundary, guess: float, inflation: float, alpha: float
) -> None:
    evidence = expected_evidence(new_state(guess, 10, inflation), rounds, line, alpha)

    assert max(evidence) <= 1 + ROUNDING


cohorts_that_both_answered = st.builds(Batch, st.integers(1, 2), st.integers(1, 2), st.floats(0, 1))


@settings(max_examples=40)
@given(
    st.lists(st.lists(cohorts_that_both_answered, min_size=2, max_size=2), max_size=2),
    lines,
    st.floats(0, 1),
)
def test_no_mixture_of_cohorts_gains_in_expectation_however_their_rates_and_shares_differ(
    rounds: list[list[Batch]], line: Boundary, guess: float
) -> None:
    evidence = expected_evidence(new_state(guess, 10, 1.0), rounds, line, 0.01)

    assert max(evidence) <= 1 + ROUNDING
