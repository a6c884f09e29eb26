"""Whole replicas and the weights that they give."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.rollout.weights import (
    actual_weight_percent,
    canary_replicas,
    replicas_for_exact_weight,
)


@pytest.mark.parametrize(
    ("stable", "weight", "canary", "actual"),
    [
        (4, 20, 1, 20),
        (4, 50, 4, 50),
        (1, 20, 1, 50),
        (1, 1, 1, 50),
        (10, 5, 1, 9),
        (19, 5, 1, 5),
        (9, 10, 1, 10),
        (3, 33, 1, 25),
        (100, 50, 100, 50),
        (6, 20, 2, 25),  # 1.5 pods: the canary gets the half
        (0, 50, 0, 0),
        (4, 0, 0, 0),
    ],
)
def test_weights(stable: int, weight: int, canary: int, actual: int) -> None:
    assert canary_replicas(stable, weight) == canary
    assert actual_weight_percent(stable, canary) == actual


@given(st.integers(1, 1000), st.integers(1, 50))
def test_a_canary_has_at_least_one_pod_and_never_more_than_stable(stable: int, weight: int) -> None:
    pods = canary_replicas(stable, weight)

    assert 1 <= pods <= stable
    assert 0 < actual_weight_percent(stable, pods) <= 50


@given(st.integers(1, 1000), st.integers(1, 49))
def test_more_weight_is_never_fewer_pods(stable: int, weight: int) -> None:
    assert canary_replicas(stable, weight) <= canary_replicas(stable, weight + 1)


@given(st.integers(1, 50))
def test_the_number_that_is_said_to_be_exact_is(weight: int) -> None:
    stable = replicas_for_exact_weight(weight)

    pods = canary_replicas(stable, weight)

    assert 100 * pods == weight * (stable + pods)
