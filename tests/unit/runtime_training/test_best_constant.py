"""The least that a model has to beat."""

import numpy as np
import pytest

from serinus.api.trainingjob import BestConstant, MetricName, Task
from serinus_runtime.training.best_constant import best_constant
from serinus_runtime.training.evaluation import Answers, figures


def answering(truth: list[int], scores: list[float], decided: int) -> Answers:
    rows = len(truth)
    return Answers(np.array(truth), np.tile(scores, (rows, 1)), np.full(rows, decided))


@pytest.mark.parametrize(
    ("truth", "classes"),
    [([0, 0, 0, 1], 2), ([0] * 9 + [1], 2), ([0, 1, 2, 2, 2, 1], 3), ([1, 1], 2)],
)
def test_it_is_what_evaluation_says_of_the_best_answer_that_is_always_the_same(
    truth: list[int], classes: int
) -> None:
    shares = [truth.count(one) / len(truth) for one in range(classes)]
    constant = answering(truth, shares, shares.index(max(shares)))

    found = best_constant(constant)
    wanted = (MetricName.ERROR_RATE, MetricName.BRIER)
    told = figures(Task.CLASSIFICATION, wanted, constant)

    assert found[BestConstant.ERROR_RATE] == pytest.approx(told[MetricName.ERROR_RATE])
    assert found[BestConstant.BRIER] == pytest.approx(told[MetricName.BRIER])


def test_no_other_constant_is_better() -> None:
    truth = [0, 0, 0, 1]
    best = best_constant(answering(truth, [1.0, 0.0], 0))[BestConstant.BRIER]
    others = [
        figures(
            Task.CLASSIFICATION,
            (MetricName.BRIER,),
            answering(truth, [1 - probability, probability], 0),
        )[MetricName.BRIER]
        for probability in (0.0, 0.1, 0.2, 0.3, 0.5, 1.0)
    ]

    assert best < min(others)
