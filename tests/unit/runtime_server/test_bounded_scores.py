"""What each score says of a prediction and its label, by hand."""

import math

import numpy as np
import pytest

from serinus_runtime.server.bounded_scores import (
    absolute_error_share,
    brier_share,
    log_loss_share,
    pinball_share,
    squared_error_share,
)

HUGE = 1.7e308


@pytest.mark.parametrize(
    ("probabilities", "position", "share"),
    [
        ([0.3, 0.7], 1, 0.09),
        ([0.3, 0.7], 0, 0.49),
        ([1.0, 0.0], 1, 1.0),
        ([0.0, 1.0], 1, 0.0),
        ([0.5, 0.25, 0.25], 0, 0.1875),
        ([0.0, 0.0, 1.0], 0, 1.0),
    ],
)
def test_brier(probabilities: list[float], position: int, share: float) -> None:
    assert brier_share(np.array(probabilities), position) == pytest.approx(share)


@pytest.mark.parametrize(
    ("probabilities", "position", "bound", "share"),
    [
        ([0.5, 0.5], 0, 1.0, math.log(2)),
        ([0.5, 0.5], 0, 2.0, math.log(2) / 2),
        ([0.1, 0.9], 0, 1.0, 1.0),
        ([0.0, 1.0], 1, 5.0, 0.0),
        ([0.0, 1.0], 0, 5.0, 1.0),
        ([0.2, 0.2, 0.6], 2, 5.0, -math.log(0.6) / 5),
        ([0.0, 1.0000001], 1, 5.0, 0.0),
        ([0.5, 0.5], 2, 5.0, 1.0),
    ],
)
def test_log_loss(probabilities: list[float], position: int, bound: float, share: float) -> None:
    found = log_loss_share(np.array(probabilities), position, bound=bound)

    assert found == pytest.approx(share)


@pytest.mark.parametrize(
    ("answer", "label", "absolute", "squared", "low", "high"),
    [
        # bounds are 60 and 3600; the quantiles 0.1 and 0.9
        (10.0, 10.0, 0.0, 0.0, 0.0, 0.0),
        (10.0, 40.0, 0.5, 0.25, 0.05, 0.45),
        (40.0, 10.0, 0.5, 0.25, 0.45, 0.05),
        (0.0, 60.0, 1.0, 1.0, 0.1, 0.9),
        (0.0, 120.0, 1.0, 1.0, 0.2, 1.0),
        (120.0, 0.0, 1.0, 1.0, 1.0, 0.2),
        (-HUGE, HUGE, 1.0, 1.0, 1.0, 1.0),
        (1e200, 0.0, 1.0, 1.0, 1.0, 1.0),
        (math.nan, 0.0, 1.0, 1.0, 1.0, 1.0),
        (math.inf, 0.0, 1.0, 1.0, 1.0, 1.0),
    ],
)
def test_errors_of_values(
    answer: float, label: float, absolute: float, squared: float, low: float, high: float
) -> None:
    assert absolute_error_share(answer, label, bound=60) == pytest.approx(absolute)
    assert squared_error_share(answer, label, bound=3600) == pytest.approx(squared)
    assert pinball_share(answer, label, quantile=0.1, bound=60) == pytest.approx(low)
    assert pinball_share(answer, label, quantile=0.9, bound=60) == pytest.approx(high)
