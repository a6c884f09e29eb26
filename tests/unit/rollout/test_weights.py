"""Whole replicas and the weights that they give."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.rollout.weights import (
    Router,
    actual_weight_percent,
    canary_replicas,
    effect_of_weight,
    first_above,
    pods_for_weight,
    replicas_for_exact_weight,
    stable_always_within,
    stable_within,
    warmed_weight_percent,
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


@pytest.mark.parametrize(
    ("stable", "weight", "pods"),
    [
        (4, 1, 1),
        (4, 25, 1),
        (4, 26, 2),
        (4, 80, 4),
        (4, 100, 4),
        (1, 100, 1),
        (0, 50, 0),
        (4, 0, 0),
    ],
)
def test_with_a_gateway_pods_are_to_stable_s_as_the_weight_is_to_all(
    stable: int, weight: int, pods: int
) -> None:
    assert pods_for_weight(Router.GATEWAY_API, stable, weight) == pods


@pytest.mark.parametrize(
    ("limit", "weights", "stable", "found"),
    [
        (20, [20], [4, 8, 12], None),
        (20, [20], [4, 5, 6], (6, 20)),  # 5 pods: 1 of 6; 6 pods: 2 of 8
        (49, [20], [1], (1, 20)),
        (50, [20, 50], [1, 2, 3], None),
        (24, [10, 20], [0], None),
    ],
)
def test_where_whole_pods_give_more_than_allowed(
    limit: int, weights: list[int], stable: list[int], found: tuple[int, int] | None
) -> None:
    assert first_above(limit, weights, stable) == found


@given(limit=st.integers(1, 50), weight=st.integers(1, 50), stable=st.integers(1, 60))
def test_beside_a_number_of_pods_that_passes_no_canary_gets_more(
    limit: int, weight: int, stable: int
) -> None:
    pods = canary_replicas(stable, weight)
    passes = first_above(limit, [weight], [stable]) is None

    assert passes == (pods / (stable + pods) <= limit / 100 + 1e-12)


@given(limit=st.integers(1, 50), weight=st.integers(1, 50), asked=st.integers(1, 60))
def test_the_fewest_pods_beside_which_a_canary_keeps_to_its_limit(
    limit: int, weight: int, asked: int
) -> None:
    stable = stable_within(limit, weight, asked)

    assert asked <= stable < asked + replicas_for_exact_weight(weight)
    if weight <= limit:
        assert first_above(limit, [weight], [stable]) is None
        assert all(first_above(limit, [weight], [fewer]) for fewer in range(asked, stable))


@pytest.mark.parametrize(
    ("limit", "weight", "low", "high", "fewest"),
    [
        (15, 10, 6, 12, 6),
        (15, 10, 1, 12, 6),
        (15, 10, 1, 3, 6),  # no number within the limits would do
        (20, 20, 4, 10, 12),  # 4 and 8 would, but not 10 beside 3
        (20, 50, 1, 10, 1),  # the weight itself is above the limit: no number helps
    ],
)
def test_of_an_autoscaler_s_numbers_each_from_the_fewest_on_keeps_to_the_limit(
    limit: int, weight: int, low: int, high: int, fewest: int
) -> None:
    found = stable_always_within(limit, weight, low, high)

    assert found == fewest
    if weight <= limit:
        assert first_above(limit, [weight], range(found, max(found, high) + 1)) is None


def test_without_a_gateway_a_weight_above_fifty_is_as_many_pods_as_stable_has() -> None:
    assert pods_for_weight(Router.REPLICAS, 4, 100) == canary_replicas(4, 50) == 4


def test_a_gateway_tells_weights_apart_that_whole_pods_cannot() -> None:
    assert effect_of_weight(Router.REPLICAS, 1, 20) == effect_of_weight(Router.REPLICAS, 1, 50)
    assert effect_of_weight(Router.GATEWAY_API, 1, 20) != effect_of_weight(
        Router.GATEWAY_API, 1, 50
    )


@pytest.mark.parametrize(
    ("weight", "seconds", "given"), [(20, 0, 5), (20, 9.9, 5), (20, 10, 20), (3, 0, 3)]
)
def test_new_pods_get_a_small_weight_at_first(weight: int, seconds: float, given: int) -> None:
    assert warmed_weight_percent(weight, seconds) == given
