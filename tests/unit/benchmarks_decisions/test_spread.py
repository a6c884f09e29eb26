"""Each spread keeps the mean rate and inflates the variance as it says."""

import numpy as np
import pytest

from benchmarks.decisions.spread import (
    Bursts,
    Independent,
    RateOfPod,
    RateOfScrape,
    Scores,
    Spread,
)

RATE, REQUESTS = 0.02, 400


def drawn(spread: Spread, rate: float = RATE) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(20131001)
    total = np.full((200, 50, 1), REQUESTS)
    factors = spread.pod_factors(200, 1, rng)[:, np.newaxis, :]
    return spread.bad(total, np.broadcast_to(rate * factors, total.shape), rng)


@pytest.mark.parametrize(
    ("spread", "inflation"),
    [
        (Independent(), 1),
        (Bursts(2), 3),
        (Bursts(5), 9),
        (Bursts(10), 19),
        (RateOfScrape(0.005), 1 + 399 * 0.005),
        (RateOfScrape(0.02), 1 + 399 * 0.02),
        (RateOfPod(0.4), 1 + 0.16 * RATE * REQUESTS / (1 - RATE)),
    ],
    ids=str,
)
def test_mean_and_variance(spread: Spread, inflation: float) -> None:
    total, bad = drawn(spread)

    assert bad.mean() / REQUESTS == pytest.approx(RATE, rel=0.06)
    independent = REQUESTS * RATE * (1 - RATE)
    assert bad.var() / independent == pytest.approx(inflation, rel=0.15)
    assert (bad <= total).all()


def test_pods_that_differ_differ_for_as_long_as_they_live() -> None:
    _, bad = drawn(RateOfPod(0.4))
    of_pods = bad.mean(axis=(1, 2)) / REQUESTS

    assert of_pods.std() / of_pods.mean() == pytest.approx(0.4, rel=0.2)


def test_scores_have_their_mean_and_add_up_exactly() -> None:
    total = np.full((2000, 1, 1), 100)
    _, losses = Scores(2.0).bad(total, np.full(total.shape, 0.2), np.random.default_rng(1))

    assert losses.mean() / 100 == pytest.approx(0.2, rel=0.01)
    assert losses.var() / 100 == pytest.approx(0.2 * 0.8 / 11, rel=0.1)  # Beta(2, 8)
    assert np.array_equal(losses * 256, np.round(losses * 256))
