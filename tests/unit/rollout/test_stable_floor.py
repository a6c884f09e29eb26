"""The fewest pods of stable beside a canary, under an autoscaler."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.rollout.stable_floor import (
    IDLE_RATIO,
    LOAD_SETTLES,
    SETTLING,
    Floor,
    StableLoad,
    floor_after_rollout,
    floor_in_rollout,
    floor_with_handed_back,
)

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LONG_AGO = NOON - timedelta(hours=1)
JUST_NOW = NOON - LOAD_SETTLES + timedelta(seconds=1)


def beside(pods: int, ratio: float | None, share: float, since: datetime = LONG_AGO) -> StableLoad:
    return StableLoad(pods, ratio, share, since)


@pytest.mark.parametrize(
    ("floor", "load", "pods"),
    [
        pytest.param(None, beside(4, 1.0, 1.0), 4, id="it begins with what stable has"),
        pytest.param(Floor(4, LONG_AGO), beside(4, 0.5, 0.5), 4, id="half of the requests"),
        pytest.param(Floor(4, LONG_AGO), beside(4, 0.2, 0.5), 4, id="less load: it never falls"),
        pytest.param(Floor(4, LONG_AGO), beside(4, 1.0, 0.5), 8, id="twice the load: room for it"),
        pytest.param(Floor(4, LONG_AGO), beside(4, 0.54, 0.5), 4, id="a little more is no reason"),
        pytest.param(Floor(4, LONG_AGO), beside(6, None, 0.5), 4, id="the load isn't known"),
        pytest.param(
            Floor(4, LONG_AGO), beside(4, 0.1 + 0.05, 0.1), 4, id="a tenth, and what idle pods do"
        ),
        pytest.param(
            Floor(4, LONG_AGO), beside(4, 0.2 + 0.05, 0.1), 9, id="a tenth, of twice the load"
        ),
        pytest.param(Floor(4, LONG_AGO), beside(4, 9.0, 0.5), 10, id="never above the maximum"),
        pytest.param(
            Floor(4, LONG_AGO),
            beside(4, 1.0, 0.5, JUST_NOW),
            4,
            id="the weight has just changed: the load may be from before",
        ),
        pytest.param(Floor(4, JUST_NOW), beside(4, 1.0, 0.5), 4, id="it has just risen: the same"),
        pytest.param(
            Floor(4, LONG_AGO, NOON), beside(6, None, 1.0), 6, id="another rollout begins"
        ),
        pytest.param(
            Floor(6, LONG_AGO, NOON), beside(4, None, 1.0), 6, id="before the last one settled"
        ),
    ],
)
def test_while_a_rollout_runs(floor: Floor | None, load: StableLoad, pods: int) -> None:
    found = floor_in_rollout(floor, load, pods_max=10, now=NOON)

    assert (found.pods, found.until) == (pods, None)


@pytest.mark.parametrize(
    ("floor", "pods"),
    [(None, 6), (Floor(4, LONG_AGO), 6), (Floor(8, LONG_AGO), 8), (Floor(4, LONG_AGO, NOON), 6)],
)
def test_what_an_a_b_test_hands_back_is_made_good_for(floor: Floor | None, pods: int) -> None:
    found = [
        floor_with_handed_back(floor, pods=4, handed_back=2, pods_max=most, now=NOON)
        for most in (10, 5)
    ]

    assert found == [Floor(pods, NOON), Floor(min(pods, 5), NOON)]


def test_it_says_since_when_it_is_so() -> None:
    begun = floor_in_rollout(None, beside(4, None, 1.0), pods_max=10, now=NOON)
    later = NOON + LOAD_SETTLES
    risen = floor_in_rollout(begun, beside(4, 1.0, 0.5), pods_max=10, now=later)

    assert begun == Floor(4, NOON)
    assert floor_in_rollout(begun, beside(4, 0.5, 0.5), pods_max=10, now=later) == begun
    assert risen == Floor(8, later)


def test_after_a_rollout_it_is_kept_until_the_autoscaler_has_seen_all_requests_again() -> None:
    kept = floor_after_rollout(Floor(4, LONG_AGO), NOON)

    assert kept == Floor(4, LONG_AGO, NOON + SETTLING)
    assert floor_after_rollout(kept, NOON + SETTLING - timedelta(seconds=1)) == kept
    assert floor_after_rollout(kept, NOON + SETTLING) is None
    assert floor_after_rollout(None, NOON) is None


loads = st.builds(
    StableLoad,
    st.integers(1, 50),
    st.none() | st.floats(0, 20),
    st.floats(0.05, 1.0),
    st.just(LONG_AGO),
)


@given(before=st.integers(1, 100), story=st.lists(loads, max_size=20))
def test_it_only_rises_and_is_enough_for_all_requests(before: int, story: list[StableLoad]) -> None:
    floor, now = Floor(before, LONG_AGO), NOON
    for load in story:
        now += LOAD_SETTLES
        following = floor_in_rollout(floor, load, pods_max=100, now=now)
        assert floor.pods <= following.pods <= 100
        idle = IDLE_RATIO * (1 - load.request_share)
        needed = load.pods * ((load.load_ratio or 0) - idle) / load.request_share
        assert max(following.pods, load.pods * 1.1) >= min(needed, 100) - 1e-9
        floor = following
