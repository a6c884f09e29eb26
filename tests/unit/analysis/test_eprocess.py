"""The e-value's promise is checked by summing over all outcomes, not by simulation."""

import itertools
import math
from dataclasses import replace

import pytest

from serinus.analysis.eprocess import (
    HARM_ODDS,
    LATE_RESERVE,
    SAFE_ODDS,
    Increment,
    Side,
    log_e_value,
    new_mixture,
    updated_mixture,
)
from serinus.analysis.spec import Boundary
from serinus.api.verdicts import Counts

CANARY, STABLE = 3, 7
LINES = [
    Boundary(1.25, 0.001),
    Boundary(2, 0.01),
    Boundary(1, 0.05),
    Boundary(1.5),
    Boundary(0, 0.1),
]


def probability(bad: int, total: int, rate: float) -> float:
    return math.comb(total, bad) * rate**bad * (1 - rate) ** (total - bad)


def expectation(
    line: Boundary, side: Side, odds: float, guess: float, p_c: float, p_s: float
) -> float:
    return sum(
        probability(x_c, CANARY, p_c)
        * probability(x_s, STABLE, p_s)
        * math.exp(
            log_e_value(
                Increment(Counts(x_c, CANARY), Counts(x_s, STABLE)),
                line,
                side,
                odds=odds,
                stable_rate_guess=guess,
            )
        )
        for x_c, x_s in itertools.product(range(CANARY + 1), range(STABLE + 1))
    )


@pytest.mark.parametrize("line", LINES, ids=str)
@pytest.mark.parametrize("guess", [0.0, 0.01, 0.2, 0.9], ids=lambda guess: f"guess {guess}")
def test_a_canary_on_the_line_earns_nothing_whatever_stable_does(
    line: Boundary, guess: float
) -> None:
    for side, grid in ((Side.HARM, HARM_ODDS), (Side.SAFE, SAFE_ODDS)):
        for odds, p_s in itertools.product(grid, (0.0, 0.001, 0.02, 0.3, 0.6, 1.0)):
            p_c = line.rate(p_s)
            if p_c <= 1:
                assert expectation(line, side, odds, guess, p_c, p_s) <= 1 + 1e-6


@pytest.mark.parametrize(
    ("side", "better", "worse"), [(Side.HARM, 0.5, 0.01), (Side.SAFE, 0.01, 0.5)]
)
def test_evidence_grows_on_its_side_of_the_line_only(
    side: Side, better: float, worse: float
) -> None:
    line = Boundary(1.25, 0.001)

    def log_e(rate: float) -> float:
        increment = Increment(Counts(rate * 100, 100), Counts(20, 400))
        return log_e_value(increment, line, side, odds=2, stable_rate_guess=0.05)

    assert log_e(better) > 0 > log_e(worse)


@pytest.mark.parametrize(
    ("canary", "stable", "line"),
    [
        (Counts(0, 0), Counts(1, 10), Boundary(1, 0.1)),
        (Counts(5, 10), Counts(0, 0), Boundary(1, 0.1)),
        (Counts(0, 0), Counts(0, 0), Boundary(0, 0.1)),
    ],
    ids=["no canary request", "no stable request to compare with", "nothing at all"],
)
def test_a_round_that_cant_tell_is_no_evidence(
    canary: Counts, stable: Counts, line: Boundary
) -> None:
    for side in Side:
        increment = Increment(canary, stable)

        assert log_e_value(increment, line, side, odds=2, stable_rate_guess=0.1) == 0


def test_a_maximum_needs_no_stable() -> None:
    increment = Increment(Counts(10, 10), Counts(0, 0))

    assert log_e_value(increment, Boundary(0, 0.05), Side.HARM, odds=40, stable_rate_guess=0) > 5


def test_all_wrong_on_both_sides_stays_finite() -> None:
    increment = Increment(Counts(1000, 1000), Counts(100_000, 100_000))
    for side, grid in ((Side.HARM, HARM_ODDS), (Side.SAFE, SAFE_ODDS)):
        for line, odds, guess in itertools.product(LINES, grid, (0.0, 0.5, 1.0)):
            log_e = log_e_value(increment, line, side, odds=odds, stable_rate_guess=guess)

            assert math.isfinite(log_e)


def test_the_stake_is_one() -> None:
    harm, safe = new_mixture(Side.HARM), new_mixture(Side.SAFE)

    assert math.isclose(sum(map(math.exp, harm.log_wealths)) + harm.reserve, 1, abs_tol=1e-8)
    assert harm.reserve == LATE_RESERVE
    assert math.isclose(sum(map(math.exp, safe.log_wealths)), 1, abs_tol=1e-8)


def test_rounds_that_say_nothing_only_move_the_reserve() -> None:
    mixture = new_mixture(Side.HARM)
    nothing = Increment(Counts(), Counts())
    for _ in range(200):
        mixture = updated_mixture(
            mixture,
            [nothing],
            Side.HARM,
            boundary=LINES[0],
            stable_rate_guess=0.01,
            variance_inflation=1,
            cap=2.3,
        )

    assert mixture.reserve < 1e-4
    assert math.isclose(mixture.log_evidence, 0, abs_tol=1e-5)


def test_one_round_never_adds_more_than_the_cap() -> None:
    disaster = Increment(Counts(1000, 1000), Counts(0, 1000))
    mixture = updated_mixture(
        new_mixture(Side.HARM),
        [disaster],
        Side.HARM,
        boundary=LINES[0],
        stable_rate_guess=0.001,
        variance_inflation=1,
        cap=2.3,
    )

    assert 2 < mixture.log_evidence <= 2.3
    assert mixture.max_log_evidence == mixture.log_evidence


def test_bursts_divide_the_evidence() -> None:
    def wealths(inflation: float) -> tuple[float, ...]:
        start = replace(new_mixture(Side.SAFE), reserve=0.0)
        return updated_mixture(
            start,
            [Increment(Counts(0, 100), Counts(0, 100))],
            Side.SAFE,
            boundary=Boundary(2, 0.01),
            stable_rate_guess=0,
            variance_inflation=inflation,
            cap=100,
        ).log_wealths

    start = new_mixture(Side.SAFE).log_wealths
    alone = [after - before for after, before in zip(wealths(1), start, strict=True)]
    bursty = [after - before for after, before in zip(wealths(4), start, strict=True)]

    assert bursty == pytest.approx([gain / 4 for gain in alone], abs=1e-8)


def test_e_values_of_one_rounds_comparisons_are_multiplied() -> None:
    first, second = (Increment(Counts(x_c, 50), Counts(x_s, 200)) for x_c, x_s in ((3, 4), (9, 20)))

    def grown(*increments: Increment) -> tuple[float, ...]:
        start = replace(new_mixture(Side.HARM), reserve=0.0)
        return updated_mixture(
            start,
            increments,
            Side.HARM,
            boundary=LINES[0],
            stable_rate_guess=0.03,
            variance_inflation=1,
            cap=100,
        ).log_wealths

    start = new_mixture(Side.HARM).log_wealths
    gains = [
        [after - before for after, before in zip(grown(*one), start, strict=True)]
        for one in ((first, second), (first,), (second,))
    ]

    assert gains[0] == pytest.approx([a + b for a, b in zip(*gains[1:], strict=True)], abs=1e-8)
