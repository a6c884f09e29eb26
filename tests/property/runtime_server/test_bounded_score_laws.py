"""Laws of the scores: shares of a bound, and scikit-learn's own losses where nothing is clipped."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from sklearn.metrics import (
    log_loss,
    mean_absolute_error,
    mean_pinball_loss,
    mean_squared_error,
)

from serinus.api.label_scores import LabelScore, ScoreName
from serinus_runtime.server.label_rules import LabelRules

# Errors are far from those whose square no float can tell from 0, as is a share of 0.
SIZES = some.floats(1e-3, 1e6)
BOUNDS = some.sampled_from(["0.5", "3", "60", "3600", "1000000"])
QUANTILES = some.sampled_from(["0.01", "0.5", "0.9"])
OF_VALUES = some.builds(
    LabelScore, some.sampled_from([ScoreName.ABSOLUTE_ERROR, ScoreName.SQUARED_ERROR]), BOUNDS
) | some.builds(LabelScore, some.just(ScoreName.PINBALL), BOUNDS, QUANTILES)
UNCLIPPED = "1e15"
PROBABILITIES = some.lists(some.floats(0.01, 1), min_size=2, max_size=6).map(
    lambda weights: np.array(weights) / sum(weights)
)


def loss(score: LabelScore, answer: float, label: float) -> float:
    (share,) = LabelRules("1", (score,)).losses_of_value(answer, label)
    return share


@given(score=OF_VALUES, answer=some.floats(), label=some.floats(allow_nan=False))
def test_a_share_is_between_nothing_and_all(score: LabelScore, answer: float, label: float) -> None:
    assert 0 <= loss(score, answer, label) <= 1


@given(score=OF_VALUES, answer=some.integers(-1000, 1000), error=SIZES)
def test_only_what_is_exact_costs_nothing(score: LabelScore, answer: int, error: float) -> None:
    assert loss(score, answer, answer) == 0
    assert loss(score, answer, answer + error) > 0
    assert loss(score, answer, answer - error) > 0


@given(
    score=OF_VALUES,
    label=some.floats(-1e6, 1e6),
    errors=some.tuples(some.floats(0, 1e6), some.floats(0, 1e6)).map(sorted),
    sign=some.sampled_from([-1, 1]),
)
def test_a_larger_error_to_the_same_side_never_costs_less(
    score: LabelScore, label: float, errors: list[float], sign: int
) -> None:
    smaller, larger = (loss(score, label + sign * error, label) for error in errors)

    assert smaller <= larger


@given(pairs=some.lists(some.tuples(some.floats(-1e6, 1e6), some.floats(-1e6, 1e6)), min_size=1))
@pytest.mark.parametrize("quantile", ["0.1", "0.9"])
def test_unclipped_sums_are_those_of_scikit_learn(
    quantile: str, pairs: list[tuple[float, float]]
) -> None:
    rules = LabelRules(
        "1",
        (
            LabelScore(ScoreName.ABSOLUTE_ERROR, UNCLIPPED),
            LabelScore(ScoreName.SQUARED_ERROR, UNCLIPPED),
            LabelScore(ScoreName.PINBALL, UNCLIPPED, quantile),
        ),
    )
    answers, labels = np.array(pairs).T

    found = np.mean([rules.losses_of_value(*pair) for pair in pairs], axis=0) * float(UNCLIPPED)

    assert found == pytest.approx(
        [
            mean_absolute_error(labels, answers),
            mean_squared_error(labels, answers),
            mean_pinball_loss(labels, answers, alpha=float(quantile)),
        ]
    )


@given(
    score=OF_VALUES,
    pairs=some.lists(some.tuples(some.floats(-1e4, 1e4), some.floats(-1e4, 1e4)), min_size=1),
)
def test_what_is_worse_than_the_bound_counts_as_the_bound(
    score: LabelScore, pairs: list[tuple[float, float]]
) -> None:
    whole = LabelScore(score.score, UNCLIPPED, score.quantile)
    bound = float(score.bound)

    for pair in pairs:
        raw = loss(whole, *pair) * float(UNCLIPPED)
        assert loss(score, *pair) == pytest.approx(min(raw, bound) / bound)


@given(probabilities=PROBABILITIES, data=some.data())
def test_log_loss_is_that_of_scikit_learn(probabilities: np.ndarray, data: some.DataObject) -> None:
    classes = list(range(len(probabilities)))
    position = data.draw(some.sampled_from(classes))
    rules = LabelRules(None, (LabelScore(ScoreName.LOG_LOSS, "100"),))

    (share,) = rules.losses_of_classes(probabilities, position)

    whole = log_loss([position], [probabilities], labels=classes)
    assert share * 100 == pytest.approx(whole, abs=1e-9)


@given(
    bound=BOUNDS,
    first=some.floats(0, 1),
    second=some.floats(0, 1),
)
def test_log_loss_never_grows_with_the_probability_of_what_was_so(
    bound: str, first: float, second: float
) -> None:
    rules = LabelRules(None, (LabelScore(ScoreName.LOG_LOSS, bound),))
    shares = [rules.losses_of_classes(np.array([1 - p, p]), 1)[0] for p in sorted((first, second))]

    assert 1 >= shares[0] >= shares[1] >= 0
    assert rules.losses_of_classes(np.array([0.0, 1.0]), 1) == (0.0,)
