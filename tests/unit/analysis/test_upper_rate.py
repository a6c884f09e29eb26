"""How high a rate can be that was counted."""

import math
import random

import pytest

from serinus.analysis.upper_rate import upper_rate


@pytest.mark.parametrize(
    ("bad", "total", "between"),
    [
        (0, 0, (1.0, 1.0)),
        (0, 1000, (0.0045, 0.0047)),  # 1 - miss ** (1 / total)
        (10, 1000, (0.018, 0.024)),
        (500, 1000, (0.53, 0.56)),
        (1000, 1000, (1.0, 1.0)),
        (2.5, 1000, (0.006, 0.011)),  # a score's sum need not be whole
    ],
)
def test_upper_rate(bad: float, total: int, between: tuple[float, float]) -> None:
    assert between[0] <= upper_rate(bad, total, miss=0.01) <= between[1]


def test_no_bad_event_gives_the_exact_bound() -> None:
    exact = 1 - math.exp(math.log(0.01) / 300)

    assert upper_rate(0, 300, miss=0.01) == pytest.approx(exact)


def test_bursts_count_for_fewer_events() -> None:
    assert upper_rate(10, 1000, miss=0.01, inflation=2) == pytest.approx(
        upper_rate(5, 500, miss=0.01)
    )


def test_it_is_too_low_no_more_often_than_allowed() -> None:
    """A thousand samples of a known rate."""
    chance = random.Random(7)
    misses = 0
    for _ in range(1000):
        bad = sum(chance.random() < 0.03 for _ in range(200))
        misses += upper_rate(bad, 200, miss=0.05) < 0.03

    assert misses <= 50
