"""A row for each row that was predicted, as the model saw it."""

from typing import Any

import numpy as np
import pytest

from serinus_runtime.artifact.encoding import RowEncoder
from serinus_runtime.artifact.manifest import ClassLabel
from serinus_runtime.artifact.signature import Datatype, InputSpec, PolicyAction, Signature
from serinus_runtime.prediction_log.logged import LoggedPrediction
from serinus_runtime.prediction_log.parquet import parquet_file
from serinus_runtime.prediction_log.table import LogSchema, columns_of, gathered
from tests.support.parquet_readers import by_pyarrow

REVISION = "0123456789"
NUMBER = InputSpec("x", Datatype.FP64)
MISSING = None


def read(
    *entries: LoggedPrediction,
    inputs: tuple[InputSpec, ...] = (NUMBER,),
    classes: tuple[ClassLabel, ...] = (),
    at_once: int = 100,
) -> dict[str, list[Any]]:
    schema = LogSchema(REVISION, inputs, classes)
    parts = [
        gathered(entries[start : start + at_once]) for start in range(0, len(entries), at_once)
    ]
    return by_pyarrow(parquet_file(columns_of(parts, schema), {"a": "b"}))


def entry(
    number: int,
    *,
    rows: Any = ((1.0,),),
    answers: Any = ((0.5,),),
    decided: Any = None,
    form: str = "predict",
    mirrored: bool = False,
    percent: int = 100,
) -> LoggedPrediction:
    return LoggedPrediction(
        issued_at_ms=1_000_000 + number,
        prediction_id=f"id-{number}",
        form=form,
        mirrored=mirrored,
        sample_percent=percent,
        rows=np.array(rows, dtype=np.float64),
        answers=np.array(answers, dtype=np.float64),
        decided=None if decided is None else np.array(decided, dtype=np.intp),
    )


@pytest.mark.parametrize("at_once", [1, 2, 100])
def test_each_row_says_which_request_it_was_of(at_once: int) -> None:
    table = read(
        entry(1),
        entry(2, rows=((2.0,), (3.0,)), answers=((0.6,), (0.7,)), form="v2", percent=10),
        entry(3, rows=((4.0,),), answers=((0.8,),), mirrored=True),
        at_once=at_once,
    )

    assert table["prediction_id"] == ["id-1", "id-2", "id-2", "id-3"]
    assert table["row"] == [0, 0, 1, 0]
    assert table["form"] == ["predict", "v2", "v2", "predict"]
    assert table["mirrored"] == [False, False, False, True]
    assert table["sample_percent"] == [100, 10, 10, 100]
    assert [at.timestamp() for at in table["issued_at"]] == [1000.001, 1000.002, 1000.002, 1000.003]
    assert table["revision"] == [REVISION] * 4
    assert table["input_x"] == [1.0, 2.0, 3.0, 4.0]
    assert table["prediction"] == [0.5, 0.6, 0.7, 0.8]


@pytest.mark.parametrize(
    ("classes", "words"),
    [((False, True), [True, False]), (("no", "yes"), ["yes", "no"]), ((3, 7), [7, 3])],
)
def test_of_two_classes_the_probability_is_the_second_s(
    classes: tuple[ClassLabel, ...], words: list[ClassLabel]
) -> None:
    table = read(
        entry(1, answers=((0.1, 0.9),), decided=[1]),
        entry(2, answers=((0.8, 0.2),), decided=[0]),
        classes=classes,
    )

    assert table["prediction"] == words
    assert table["probability"] == [0.9, 0.2]
    assert not any(name.startswith("probability_") for name in table)


def test_of_more_classes_each_has_its_probability() -> None:
    table = read(
        entry(1, answers=((0.1, 0.2, 0.7), (0.5, 0.3, 0.2)), rows=((1.0,), (1.0,)), decided=[2, 0]),
        classes=("early", "late", "on time"),
    )

    assert table["prediction"] == ["on time", "early"]
    assert table["probability"] == [0.7, 0.5]
    assert table["probability_late"] == [0.2, 0.3]


VALUES: list[tuple[InputSpec, Any, Any]] = [
    (InputSpec("x", Datatype.FP64), 0.1, 0.1),
    (InputSpec("x", Datatype.FP32), 0.1, pytest.approx(0.1)),
    (InputSpec("x", Datatype.INT64), -(2**40), -(2**40)),
    (InputSpec("x", Datatype.UINT8), 255, 255),
    (InputSpec("x", Datatype.UINT64), 2**64 - 1, 2.0**64),
    (InputSpec("x", Datatype.BOOL), True, True),
    (InputSpec("x", Datatype.BYTES, categories=("AA", "né")), "né", "né"),
    (InputSpec("x", Datatype.FP64, on_missing=PolicyAction.IMPUTE, constant=3.5), None, 3.5),
    (
        InputSpec(
            "x",
            Datatype.BYTES,
            categories=("AA", "né"),
            on_missing=PolicyAction.IMPUTE,
            constant="AA",
        ),
        None,
        "AA",
    ),
    *((InputSpec("x", datatype), None, None) for datatype in Datatype),
]


@pytest.mark.parametrize(("spec", "sent", "logged"), VALUES, ids=str)
def test_an_input_is_logged_as_the_model_saw_it(spec: InputSpec, sent: Any, logged: Any) -> None:
    rows = RowEncoder(Signature((spec,), ())).rows([{"x": sent}])

    assert read(entry(1, rows=rows), inputs=(spec,))["input_x"] == [logged]


def test_nothing_that_training_didn_t_know_is_written() -> None:
    spec = InputSpec("city", Datatype.BYTES, categories=("Oslo", "Rome"))
    encoder = RowEncoder(Signature((spec,), ()))
    rows = encoder.rows([{"city": "my street 7, Rome", "name": "Ada Lovelace"}, {"city": "Oslo"}])

    content = parquet_file(
        columns_of(
            [gathered([entry(1, rows=rows, answers=((0.5,), (0.5,)))])],
            LogSchema(REVISION, (spec,), ()),
        ),
        {"a": "b"},
    )

    table = by_pyarrow(content)
    assert table["input_city"] == ["unseen", "Oslo"]
    assert not any("Ada" in str(value) or "street" in str(value) for value in table.values())
    assert "name" not in " ".join(table)
