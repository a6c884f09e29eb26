"""The transform's columns against the spec."""

from datetime import UTC, date, datetime

import polars as pl
import pytest

from serinus.api.column_type import ColumnType
from serinus.api.featureset import FeatureSetSpec
from serinus_runtime.features.columns import (
    Column,
    check_columns,
    declared_columns,
    in_order,
    key_columns,
    typed,
    with_labels_filled,
)
from serinus_runtime.user_error import ColumnError
from tests.support.feature_sets import feature_set


def cast(values: list[object], wanted: str, dtype: pl.DataType | None = None) -> list[object]:
    frame = pl.DataFrame({"x": pl.Series(values, dtype=dtype, strict=False)})
    return typed(frame, [Column("x", ColumnType(wanted), "feature")])["x"].to_list()


@pytest.mark.parametrize(
    ("values", "wanted", "result"),
    [
        ([1, None], "float64", [1.0, None]),
        ([1.0, float("nan")], "float64", [1.0, None]),
        ([1.0, None], "int64", [1, None]),
        ([None, None], "string", [None, None]),
        (["a"], "string", ["a"]),
        ([True], "boolean", [True]),
        ([date(2024, 1, 1)], "timestamp", [datetime(2024, 1, 1, tzinfo=UTC)]),
        (
            [datetime(2024, 1, 1, 5, tzinfo=UTC).replace(tzinfo=None)],
            "timestamp",
            [datetime(2024, 1, 1, 5, tzinfo=UTC)],
        ),
    ],
)
def test_casts_that_lose_nothing_are_done(
    values: list[object], wanted: str, result: list[object]
) -> None:
    assert cast(values, wanted) == result


@pytest.mark.parametrize(
    ("values", "wanted", "told"),
    [
        (
            ["NA"],
            "float64",
            r"feature `x`: expected float64, the transform gives string.*nullValues",
        ),
        (
            [1.5, 2.0],
            "int64",
            "1 of 2 values don't fit int64; the transform gives float64. Mend them",
        ),
        ([2**40], "int32", "1 of 1 values don't fit int32"),
        ([1], "boolean", "expected boolean, the transform gives int64"),
        ([1], "string", "expected string"),
        (["2024-01-01"], "timestamp", "expected timestamp"),
    ],
)
def test_a_wrong_type_is_told_with_what_is_there(
    values: list[object], wanted: str, told: str
) -> None:
    with pytest.raises(ColumnError, match=told):
        cast(values, wanted)


def test_a_missing_column_is_named_with_those_that_are_there() -> None:
    with pytest.raises(ColumnError) as error:
        check_columns([("dist", "double")], [Column("distance", ColumnType.FLOAT64, "feature")])

    assert str(error.value) == (
        "feature `distance`: no such column. The transform gives dist. Add it there, or correct "
        "its name"
    )


@pytest.mark.parametrize(("separator", "shown"), [(";", ";"), ("\t", "\\t"), ("|", "|")])
def test_a_file_that_was_read_with_the_wrong_separator_is_told(separator: str, shown: str) -> None:
    header = separator.join(("distance", "carrier"))

    with pytest.raises(ColumnError) as error:
        check_columns([(header, "double")], [Column("distance", ColumnType.FLOAT64, "feature")])

    assert str(error.value).endswith(
        f'Is the file separated by `{shown}`? Then set `files.csv.delimiter: "{shown}"`'
    )


def test_columns_come_in_the_order_of_the_spec_and_others_are_left_out() -> None:
    columns = declared_columns(FeatureSetSpec.model_validate(feature_set()))

    assert [column.name for column in columns] == [
        "scheduled_at",
        "flight",
        "carrier",
        "distance",
        "delay_so_far",
        "late",
    ]


def test_a_column_declared_with_two_types_is_refused() -> None:
    spec = feature_set(entities=[{"name": "carrier", "type": "int64"}])

    with pytest.raises(ColumnError, match="`carrier` is declared twice: entity with type int64"):
        declared_columns(FeatureSetSpec.model_validate(spec))


def test_the_order_of_rows_says_nothing() -> None:
    frame = pl.DataFrame({"key": [1, 1, 2, None], "x": [2.0, 1.0, None, 0.0]})

    assert in_order(frame, ["key"]).equals(in_order(frame[::-1], ["key"]))


def test_a_null_label_becomes_the_value_of_the_spec() -> None:
    labels = [{"name": "late", "type": "boolean", "onNull": "value", "nullValue": "true"}]
    spec = FeatureSetSpec.model_validate(feature_set(labels=labels))

    filled = with_labels_filled(pl.DataFrame({"late": [False, None]}), spec)

    assert filled["late"].to_list() == [False, True]


def test_a_null_value_of_another_type_is_refused() -> None:
    labels = [{"name": "late", "type": "boolean", "onNull": "value", "nullValue": "yes"}]
    spec = FeatureSetSpec.model_validate(feature_set(labels=labels))

    with pytest.raises(ColumnError, match="nullValue `yes` is no boolean"):
        with_labels_filled(pl.DataFrame({"late": [None, True]}), spec)


@pytest.mark.parametrize(
    "kind", ["interval", "union", "list", "map", "blob", "time with time zone"]
)
def test_a_type_that_no_column_can_have_is_told_beforehand(kind: str) -> None:
    told = f"feature `x`: expected string, the transform gives {kind}. Cast it"
    with pytest.raises(ColumnError, match=told):
        check_columns([("x", kind)], [Column("x", ColumnType.STRING, "feature")])


def test_columns_that_nobody_declared_may_be_anything() -> None:
    check_columns([("x", "varchar"), ("y", "interval")], [Column("x", ColumnType.STRING, "entity")])


@pytest.mark.parametrize("other", ["x", "X"])
def test_a_name_that_occurs_twice_is_told(other: str) -> None:
    with pytest.raises(
        ColumnError, match="feature `x`: the transform gives 2 columns of that name"
    ):
        check_columns(
            [("x", "varchar"), (other, "varchar")], [Column("x", ColumnType.STRING, "feature")]
        )


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (pl.Series([0, None, 2**63 - 1], dtype=pl.Int64), pl.Datetime("us")),
        (pl.Series([0, None, -(2**63) + 1], dtype=pl.Int64), pl.Datetime("us", "UTC")),
        (pl.Series([0, None, 2**31 - 1], dtype=pl.Int32), pl.Date()),
    ],
    ids=["timestamp", "timestamp with time zone", "date"],
)
def test_infinity_is_no_moment(values: pl.Series, dtype: pl.DataType) -> None:
    with pytest.raises(ColumnError, match="`x`: 1 of 3 values are outside of the years 1 to 9999"):
        typed(
            pl.DataFrame({"x": values.cast(dtype)}),
            [Column("x", ColumnType.TIMESTAMP, "timestampField")],
        )


def test_rows_are_found_again_by_times_and_entities() -> None:
    spec = FeatureSetSpec.model_validate(
        feature_set(predictionTime={"field": "asked_at"}, timestampField="scheduled_at")
    )

    assert key_columns(spec) == ("scheduled_at", "asked_at", "flight")
