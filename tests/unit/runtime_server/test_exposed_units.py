"""A unit counts once, in bounded memory, and both arms lose alike what isn't told apart."""

import pytest

from serinus_runtime.server.exposed_units import BITS, ExposedUnits
from serinus_runtime.server.unit_assignment import Arm, Assigned, Assignment


def test_a_unit_counts_once_however_often_it_asks() -> None:
    units, assignment = ExposedUnits(), Assignment("shop/a", 50)

    for _ in range(3):
        for number in range(1000):
            found = assignment.of(b"%d" % number)
            assert found is not None
            units.meet(found)

    assert 995 <= sum(units.counts.values()) <= 1000
    assert min(units.counts.values()) > 400


def test_units_with_the_same_bit_count_as_one() -> None:
    units = ExposedUnits()

    for mark in (5, 5 + BITS, 6):
        units.meet(Assigned(Arm.CANARY, mark))

    assert units.counts == {Arm.STABLE: 0, Arm.CANARY: 2}


@pytest.mark.slow
def test_when_no_more_can_be_told_apart_the_split_is_still_the_planned_one() -> None:
    units, assignment = ExposedUnits(), Assignment("shop/a", 10)
    for number in range(3 * BITS):
        found = assignment.of(b"%d" % number)
        assert found is not None
        units.meet(found)

    total = sum(units.counts.values())

    assert 0.9 * BITS < total < BITS
    assert abs(units.counts[Arm.CANARY] / total - 0.1) < 0.002
