"""Many numbers at once mean what each of them means alone, or aren't taken."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus_runtime.artifact.encoding import RowEncoder, ValueRefused
from serinus_runtime.artifact.number_columns import NumberColumn, NumberColumns
from serinus_runtime.artifact.signature import Datatype, InputSpec, Signature

NUMBERS = [
    InputSpec("distance", Datatype.FP64, minimum=0.0, maximum=5000.0),
    InputSpec("altitude", Datatype.FP32, minimum=-1.1, maximum=0.3),
    InputSpec("seats", Datatype.INT64),
    InputSpec("doors", Datatype.UINT8, minimum=1.0),
    InputSpec("weight", Datatype.FP64),
]
SIGNATURE = Signature(tuple(NUMBERS), ())
EDGES = [0, -0.0, 1, 255, 256, 0.3, np.float64(np.float32(0.3)).item(), 0.30000001, -1.1]
EDGES += [2**53, 2**53 + 1, 2**63 - 1, 2**63, 10**400, 1e308, 3.5e38, 4999.999, 5000, 5001, -1]
VALUES = st.one_of(
    st.sampled_from([*EDGES, None, True, "x", [], math.nan, math.inf]),
    st.floats(0.0, 1.0),
    st.integers(0, 300),
)
PLAIN = st.tuples(
    st.floats(0.0, 5000.0), st.floats(-1.0, 0.25), st.integers(), st.integers(1, 255), st.floats()
)


def one_by_one(cells: list[Any], n_rows: int) -> list[list[float]] | str:
    """What the encoder makes of each row by itself; the refusal's text where one is refused."""
    encoder = RowEncoder(SIGNATURE)
    width = len(NUMBERS)
    starts = range(0, n_rows * width, width)
    try:
        return [encoder.cells(cells[start : start + width], 1)[0].tolist() for start in starts]
    except ValueRefused as error:
        return str(error)


@pytest.mark.slow
@given(st.lists(st.one_of(st.tuples(*[VALUES] * len(NUMBERS)), PLAIN), min_size=4, max_size=8))
def test_rows_together_are_encoded_as_each_alone(rows: list[tuple[Any, ...]]) -> None:
    cells = [value for row in rows for value in row]
    encoder = RowEncoder(SIGNATURE)
    try:
        together: list[list[float]] | str = encoder.cells(cells, len(rows)).tolist()
    except ValueRefused as error:
        together = str(error)

    assert repr(together) == repr(one_by_one(cells, len(rows)))


def test_a_value_that_nobody_doubts_is_taken_at_once() -> None:
    columns = NumberColumns([NumberColumn(0, 100, 0, 50, is_whole=True, is_single=False)] * 2)

    assert columns.matrix([1, 2.0, 3, 4], 2) == pytest.approx(np.array([[1, 2], [3, 4]]))


@pytest.mark.parametrize(
    "value", [None, True, "1", 51, -1, 0.5, math.nan, math.inf, 2**70, 10**400], ids=repr
)
def test_a_value_that_needs_a_closer_look_is_not(value: Any) -> None:
    columns = NumberColumns([NumberColumn(0, 100, 0, 50, is_whole=True, is_single=False)] * 2)

    assert columns.matrix([1, 2, value, 4], 2) is None
