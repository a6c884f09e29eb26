"""The same unit gets the same arm wherever it is asked, and arms are even, whatever units are."""

import math
import subprocess
import sys
import uuid
from collections import Counter
from random import Random

import pytest

from serinus.api.ab_test_document import LayerRange
from serinus_runtime.server.unit_assignment import Arm, Assignment

UNITS = 100_000
P_MIN = 1e-4
"""The units are fixed, so a test that passes passes always; this is how even they have to be."""


def units_of(shape: str) -> list[bytes]:
    draw = Random(7)
    made = {
        "sequential": lambda number: f"{number}",
        "padded": lambda number: f"user-{number:09d}",
        "uuids": lambda _: str(uuid.UUID(int=draw.getrandbits(128), version=4)),
        "e-mails": lambda number: f"{draw.choice(['ann', 'bo', 'cy'])}.{number}@mail.example",
    }[shape]
    return [made(number).encode() for number in range(UNITS)]


def p_of_counts(counted: list[int], shares: list[float]) -> float:
    """Chi-square test of counts against shares; for many degrees of freedom by Wilson-Hilferty."""
    total, freedom = sum(counted), len(counted) - 1
    expected = [share * total for share in shares]
    statistic = sum(
        (one - wanted) ** 2 / wanted for one, wanted in zip(counted, expected, strict=True)
    )
    if freedom == 1:
        return math.erfc(math.sqrt(statistic / 2))
    spread = 2 / (9 * freedom)
    z = ((statistic / freedom) ** (1 / 3) - (1 - spread)) / math.sqrt(spread)
    return 0.5 * math.erfc(z / math.sqrt(2))


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["sequential", "padded", "uuids", "e-mails"])
@pytest.mark.parametrize("percent", [1, 50])
def test_units_of_any_shape_are_split_as_planned(shape: str, percent: int) -> None:
    assignment = Assignment("shop/flight-delay", percent)

    counts = Counter(found.arm for unit in units_of(shape) if (found := assignment.of(unit)))

    share = percent / 100
    assert p_of_counts([counts[Arm.CANARY], counts[Arm.STABLE]], [share, 1 - share]) > P_MIN


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["sequential", "uuids", "e-mails"])
def test_marks_of_units_are_even_within_each_arm(shape: str) -> None:
    assignment = Assignment("shop/flight-delay", 50)
    cells = Counter(
        (found.arm, found.mark % 64) for unit in units_of(shape) if (found := assignment.of(unit))
    )

    counted = [cells[arm, place] for arm in Arm for place in range(64)]

    assert p_of_counts(counted, [1 / 128] * 128) > P_MIN


@pytest.mark.slow
@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Assignment("shop/a", 50), Assignment("shop/b", 50)),
        (
            Assignment("shop/a", 50, LayerRange("ranking", 0, 100)),
            Assignment("shop/b", 50, LayerRange("pricing", 0, 100)),
        ),
    ],
    ids=["two salts", "two layers"],
)
def test_two_tests_split_independently(one: Assignment, other: Assignment) -> None:
    cells = Counter(
        (first.arm, second.arm)
        for unit in units_of("sequential")
        if (first := one.of(unit)) and (second := other.of(unit))
    )

    assert p_of_counts([cells[a, b] for a in Arm for b in Arm], [0.25] * 4) > P_MIN


@pytest.mark.slow
def test_whether_a_unit_takes_part_says_nothing_of_its_arm_and_other_layers_are_independent() -> (
    None
):
    ranking = Assignment("shop/a", 50, LayerRange("ranking", 0, 50))
    pricing = Assignment("shop/b", 50, LayerRange("pricing", 0, 50))
    units = units_of("padded")

    parts = Counter((ranking.of(unit) is None, pricing.of(unit) is None) for unit in units)
    arms = Counter(found.arm for unit in units if (found := ranking.of(unit)))

    cells = [parts[one, other] for one in (True, False) for other in (True, False)]
    assert p_of_counts(cells, [0.25] * 4) > P_MIN
    assert p_of_counts([arms[Arm.CANARY], arms[Arm.STABLE]], [0.5, 0.5]) > P_MIN


@pytest.mark.slow
def test_disjoint_ranges_of_a_layer_share_no_unit_and_leave_none_out() -> None:
    first = Assignment("shop/a", 50, LayerRange("ranking", 0, 30))
    second = Assignment("shop/b", 10, LayerRange("ranking", 30, 100))

    part = [(first.of(one) is not None, second.of(one) is not None) for one in units_of("padded")]

    assert all(one != other for one, other in part)
    assert abs(sum(one for one, _ in part) / UNITS - 0.3) < 0.01


GOLDEN = {
    b"1": "stable",
    b"user-000000042": "canary",
    b"ann@mail.example": "canary",
    "Zoë".encode(): "canary",
    b"": "stable",
}
"""Written down once: a change of them would give users another version in the middle of a test."""


def arms(units: list[bytes]) -> dict[bytes, str]:
    assignment = Assignment("shop/flight-delay", 50, LayerRange("ranking", 0, 100))
    return {unit: found.arm.value for unit in units if (found := assignment.of(unit))}


def test_an_assignment_never_changes() -> None:
    assert arms(list(GOLDEN)) == GOLDEN


def test_another_process_assigns_alike() -> None:
    program = (
        "from serinus.api.ab_test_document import LayerRange\n"
        "from serinus_runtime.server.unit_assignment import Assignment\n"
        "it = Assignment('shop/flight-delay', 50, LayerRange('ranking', 0, 100))\n"
        f"print([it.of(unit).arm.value for unit in {list(GOLDEN)!r}])\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": "4"},
    )

    assert said.stdout.strip() == repr(list(GOLDEN.values()))


def test_a_part_of_the_canary_stays_with_it_as_its_share_grows() -> None:
    small, large = Assignment("shop/a", 10), Assignment("shop/a", 60)

    moved = [
        unit
        for unit in units_of("padded")[:10_000]
        if small.of(unit).arm is Arm.CANARY and large.of(unit).arm is Arm.STABLE  # type: ignore[union-attr]
    ]

    assert moved == []
