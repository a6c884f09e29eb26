"""What a value means, whoever sends it: types, ranges, categories, missing values, policies."""

import math
from typing import Any

import numpy as np
import pytest

from serinus.api.featureset import PolicyAction as ApiPolicyAction
from serinus_runtime.artifact.encoding import RowEncoder, ValueRefused, decoded_column, shown
from serinus_runtime.artifact.signature import Datatype, InputSpec, PolicyAction, Signature

MISSING = math.nan
REJECT, FLAG, IMPUTE = PolicyAction.REJECT, PolicyAction.FLAG, PolicyAction.IMPUTE


def number(**changes: Any) -> InputSpec:
    return InputSpec("x", **({"datatype": Datatype.FP64} | changes))


def text(**changes: Any) -> InputSpec:
    return InputSpec("x", Datatype.BYTES, categories=("a", "b"), **changes)


def encode(spec: InputSpec, value: Any) -> tuple[float, int]:
    """Code of a value, and how many values were flagged."""
    encoder = RowEncoder(Signature((spec,), ()))
    (code,) = encoder.rows([{"x": value}])[0].tolist()
    return code, encoder.flags.total


CODES = [
    ("a number", number(), 1.5, 1.5, 0),
    ("a whole number for a float", number(), 3, 3.0, 0),
    ("a float without fraction for an integer", number(datatype=Datatype.INT64), 3.0, 3.0, 0),
    ("the smallest of 64 bits", number(datatype=Datatype.INT64), -(2**63), -(2.0**63), 0),
    ("the smallest of a type", number(datatype=Datatype.INT8), -128, -128.0, 0),
    ("the bounds belong to the range", number(minimum=0, maximum=1, on_violation=REJECT), 1, 1, 0),
    ("truth", InputSpec("x", Datatype.BOOL), True, 1.0, 0),
    ("a category", text(), "b", 1.0, 0),
    ("an unseen category is the one past the last", text(), "z", 2.0, 1),
    ("an unseen category, imputed", text(unseen=IMPUTE, constant="b"), "z", 1.0, 1),
    ("outside the range by default", number(maximum=1.0), 5.0, 5.0, 1),
    ("outside the range, flagged", number(maximum=1.0, on_violation=FLAG), 5.0, 5.0, 1),
    ("outside, imputed", number(maximum=1.0, on_violation=IMPUTE, constant=0.5), 5.0, 0.5, 1),
    ("outside, imputed as missing", number(maximum=1.0, on_violation=IMPUTE), 5.0, MISSING, 1),
    ("outside, imputed, though null is refused",
     number(maximum=1.0, on_violation=IMPUTE, constant=0.5, nullable=False), 5.0, 0.5, 1),
    ("not allowed, flagged", text(allowed=("a",)), "b", 1.0, 1),
    ("allowed but unseen", text(allowed=("a", "z")), "z", 2.0, 1),
    ("a number of 32 bits", number(datatype=Datatype.FP32), 0.1, 0.10000000149011612, 0),
    ("a number of 16 bits", number(datatype=Datatype.FP16), 0.1, 0.0999755859375, 0),
    ("more digits than 32 bits hold", number(datatype=Datatype.FP32), 2**24 + 1, 2.0**24, 0),
    ("the limit itself in 32 bits", number(datatype=Datatype.FP32, maximum=0.1), 0.1,
     0.10000000149011612, 0),
    ("allowed in 32 bits", number(datatype=Datatype.FP32, allowed=("0.1",)), 0.1,
     0.10000000149011612, 0),
    ("a limit that 32 bits don't reach", number(datatype=Datatype.FP32, maximum=1e300), 1, 1.0, 0),
    ("an allowed number", number(allowed=("1", "2.5")), 2.5, 2.5, 0),
    ("a number not allowed, by default", number(allowed=("1", "2")), 99, 99.0, 1),
    ("a number not allowed, imputed",
     number(allowed=("1",), on_violation=IMPUTE, constant=1.0), 99, 1.0, 1),
    ("beyond what floats count", number(datatype=Datatype.INT64, maximum=2.0**53), 2**53 + 1,
     2.0**53, 0),
    ("missing goes to the model", number(), None, MISSING, 0),
    ("missing, flagged", number(on_missing=FLAG), None, MISSING, 1),
    ("missing, imputed", number(on_missing=IMPUTE, constant=7.0), None, 7.0, 0),
    ("missing text, imputed", text(on_missing=IMPUTE, constant="b"), None, 1.0, 0),
    ("missing truth, imputed",
     InputSpec("x", Datatype.BOOL, on_missing=IMPUTE, constant=True), None, 1.0, 0),
]  # fmt: skip


