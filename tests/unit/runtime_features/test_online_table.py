"""What of a snapshot's rows goes into its online table, and what a FeatureSet needs for one."""

from typing import Any

import pytest

from serinus.api.featureset import FeatureSetSpec
from serinus_runtime.features.online_table import online_features, online_table
from serinus_runtime.online.keys import key_of
from serinus_runtime.user_error import ColumnError
from tests.support.online_tables import a_spec, content_of, frame_of, table_of_rows

SPEC = a_spec({"user": "string"}, {"spent": "float64"})


def spent(rows: list[dict[str, Any]], user: str) -> object:
    table = table_of_rows(SPEC, rows)
    key = key_of([user], [SPEC.entities[0].type])
    assert key is not None
    position = table.position(key)
    return "nobody" if position is None else table.values["spent"].at(position)


def changed(**fields: Any) -> FeatureSetSpec:
    return SPEC.model_copy(update=fields)


def test_the_newest_row_counts_whatever_the_order() -> None:
    new, old = {"user": "ada", "at": 2, "spent": 2.0}, {"user": "ada", "at": 1, "spent": 1.0}

    assert spent([new, old], "ada") == spent([old, new], "ada") == 2.0


def test_of_rows_at_the_same_time_the_last_one_counts() -> None:
    rows = [{"user": "ada", "at": 1, "spent": value} for value in (1.0, 3.0, 2.0)]

    assert spent(rows, "ada") == 2.0


def test_a_newer_row_without_a_value_hides_the_older_value() -> None:
    rows = [{"user": "ada", "at": 1, "spent": 1.0}, {"user": "ada", "at": 2, "spent": None}]

    assert spent(rows, "ada") is None


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_isn_t_there(value: float) -> None:
    assert spent([{"user": "ada", "at": 1, "spent": value}], "ada") is None


def test_rows_of_nobody_are_left_out() -> None:
    assert spent([{"user": None, "at": 1, "spent": 1.0}], "ada") == "nobody"


def test_there_may_be_no_rows() -> None:
    assert spent([], "ada") == "nobody"


def test_the_same_rows_give_the_same_bytes() -> None:
    rows = [{"user": f"user {n}", "at": n, "spent": n / 3} for n in range(100)]

    assert content_of(SPEC, rows) == content_of(SPEC, rows)


def test_keys_private_features_and_times_are_no_values() -> None:
    private = {"type": "string", "sensitivity": "pseudonymize"}
    spec = a_spec(
        {"user": "string"},
        {"user": "string", "spent": "float64", "tail": private, "seen": "timestamp"},
    )

    assert [column.name for column in online_features(spec)] == ["spent"]


@pytest.mark.parametrize("online", [None, {"enabled": False}])
def test_none_is_made_where_none_is_wanted(online: dict[str, Any] | None) -> None:
    assert SPEC.online is not None
    found = SPEC.online.model_copy(update=online) if online else None
    spec = changed(online=found)

    assert online_table(frame_of(spec, []), spec) is None


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"entities": []}, "expected `entities`"),
        ({"timestamp_field": None}, "`timestampField`"),
    ],
)
def test_what_a_table_needs_is_told(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(ColumnError, match=told):
        online_table(frame_of(SPEC, []), changed(**fields))


def test_an_entity_that_nobody_can_ask_for_is_named() -> None:
    spec = a_spec({"weight": "float64"}, {"spent": "float64"})

    with pytest.raises(ColumnError, match="entity `weight` is a float64"):
        online_table(frame_of(spec, []), spec)
