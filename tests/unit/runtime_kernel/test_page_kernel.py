"""Pages as C makes them are those that NumPy would make."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from serinus_runtime.kernel import page_kernel as module
from serinus_runtime.kernel.page_kernel import (
    DISTINCT_MAX,
    distinct,
    packed_bits,
    packed_by_numpy,
    runs,
)
from serinus_runtime.prediction_log.thrift import unsigned


@given(st.lists(st.sampled_from([0, 1, 7, 1 << 52, 1 << 63, (1 << 64) - 1]), max_size=300))
def test_each_value_is_found_where_it_came_first(values: list[int]) -> None:
    found = distinct(np.array(values, dtype=np.uint64))

    assert found is not None
    assert found.values.tolist() == list(dict.fromkeys(values))
    assert found.values[found.codes].tolist() == values


@pytest.mark.parametrize("more", [0, 1])
def test_too_many_are_given_up(more: int) -> None:
    values = np.arange(DISTINCT_MAX + more, dtype=np.uint64) << np.uint64(40)

    found = distinct(np.repeat(values, 3))

    if more:
        assert found is None
    else:
        assert found is not None
        assert found.values.tolist() == values.tolist()


def test_narrow_values_are_found_too() -> None:
    found = distinct(np.array([7, 9, 7], dtype=np.uint32))

    assert found is not None
    assert (found.values.tolist(), found.codes.tolist()) == ([7, 9], [0, 1, 0])


def test_nothing_has_no_values() -> None:
    found = distinct(np.array([], dtype=np.uint64), 0)

    assert found is not None
    assert (len(found.values), len(found.codes)) == (0, 0)


@given(st.data(), st.integers(1, 31))
def test_numbers_are_packed_as_numpy_packs_them(data: st.DataObject, width: int) -> None:
    drawn = arrays(np.int64, st.integers(0, 70), elements=st.integers(0, 2**width - 1))
    numbers = data.draw(drawn)

    assert packed_bits(numbers, width) == packed_by_numpy(numbers, width)


@given(
    st.lists(st.tuples(st.integers(0, 2**31 - 1), st.integers(1, 2**31 - 1)), max_size=20),
    st.integers(1, 4),
)
def test_runs_are_twice_their_rows_and_a_number(
    drawn: list[tuple[int, int]], value_bytes: int
) -> None:
    numbers = [number % (1 << 8 * value_bytes - 1) for number, _ in drawn]
    rows_each = [rows for _, rows in drawn]

    made = runs(np.array(numbers), np.array(rows_each), value_bytes)

    expected = [
        unsigned(rows << 1) + number.to_bytes(value_bytes, "little")
        for number, rows in zip(numbers, rows_each, strict=True)
    ]
    assert made == b"".join(expected)


def test_without_a_library_numpy_packs_and_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = packed_bits(np.arange(9), 4)
    monkeypatch.setattr(module, "library", lambda: None)

    assert packed_bits(np.arange(9), 4) == packed
    assert distinct(np.zeros(3, dtype=np.uint64)) is None
    assert runs(np.zeros(3), np.ones(3, dtype=np.int32), 1) is None
