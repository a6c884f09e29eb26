"""An entity has one key, however its values are written, and no two share one."""

from typing import Any

import pytest

from serinus.api.column_type import ColumnType
from serinus_runtime.online.keys import EntityKey, key_of

TEXT, WHOLE, SMALL, TRUTH = (
    ColumnType.STRING,
    ColumnType.INT64,
    ColumnType.INT32,
    ColumnType.BOOLEAN,
)


def test_a_key_stays_what_it_was_when_tables_were_written() -> None:
    key = key_of(["UA", 12, True], [TEXT, WHOLE, TRUTH])

    assert key == EntityKey(high=12074411162186401110, low=6797914807858705681)


def test_a_whole_number_is_the_same_in_each_way_to_write_it() -> None:
    assert key_of([12.0], [WHOLE]) == key_of([12], [WHOLE]) == key_of([12], [SMALL])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("a", "bc"), ("ab", "c")),
        (("", "a"), ("a", "")),
        (("s1:a", ""), ("", "s1:a")),
        (("1", "2"), ("2", "1")),
    ],
)
def test_texts_that_look_alike_together_are_told_apart(one: Any, other: Any) -> None:
    assert key_of(one, [TEXT, TEXT]) != key_of(other, [TEXT, TEXT])


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (1, TEXT),
        (None, TEXT),
        (["a"], TEXT),
        ("1", WHOLE),
        (True, WHOLE),
        (1.5, WHOLE),
        (float("nan"), WHOLE),
        (float("inf"), WHOLE),
        (1 << 63, WHOLE),
        (1e300, WHOLE),
        (1, TRUTH),
        ({}, TRUTH),
    ],
)
def test_a_value_of_another_type_has_no_key(value: Any, kind: ColumnType) -> None:
    assert key_of([value], [kind]) is None


def test_half_of_a_surrogate_pair_is_no_error() -> None:
    assert key_of(["\ud800"], [TEXT]) is not None
