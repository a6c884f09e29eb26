"""What new pods count is left out for a while, however often pods start, and no longer."""

import pytest

from serinus.analysis.cells import Arm, Cell
from serinus.analysis.cold_pods import ONE_MORE_MS, ColdArm, ColdPods, Readiness, without_cold
from serinus.analysis.rounds import Round
from serinus.api.verdicts import Counts

WARMUP_MS = 60_000
READY = Readiness({"c-new": 100_000, "s-new": 100_000, "c-old": 0, "s-old": 0}, WARMUP_MS, 0)
TEN = Counts(1, 10)
ALL = {
    Cell(arm, f"{arm[0]}-{age}"): TEN for arm in (Arm.CANARY, Arm.STABLE) for age in ("new", "old")
}


@pytest.mark.parametrize(
    ("closed", "counted"),
    [
        (Round(70_000, 90_000), ["c-old", "s-old"]),  # not ready yet
        (Round(90_000, 110_000), ["c-old", "s-old"]),
        (Round(159_999, 175_000), ["c-old", "s-old"]),
        (Round(160_000, 175_000), ["c-new", "c-old", "s-new", "s-old"]),
    ],
)
def test_new_pods_of_both_versions_count_from_the_first_round_after_their_warm_up(
    closed: Round, counted: list[str]
) -> None:
    warm, cold = without_cold(ALL, closed, READY, ColdPods())

    assert sorted(cell.pod for cell in warm) == counted
    assert cold.canary.cold == cold.stable.cold == (0 if len(counted) == 4 else 1)


def test_a_pod_of_which_nothing_is_known_counts() -> None:
    stranger = {Cell(Arm.CANARY, "nobody"): TEN}

    assert without_cold(stranger, Round(0, 9), READY, ColdPods()) == (stranger, ColdPods())


def test_however_rounds_fall_a_pod_is_left_out_for_its_warm_up_at_most() -> None:
    cold = ColdPods()
    for start in range(0, 300_000, 50_000):
        _, cold = without_cold(ALL, Round(start, start + 50_000), READY, cold)

    assert cold.canary.left_out_ms == 2 * WARMUP_MS  # one by `c-old`, one by `c-new`


def lives(number: int, *, begin_ms: int = 0) -> ColdPods:
    """A pod that is made again, under another name, whenever it is warm."""
    cold = ColdPods()
    for life in range(number):
        start = begin_ms + life * WARMUP_MS
        ready = Readiness({f"c-{life}": start}, WARMUP_MS, 0)
        counts = {Cell(Arm.CANARY, f"c-{life}"): TEN}
        _, cold = without_cold(counts, Round(start, start + WARMUP_MS), ready, cold)
    return cold


def test_a_version_whose_pods_are_always_new_is_left_out_twice() -> None:
    assert lives(2) == ColdPods(canary=ColdArm(1, 2 * WARMUP_MS, 1))
    assert lives(3) == ColdPods(canary=ColdArm(1, 2 * WARMUP_MS, 0))


def test_with_each_hour_there_is_room_for_another_one() -> None:
    assert lives(9, begin_ms=ONE_MORE_MS).canary.left_out_ms == 3 * WARMUP_MS


@pytest.mark.parametrize(("cold", "pods", "holds"), [(0, 0, 0), (0, 2, 0), (1, 3, 0), (1, 2, 1)])
def test_a_step_waits_where_half_of_the_canary_is_new(cold: int, pods: int, holds: bool) -> None:
    assert ColdPods(canary=ColdArm(pods, 0, cold)).hold_a_step == bool(holds)
