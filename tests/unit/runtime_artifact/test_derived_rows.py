"""The derived rows reach every edge of every input, and are the same each time."""

from typing import Any

import pytest

from serinus_runtime.artifact.derived_rows import MIXED_ROWS, SINGLE_EDGES_MAX, derived_rows
from serinus_runtime.artifact.encoding import RowEncoder, ValueRefused
from serinus_runtime.artifact.signature import Datatype, InputSpec, PolicyAction, Signature

INPUTS = (
    InputSpec("delay", Datatype.FP64, minimum=-60.0, maximum=600.0),
    InputSpec("speed", Datatype.FP32, maximum=0.1),
    InputSpec("hour", Datatype.INT64, minimum=0, maximum=23),
    InputSpec("stops", Datatype.INT32, allowed=("0", "1", "7")),
    InputSpec("holiday", Datatype.BOOL),
    InputSpec("carrier", Datatype.BYTES, categories=("AA", "DL"), allowed=("AA", "XX")),
)
SIGNATURE = Signature(INPUTS, ())
USUAL = {"delay": 5.0, "speed": 0.05, "hour": 12, "stops": 1, "holiday": False, "carrier": "AA"}
SEEN = [USUAL, USUAL | {"delay": 700.0, "carrier": "DL"}, USUAL | {"hour": None}]
ROWS = derived_rows(SIGNATURE, SEEN)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("delay", [None, 0.0, -60.0, 600.0, 600.0000000000001, -60.00000000000001, 700.0, 5e-324]),
        ("speed", [None, 0.1, 1 / 3, 16777217.0, 3.4028234663852886e38]),
        ("hour", [None, 0, 23, -1, 24, 2**63 - 1, -(2**63), 2**53 + 1]),
        ("stops", [None, 0, 1, 7, 2**31 - 1]),
        ("holiday", [None, True, False]),
        ("carrier", [None, "AA", "DL", "XX", "", "unseen"]),
    ],
)
def test_each_edge_of_each_input_is_there(name: str, values: list[Any]) -> None:
    found = {(type(row[name]), row[name]) for row in ROWS}

    assert {(type(value), value) for value in values} <= found


def test_the_absence_of_everything_and_of_all_but_one_is_there() -> None:
    present = {tuple(name for name, value in row.items() if value is not None) for row in ROWS}

    assert () in present
    assert {(name,) for name in SIGNATURE.names} <= present


def test_they_depend_on_signature_and_rows_only() -> None:
    assert derived_rows(SIGNATURE, SEEN) == ROWS
    assert derived_rows(SIGNATURE, SEEN[:1]) != ROWS


def test_most_are_let_through_by_policies_that_reject() -> None:
    strict = Signature(
        tuple(
            InputSpec(s.name, s.datatype, minimum=s.minimum, maximum=s.maximum, allowed=s.allowed,
                      categories=s.categories, on_violation=PolicyAction.REJECT)
            for s in INPUTS
        ),
        (),
    )  # fmt: skip
    encoder, passed = RowEncoder(strict), 0
    for row in derived_rows(strict, SEEN):
        try:
            encoder.rows([row])
        except ValueRefused:
            continue
        passed += 1

    assert passed > 100


@pytest.mark.slow
def test_a_thousand_inputs_make_no_more_than_a_few_thousand_rows() -> None:
    inputs = tuple(InputSpec(f"x{number}", Datatype.FP64) for number in range(1000))
    seen = [{spec.name: 1.0 for spec in inputs}]

    rows = derived_rows(Signature(inputs, ()), seen)

    assert len(rows) <= SINGLE_EDGES_MAX + MIXED_ROWS + 101


def test_ten_thousand_categories_are_sampled() -> None:
    spec = InputSpec("x", Datatype.BYTES, categories=tuple(f"c{n:05d}" for n in range(10_000)))

    found = {row["x"] for row in derived_rows(Signature((spec,), ()), [{"x": "c00000"}])}

    assert {"c00000", "c09999", "unseen", None} <= found
    assert len(found) < 30
