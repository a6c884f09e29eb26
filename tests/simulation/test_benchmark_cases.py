"""Each case of `hack/bench decisions`, with few rollouts: enough to see a rule that is broken.

Seeds are fixed. A share counts as broken where it would be found in less than one of a thousand
runs of a rule that just keeps its promise; a delay where it is half as long again.
"""

import pytest
from scipy.stats import binom

from benchmarks.decisions.bound import information_bound
from benchmarks.decisions.case import Case, Measure, Requirement, Sense
from benchmarks.decisions.catalogue import catalogue
from benchmarks.decisions.simulation import Chunk, played_chunk
from benchmarks.decisions.tally import Tally, measured

BROKEN = 0.001
CASES = catalogue()


def is_broken(requirement: Requirement, tally: Tally, bound_requests: float | None) -> bool:
    found = measured(tally, requirement.measure, bound_requests)
    rollouts, limit = tally.product.rollouts, requirement.limit
    if requirement.measure in (Measure.ROLLED_BACK, Measure.PROMOTED):
        if requirement.sense is Sense.AT_MOST:
            return found * rollouts > binom.ppf(1 - BROKEN, rollouts, limit)
        return found * rollouts < binom.ppf(BROKEN, rollouts, limit)
    return found > 1.5 * limit


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_a_case_keeps_its_promise_by_rounds_and_by_samples(case: Case) -> None:
    scrapes = case.traffic.scrapes * len(case.metrics)
    tally = played_chunk(case, Chunk(0, max(1, min(40, 10_000 // scrapes))))
    bound = information_bound(case)

    broken = [
        requirement
        for requirement in case.requirements
        if is_broken(requirement, tally, bound.requests if bound else None)
    ]

    assert not broken
    assert tally.whole_way >= 1 or case.cap is not None
    assert tally.whole_way_differs == 0
