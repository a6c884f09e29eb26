"""What an answer that is always the same would reach: the least that a model has to beat."""

from __future__ import annotations

import numpy as np

from serinus.api.trainingjob import BestConstant
from serinus_runtime.training.evaluation import Answers


def best_constant(answers: Answers) -> dict[BestConstant, float]:
    """Figures of the best constant class, and of the best constant probabilities.

    The first is always the most frequent class; the second are the classes' shares, whose Brier
    score is half of one minus the sum of their squares.
    """
    shares = np.bincount(answers.truth, minlength=answers.classes) / len(answers.truth)
    return {
        BestConstant.ERROR_RATE: float(1 - shares.max()),
        BestConstant.BRIER: float((1 - (shares**2).sum()) / 2),
    }
