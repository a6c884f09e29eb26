"""Columns and rows are encoded by the same rules: training sees what serving sees."""

from typing import Any

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from serinus_runtime.artifact.encoding import RowEncoder, ValueRefused
from serinus_runtime.artifact.signature import Datatype, InputSpec, PolicyAction, Signature
from serinus_runtime.training.encoded_frame import encoded_frame

policies = st.sampled_from([None, *PolicyAction])
TEXTS = ["a", "b", "c", ""]


DECIMALS = ["0.1", "-1", "2.5", "1e300"]


@st.composite
def numbers(draw: st.DrawFn) -> tuple[InputSpec, list[Any]]:
    datatype = draw(st.sampled_from([Datatype.FP64, Datatype.FP32]))
    spec = InputSpec(
        "x",
        datatype,
        nullable=draw(st.booleans()),
        minimum=draw(st.sampled_from([None, -1.0, 0.0])),
        maximum=draw(st.sampled_from([None, 0.1, 1.0, 2.5, 1e300])),
        allowed=draw(st.none() | st.lists(st.sampled_from(DECIMALS), min_size=1).map(tuple)),
        on_missing=draw(policies),
        on_violation=draw(policies),
        constant=draw(st.sampled_from([None, 0.5])),
    )
    value = st.none() | st.floats(-3, 3) | st.sampled_from([0.0, -0.0, 0.1, 1.0, float("inf")])
    return spec, draw(st.lists(value, min_size=1, max_size=8))


@st.composite
def whole_numbers(draw: st.DrawFn) -> tuple[InputSpec, list[Any]]:
    spec = InputSpec(
        "x",
        Datatype.INT64,
        nullable=draw(st.booleans()),
        minimum=draw(st.sampled_from([None, -1.0, 2.0**53])),
        maximum=draw(st.sampled_from([None, 7.0, 2.0**53])),
        allowed=draw(st.none() | st.just(("0", "7", "9007199254740993"))),
        on_missing=draw(policies),
        on_violation=draw(policies),
        constant=draw(st.sampled_from([None, 3.0])),
    )
    edges = st.sampled_from([0, 7, 2**53, 2**53 + 1, 2**63 - 1, -(2**63)])
    return spec, draw(st.lists(st.none() | st.integers(-9, 9) | edges, min_size=1, max_size=8))


@st.composite
def texts(draw: st.DrawFn) -> tuple[InputSpec, list[Any]]:
    spec = InputSpec(
        "x",
        Datatype.BYTES,
        nullable=draw(st.booleans()),
        categories=tuple(draw(st.lists(st.sampled_from(TEXTS), min_size=1, unique=True))),
        unseen=draw(st.sampled_from(list(PolicyAction))),
        allowed=draw(st.none() | st.lists(st.sampled_from(TEXTS), min_size=1).map(tuple)),
        on_missing=draw(policies),
        on_violation=draw(policies),
        constant=draw(st.sampled_from([None, "a", "z"])),
    )
    return spec, draw(st.lists(st.none() | st.sampled_from([*TEXTS, "d"]), min_size=1, max_size=8))


@st.composite
def booleans(draw: st.DrawFn) -> tuple[InputSpec, list[Any]]:
    spec = InputSpec(
        "x",
        Datatype.BOOL,
        nullable=draw(st.booleans()),
        on_missing=draw(policies),
        constant=draw(st.sampled_from([None, True])),
    )
    return spec, draw(st.lists(st.none() | st.booleans(), min_size=1, max_size=8))


@given(numbers() | whole_numbers() | texts() | booleans())
def test_a_frame_is_encoded_as_its_rows_are(case: tuple[InputSpec, list[Any]]) -> None:
    spec, values = case
    types = {
        Datatype.FP64: pl.Float64,
        Datatype.FP32: pl.Float32,
        Datatype.INT64: pl.Int64,
        Datatype.BYTES: pl.String,
        Datatype.BOOL: pl.Boolean,
    }
    frame = pl.DataFrame({"x": pl.Series(values, dtype=types[spec.datatype])})
    encoder = RowEncoder(Signature((spec,), ()))

    encoded = encoded_frame(frame, [spec])

    for index, value in enumerate(values):
        try:
            code = encoder.rows([{"x": value}])[0, 0]
        except ValueRefused:
            assert encoded.rejected[index]
        else:
            assert not encoded.rejected[index]
            assert np.array_equal(encoded.matrix[index, 0], code, equal_nan=True)
