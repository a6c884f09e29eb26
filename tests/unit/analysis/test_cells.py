"""Sums over pods and cohorts."""

from serinus.analysis.cells import Arm, Cell, by_arm, total_of
from serinus.api.verdicts import Counts


def test_an_arm_is_the_sum_of_its_pods_and_cohorts() -> None:
    counts = {
        Cell(Arm.CANARY, "c-1"): Counts(1, 10),
        Cell(Arm.CANARY, "c-2"): Counts(0.1, 20),
        Cell(Arm.CANARY, "c-2", 300.0): Counts(0.2, 5),
        Cell(Arm.STABLE, "s-1"): Counts(7, 70),
    }

    assert by_arm(counts, Arm.CANARY) == Counts(1.3, 35)
    assert by_arm(counts, Arm.STABLE) == Counts(7, 70)
    assert total_of([]) == Counts(0, 0)
