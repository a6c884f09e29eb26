"""Cells mean what the inputs that they are for want; what can't be read is told."""

import csv
import io
from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus_runtime.artifact.signature import Datatype, InputSpec
from serinus_runtime.server.csv_rows import is_csv, json_of_csv
from serinus_runtime.server.errors import BadRequest, RequestError, TooLarge

INPUTS = (
    InputSpec("number", Datatype.FP64),
    InputSpec("whole", Datatype.INT64),
    InputSpec("truth", Datatype.BOOL),
    InputSpec("text", Datatype.BYTES),
)


def read(text: str | bytes, rows_max: int = 10) -> dict[str, Any]:
    body = text if isinstance(text, bytes) else text.encode()
    asked: dict[str, Any] = orjson.loads(json_of_csv(body, INPUTS, rows_max))
    return asked["dataframe_split"]  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("name", "cell", "value"),
    [
        ("number", "1.5", 1.5),
        ("number", "-1e3", -1000.0),
        ("number", "", None),
        ("number", "NaN", None),
        ("number", "inf", "inf"),
        ("number", "far", "far"),
        ("number", "1_0", "1_0"),
        ("number", "\u0661", "\u0661"),
        ("whole", "12", 12),
        ("whole", "-9223372036854775808", -(2**63)),
        ("whole", "12.0", 12.0),
        ("whole", "9" * 30, float("9" * 30)),
        ("whole", "NA", None),
        ("truth", "True", True),
        ("truth", "0", False),
        ("truth", "null", None),
        ("truth", "maybe", "maybe"),
        ("text", "AA", "AA"),
        ("text", "NA", "NA"),
        ("text", '""', None),
        ("text", '"a, ""b""\nc"', 'a, "b"\nc'),
        ("unknown", "1", "1"),
    ],
)
def test_a_cell_is_what_its_input_wants(name: str, cell: str, value: Any) -> None:
    assert read(f"{name},other\n{cell},x\n") == {"columns": [name, "other"], "data": [[value, "x"]]}


def test_blank_lines_and_a_byte_order_mark_mean_nothing() -> None:
    assert read("\ufeffnumber\r\n\r\n1\r\n2\r\n\r\n") == {
        "columns": ["number"],
        "data": [[1.0], [2.0]],
    }


def test_a_row_of_another_length_is_left_to_who_tells_of_it() -> None:
    assert read("number,whole\n1\n1,2,3\n")["data"] == [["1"], ["1", "2", "3"]]


@pytest.mark.parametrize(
    ("body", "told"),
    [(b"number\n\xff", "it isn't UTF-8"), (b'number\n"1', "the body isn't CSV: ")],
)
def test_what_is_no_csv_is_told(body: bytes, told: str) -> None:
    with pytest.raises(BadRequest, match=told):
        read(body)


def test_rows_are_counted_before_one_is_read() -> None:
    assert len(read("number\n1\n2\n", rows_max=2)["data"]) == 2
    with pytest.raises(TooLarge, match="expected at most 2 rows, got more"):
        read("number\n1\n2\n3\n", rows_max=2)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(b"text/csv", True), (b"Text/CSV; charset=utf-8", True), (b"application/json", False)],
)
def test_the_headers_say_so(value: bytes, expected: bool) -> None:
    assert is_csv([(b"content-type", value)]) is expected


@given(st.binary(max_size=60))
def test_any_bytes_are_refused_or_read(body: bytes) -> None:
    with suppress(RequestError):
        read(body)


LETTERS = st.characters(exclude_categories=("Cs",), exclude_characters="\0")


@given(st.lists(st.text(LETTERS, max_size=8), min_size=1))
def test_texts_come_as_they_were_written(texts: list[str]) -> None:
    file = io.StringIO(newline="")
    csv.writer(file, quoting=csv.QUOTE_ALL).writerows([["text"], *([text] for text in texts)])

    assert read(file.getvalue(), rows_max=100)["data"] == [[text or None] for text in texts]
