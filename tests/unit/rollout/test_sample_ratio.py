"""A split that is off is found, one that isn't is left alone, however often one looks."""

import math
from random import Random

import pytest

from serinus.rollout.sample_ratio import (
    P_OF_A_FALSE_ALARM,
    SampleRatio,
    is_mismatch,
    mismatch_p,
)


@pytest.mark.parametrize(
    ("canary", "stable", "percent", "mismatch"),
    [
        (0, 0, 50, False),
        (10, 0, 50, False),  # so few say nothing
        (5_000, 5_000, 50, False),
        (5_120, 4_880, 50, False),  # 2.4 standard deviations: chance
        (5_400, 4_600, 50, True),
        (50_900, 49_100, 50, True),  # 5.7 standard deviations
        (1_000, 9_000, 10, False),
        (1_300, 8_700, 10, True),
        (0, 2_000, 10, True),
        (100, 9_900, 1, False),
        (990_000, 10_000, 99, False),
        (5_000_000, 5_020_000, 50, True),
    ],
)
def test_a_split_is_held_against_the_plan(
    canary: int, stable: int, percent: int, *, mismatch: bool
) -> None:
    assert is_mismatch(SampleRatio(canary, stable, percent)) is mismatch


def test_what_is_nobodys_doubt_for_the_usual_chi_square_test_is_found_too() -> None:
    canary, stable = 25_000, 26_000
    chi_square = (canary - stable) ** 2 / (canary + stable)

    assert math.erfc(math.sqrt(chi_square / 2)) < 1e-4
    assert mismatch_p(SampleRatio(canary, stable, 50)) < P_OF_A_FALSE_ALARM


def test_units_that_several_pods_have_counted_count_for_one_each() -> None:
    once = SampleRatio(540, 460, 50)
    by_four = SampleRatio(4 * 540, 4 * 460, 50, pods=4)

    assert mismatch_p(by_four) == pytest.approx(mismatch_p(once))
    assert not is_mismatch(by_four)
    assert is_mismatch(SampleRatio(4 * 540, 4 * 460, 50, pods=1))


@pytest.mark.slow
@pytest.mark.parametrize("percent", [5, 50])
def test_looks_without_end_raise_no_more_false_alarms_than_promised(percent: int) -> None:
    """2,000 tests that are split as planned, each looked at 200 times."""
    draw = Random(11)
    alarms = 0
    for _ in range(2_000):
        canary = total = 0
        for _ in range(200):
            total += 50
            canary += sum(draw.random() < percent / 100 for _ in range(50))
            if is_mismatch(SampleRatio(canary, total - canary, percent)):
                alarms += 1
                break

    assert alarms <= 6, "of 2,000 at 0.001, more than 6 has a chance below 0.5 %"


@pytest.mark.slow
def test_a_loss_of_a_twentieth_of_one_arm_is_found() -> None:
    draw = Random(5)
    found = 0
    for _ in range(50):
        canary = sum(draw.random() < 0.95 for _ in range(25_000))
        found += is_mismatch(SampleRatio(canary, 25_000, 50))

    assert found == 50