@pytest.mark.parametrize(
    ("spec", "value", "code", "flags"), [pytest.param(*row[1:], id=row[0]) for row in CODES]
)
def test_a_value_has_its_code(spec: InputSpec, value: Any, code: float, flags: int) -> None:
    got, flagged = encode(spec, value)

    assert got == code or (math.isnan(got) and math.isnan(code))
    assert flagged == flags


REFUSED = [
    (number(), math.inf, "`x`: expected a number (FP64), got inf"),
    (number(), math.nan, "`x`: expected a number (FP64), got nan"),
    (number(datatype=Datatype.FP16), 70000, "`x`: expected a number (FP16), got 70000"),
    (number(datatype=Datatype.UINT8), 256, "`x`: expected a whole number (UINT8), got 256"),
    (number(datatype=Datatype.UINT8), -1, "`x`: expected a whole number (UINT8), got -1"),
    (number(unit="mi"), "1", "`x`: expected a number (FP64, mi), got the text '1'"),
    (number(), {}, "`x`: expected a number (FP64), got an object"),
    (number(nullable=False), None, "`x`: expected a number (FP64), got nothing"),
    (number(on_missing=REJECT), None, "`x`: expected a number (FP64), got nothing"),
    (number(minimum=2.0, on_violation=REJECT), 1, "`x`: expected at least 2, got 1"),
    (number(maximum=2.0, on_violation=REJECT), 3, "`x`: expected at most 2, got 3"),
    (number(allowed=("1", "2"), on_violation=REJECT), 99, "`x`: expected one of 1, 2, got 99"),
    (number(datatype=Datatype.FP32), 3.5e38, "`x`: expected a number (FP32), got 3.5e+38"),
    (text(unseen=REJECT), "z", "`x`: expected one of a, b, got the text 'z'"),
    (text(allowed=("a",), on_violation=REJECT), "b", "`x`: expected one of a, got the text 'b'"),
    (text(), 1.5, "`x`: expected a text (BYTES), got 1.5"),
    (InputSpec("x", Datatype.BOOL), "yes", "`x`: expected true or false (BOOL), got the text"),
]


@pytest.mark.parametrize(("spec", "value", "message"), REFUSED)
def test_a_wrong_value_is_told(spec: InputSpec, value: Any, message: str) -> None:
    with pytest.raises(ValueRefused) as told:
        encode(spec, value)

    assert str(told.value).startswith(message)


def test_many_categories_are_cut_short_in_a_message() -> None:
    spec = InputSpec("x", Datatype.BYTES, categories=tuple("abcdefghij"), unseen=REJECT)

    with pytest.raises(ValueRefused, match="expected one of a, b, c, d, e, f, g, h and 2 more"):
        encode(spec, "z")


def test_a_long_text_is_cut_short_in_a_message() -> None:
    assert shown("x" * 100) == f"the text {'x' * 60!r}…"


def test_rows_and_columns_encode_alike() -> None:
    signature = Signature((number(), InputSpec("y", Datatype.BYTES, categories=("a",))), ())
    rows = [{"x": 1.0, "y": "a"}, {"y": None}, {"x": 3, "y": "z"}]

    by_rows = RowEncoder(signature).rows(rows)
    by_columns = RowEncoder(signature).cells([1.0, "a", None, None, 3, "z"], 3)

    np.testing.assert_array_equal(by_rows, by_columns)


def test_texts_come_back_from_their_codes() -> None:
    spec = InputSpec("x", Datatype.BYTES, categories=("a", "unseen"))

    assert decoded_column(spec, np.array([0, 1, 2, math.nan])) == ["a", "unseen", "unseen_", None]


def test_the_words_of_policies_are_those_of_the_feature_set() -> None:
    assert [action.value for action in PolicyAction] == [action.value for action in ApiPolicyAction]
