"""How rounds become evidence of one metric, and how metrics share alpha."""

import math

import pytest

from serinus.analysis.cells import Arm, Cell, Rejected
from serinus.analysis.evidence import (
    after_round,
    alpha_shares,
    baseline,
    highest_log_harm,
    log_harm,
    log_safe,
    round_cap,
    stable_rate_guess,
    total_log_evidence,
)
from serinus.analysis.samples import Contradiction
from serinus.analysis.spec import AgainstMaximum, AgainstStable, Boundary, Comparison
from serinus.analysis.state import Bets, RateState
from serinus.api.verdicts import Counts
from tests.support.canary_world import errors
from tests.support.rollout_rounds import new_state

BOTH: tuple[Comparison, ...] = (
    AgainstStable(Boundary(1.25, 0.001), Boundary(2, 0.01)),
    AgainstMaximum(0.05),
)


def metric(name: str, weight: float | None = None, *, primary: bool = False):  # type: ignore[no-untyped-def]
    return errors(name=name, weight=weight, primary=primary)


@pytest.mark.parametrize(
    ("metrics", "shares"),
    [
        ([metric("a")], {"a": 1}),
        ([metric("a"), metric("b")], {"a": 1 / 2, "b": 1 / 2}),
        (
            [metric("a", primary=True), metric("b"), metric("c")],
            {"a": 1 / 2, "b": 1 / 4, "c": 1 / 4},
        ),
        ([metric("a", primary=True), metric("b", primary=True)], {"a": 1 / 2, "b": 1 / 2}),
        ([metric("a", 0.1), metric("b", 0.4)], {"a": 0.1, "b": 0.4}),
        ([metric("a", 0.4), metric("b"), metric("c")], {"a": 0.4, "b": 0.3, "c": 0.3}),
        ([metric("a", 2), metric("b", 2)], {"a": 1 / 2, "b": 1 / 2}),
        ([], {}),
    ],
    ids=[
        "one",
        "equal parts",
        "a primary has half",
        "only primaries share all",
        "weights stand",
        "what weights leave is shared",
        "weights above 1 are scaled down",
        "none",
    ],
)
def test_shares_of_alpha(metrics: list[object], shares: dict[str, float]) -> None:
    assert alpha_shares(metrics) == pytest.approx(shares)  # type: ignore[arg-type]


def test_the_total_is_the_weighted_sum() -> None:
    total = total_log_evidence([(0.25, math.log(8)), (0.75, math.log(4)), (0.0, 1000)])

    assert math.exp(total) == pytest.approx(0.25 * 8 + 0.75 * 4)
    assert total_log_evidence([]) == 0


def test_the_guess_of_stables_rate_is_the_past_alone() -> None:
    state = new_state(0.02, 100, 1)
    counts = {Cell(Arm.CANARY, "c"): Counts(0, 10), Cell(Arm.STABLE, "s"): Counts(50, 100)}

    grown = after_round(state, counts, end_ms=5, comparisons=BOTH[:1], cap=round_cap(0.01))

    assert stable_rate_guess(state) == 0.02
    assert stable_rate_guess(grown) == pytest.approx((2 + 50) / 200)
    assert grown.watermark_ms == 5
    assert (grown.canary, grown.stable) == (Counts(0, 10), Counts(50, 100))


def test_a_rejected_round_only_moves_the_watermark() -> None:
    state = new_state(0.02, 100, 1)
    rejected = Rejected(Contradiction.NOT_A_COUNT, "c-1")

    grown = after_round(state, rejected, end_ms=5, comparisons=BOTH[:1], cap=round_cap(0.01))

    assert (grown.watermark_ms, grown.rejected, grown.rejected_rounds) == (5, rejected, 1)
    assert (grown.bets, grown.canary, grown.stable) == (state.bets, state.canary, state.stable)


def test_harm_is_the_average_and_safety_the_weakest_of_two_comparisons() -> None:
    state = RateState(0, new_state(0.01, 100, 1).baseline, (Bets(), Bets()))
    bad_everywhere = {
        Cell(Arm.CANARY, "c"): Counts(50, 100),
        Cell(Arm.STABLE, "s"): Counts(500, 1000),
    }

    grown = after_round(state, bad_everywhere, end_ms=5, comparisons=BOTH, cap=round_cap(0.01))

    against_stable, against_maximum = grown.bets
    assert against_maximum.harm.log_evidence > 1.9 > 0 >= against_stable.harm.log_evidence
    assert highest_log_harm(grown) == pytest.approx(against_maximum.harm.log_evidence - math.log(2))
    assert highest_log_harm(grown) <= log_harm(grown) <= round_cap(0.01)
    assert log_safe(grown) == 0


def test_a_baseline_weighs_no_more_than_5000_requests() -> None:
    minutes = [[Counts(10, 1000)]] * 60

    known, unknown = baseline(minutes, given_inflation=1.5), baseline([], given_inflation=0.5)

    assert (known.rate, known.requests, known.variance_inflation) == (0.01, 5000, 1.5)
    assert (unknown.requests, unknown.variance_inflation) == (1, 1)
