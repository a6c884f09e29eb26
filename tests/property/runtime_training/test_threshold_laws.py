"""Laws of thresholds: none of the candidates is better than the chosen one."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from serinus_runtime.training.threshold import best_f1_threshold, least_cost_threshold

answers = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from([0.1, 0.2, 0.5, 0.7, 0.9])),
    min_size=1,
    max_size=12,
).filter(lambda rows: any(truth for truth, _ in rows))


@given(answers)
def test_no_threshold_has_a_better_f1(rows: list[tuple[int, float]]) -> None:
    truth, positive = (np.array(column) for column in zip(*rows, strict=True))

    best = best_f1_threshold(truth, positive)

    reached = f1_score(truth, positive >= best)
    assert all(reached >= f1_score(truth, positive >= other) - 1e-12 for other in set(positive))


@given(answers, st.integers(0, 9), st.integers(0, 9))
def test_no_threshold_costs_less(rows: list[tuple[int, float]], missed: int, alarm: int) -> None:
    truth, positive = (np.array(column) for column in zip(*rows, strict=True))

    def cost(threshold: float) -> float:
        says = positive >= threshold
        return float(missed * (truth & ~says).sum() + alarm * (says & (truth == 0)).sum())

    best = least_cost_threshold(
        truth, positive, false_negative_cost=missed, false_positive_cost=alarm
    )

    assert all(cost(best) <= cost(other) for other in {*positive, 1.0})
