"""Each transformer, read column by column, makes the same matrix as scikit-learn's own."""

from typing import Any

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)

from serinus_runtime.artifact.compile import input_column
from serinus_runtime.artifact.compile_preprocessing import transformed_columns
from serinus_runtime.artifact.native import native_matrix
from serinus_runtime.artifact.not_compilable import NotCompilableError
from serinus_runtime.artifact.plan import transformed
from serinus_runtime.artifact.symbolic_columns import Hot, Number, Slots, plan_operations
from tests.support.trained_models import INPUTS, NAMES, edge_rows, encoded, flights

NUMBERS, TEXTS = [0, 1, 2, 3], [4, 5]
TRAINING = encoded(flights(400, missing=0.1))
LIVE = encoded(flights(200, seed=5, missing=0.3) + edge_rows())


def made(transformer: Any, rows: np.ndarray) -> np.ndarray:
    """The matrix by way of the plan's operations."""
    columns: list[Any] = [input_column(at, spec) for at, spec in enumerate(INPUTS)]
    for operation in plan_operations(transformed_columns(transformer, columns, NAMES)):
        rows = transformed(operation, rows)
    return rows


def of_numbers(transformer: Any) -> ColumnTransformer:
    return ColumnTransformer([("numbers", transformer, NUMBERS)])


def of_texts(transformer: Any) -> ColumnTransformer:
    return ColumnTransformer([("texts", transformer, TEXTS)])


def frequent() -> SimpleImputer:
    return SimpleImputer(strategy="most_frequent", missing_values=None)


def constant(value: str) -> SimpleImputer:
    return SimpleImputer(strategy="constant", fill_value=value, missing_values=None)


COMPILED = [
    ("mean", of_numbers(SimpleImputer())),
    ("median and indicator", of_numbers(SimpleImputer(strategy="median", add_indicator=True))),
    ("standard scaler", of_numbers(StandardScaler())),
    ("standard scaler without mean", of_numbers(StandardScaler(with_mean=False))),
    ("standard scaler without deviation", of_numbers(StandardScaler(with_std=False))),
    ("robust scaler", of_numbers(RobustScaler())),
    ("largest is one", of_numbers(MaxAbsScaler())),
    ("zero to one", of_numbers(MinMaxScaler())),
    ("nothing", of_numbers(FunctionTransformer())),
    ("imputed, then scaled", of_numbers(make_pipeline(SimpleImputer(), StandardScaler()))),
    ("one-hot with nulls of their own", of_texts(OneHotEncoder(handle_unknown="ignore"))),
    (
        "one-hot of two or more, one left out",
        of_texts(make_pipeline(frequent(), OneHotEncoder(drop="first", handle_unknown="ignore"))),
    ),
    (
        "a constant that is no category",
        of_texts(make_pipeline(constant("none"), OneHotEncoder(handle_unknown="ignore"))),
    ),
    (
        "one-hot, scaled",
        of_texts(
            make_pipeline(
                OneHotEncoder(handle_unknown="ignore", sparse_output=False), StandardScaler()
            )
        ),
    ),
    (
        "ordinal, unseen is a number",
        of_texts(OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)),
    ),
    (
        "ordinal, unseen is missing",
        of_texts(OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)),
    ),
    (
        "ordinal, scaled",
        of_texts(
            make_pipeline(
                OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
                StandardScaler(),
            )
        ),
    ),
    (
        "parts in another order, one dropped",
        ColumnTransformer(
            [
                ("texts", OneHotEncoder(handle_unknown="ignore"), [5]),
                ("gone", "drop", [4]),
                ("numbers", SimpleImputer(), [3, 0]),
                ("as they are", "passthrough", [1]),
            ],
            sparse_threshold=0,
        ),
    ),
]


@pytest.mark.parametrize(
    "transformer", [pytest.param(transformer, id=name) for name, transformer in COMPILED]
)
def test_the_matrix_is_scikit_learns(transformer: Any) -> None:
    transformer.fit(native_matrix(INPUTS, TRAINING))
    expected = transformer.transform(native_matrix(INPUTS, LIVE))
    expected = np.asarray(
        expected.todense() if hasattr(expected, "todense") else expected, dtype=np.float64
    )

    np.testing.assert_allclose(made(transformer, LIVE), expected, rtol=1e-12, atol=1e-12)


REFUSED = [
    (of_texts(OneHotEncoder(min_frequency=5)), "the encoder groups infrequent categories"),
    (of_numbers(MinMaxScaler((-1, 1))), "the MinMaxScaler has a range of its own or clips"),
    (of_numbers(OneHotEncoder()), "a OneHotEncoder gets a column that isn't a category"),
    (of_numbers(OrdinalEncoder()), "an OrdinalEncoder gets a column that isn't a category"),
    (
        of_numbers(make_pipeline(StandardScaler(), StandardScaler())),
        "a column is scaled twice, or an indicator is scaled",
    ),
    (
        of_numbers(make_pipeline(StandardScaler(), SimpleImputer())),
        "a column is imputed after it was scaled",
    ),
    (
        of_numbers(SimpleImputer(missing_values=-1)),
        "the SimpleImputer takes other values than null for missing",
    ),
    (
        ColumnTransformer([("n", StandardScaler(), [0])], transformer_weights={"n": 2}),
        "the ColumnTransformer weighs its parts",
    ),
]


@pytest.mark.parametrize(("transformer", "reason"), REFUSED)
def test_what_cant_be_read_says_why(transformer: Any, reason: str) -> None:
    whole_rows = encoded(flights(100, missing=0))
    transformer.fit(native_matrix(INPUTS, whole_rows))

    with pytest.raises(NotCompilableError, match=reason):
        made(transformer, whole_rows)


def test_a_text_that_nobody_encoded_is_refused() -> None:
    with pytest.raises(NotCompilableError, match="the text 'a' reaches the estimator"):
        plan_operations([Slots(0, ("a", None))])


def test_columns_keep_their_order_whatever_their_kind() -> None:
    columns = [Hot(1, (0, -1, -1), 0), Number(0), Slots(1, (7.0, 8.0, 9.0)), Number(0, 5.0)]
    rows = np.array([[np.nan, 0.0], [2.0, np.nan]])

    for operation in plan_operations(columns):
        rows = transformed(operation, rows)

    np.testing.assert_array_equal(rows, [[1, np.nan, 7, 5], [0, 2, 9, 2]])
