"""Messages of the Open Inference Protocol are read as the same JSON is, and written back."""

import math
from typing import Any

import pytest

from serinus_runtime.server import open_inference_pb2 as wire
from serinus_runtime.server.errors import BadRequest
from serinus_runtime.server.inference_messages import (
    answer_message,
    document_of,
    fill,
    metadata_message,
    parsed,
)
from tests.support.flight_requests import ROW, tensors
from tests.support.inference_calls import raw, typed

ROWS = [ROW, ROW | {"distance": None, "carrier": "Ü"}]
ANSWER = {
    "model_name": "flight-delay",
    "model_version": "abc",
    "id": "mine",
    "parameters": {"prediction_id": "x", "revision": "0123456789"},
    "outputs": [
        {"name": "prediction", "datatype": "BYTES", "shape": [2], "data": ["late", "on time"]},
        {"name": "probability", "datatype": "FP64", "shape": [2, 2], "data": [0.1, 0.9, 0.7, 0.3]},
    ],
}


def read(request: wire.ModelInferRequest) -> dict[str, Any]:
    document = document_of(request)
    fill(document, request)
    return document


@pytest.mark.parametrize("form", [typed, raw])
def test_a_message_says_what_json_says(form: Any) -> None:
    request = form(ROWS, id="mine", outputs=[{"name": "probability"}])

    assert read(request) == {
        "id": "mine",
        "inputs": tensors(ROWS),
        "outputs": [{"name": "probability"}],
    }


def test_raw_values_may_come_beside_contents_that_are_empty() -> None:
    request = raw(ROWS)
    for tensor in request.inputs:
        tensor.contents.SetInParent()

    assert read(request)["inputs"] == tensors(ROWS)


@pytest.mark.parametrize(
    ("datatype", "field", "values"),
    [
        ("INT8", "int_contents", [-1, 2]),
        ("INT16", "int_contents", [-1, 2]),
        ("INT32", "int_contents", [-1, 2]),
        ("INT64", "int64_contents", [-1, 2**60]),
        ("UINT8", "uint_contents", [1, 2]),
        ("UINT16", "uint_contents", [1, 2]),
        ("UINT32", "uint_contents", [1, 2**32 - 1]),
        ("UINT64", "uint64_contents", [1, 2**64 - 1]),
        ("FP32", "fp32_contents", [0.5, math.nan]),
        ("FP64", "fp64_contents", [0.1, math.nan]),
        ("BOOL", "bool_contents", [True, False]),
    ],
)
def test_each_datatype_has_its_field(datatype: str, field: str, values: list[Any]) -> None:
    request = wire.ModelInferRequest()
    tensor = request.inputs.add(name="x", datatype=datatype, shape=[2])
    getattr(tensor.contents, field).extend(values)

    (got,) = read(request)["inputs"]

    assert got["data"] == [None if value != value else value for value in values]


def spoilt(**changes: Any) -> wire.ModelInferRequest:
    request = typed([ROW])
    for name, change in changes.items():
        change(getattr(request, name))
    return request


REFUSED = [
    (
        spoilt(inputs=lambda inputs: inputs[0].contents.fp32_contents.append(1.0)),
        (
            "`inputs[0].contents`: expected values of FP64 in `fp64_contents`, got some in "
            "`fp32_contents`"
        ),
    ),
    (
        spoilt(inputs=lambda inputs: inputs[4].contents.bytes_contents.append(b"\xff")),
        "`inputs[4]`: text 1 isn't UTF-8",
    ),
    (
        spoilt(raw_input_contents=lambda raw: raw.append(b"")),
        "`raw_input_contents`: expected one for each of the 6 inputs, got 1",
    ),
    (
        spoilt(raw_input_contents=lambda raw: raw.extend([b""] * 6)),
        "`inputs[0].contents`: not together with `raw_input_contents`",
    ),
    (
        wire.ModelInferRequest(
            inputs=[{"name": "x", "datatype": "FP64", "shape": [2]}], raw_input_contents=[b"1234"]
        ),
        "`raw_input_contents[0]`: expected 16 bytes for shape [2], got 4",
    ),
    (
        wire.ModelInferRequest(inputs=[{"name": "x", "datatype": "FP16", "shape": [2]}]),
        "`inputs[0].contents`: send values of FP16 in `raw_input_contents`",
    ),
]


@pytest.mark.parametrize(("request_message", "told"), REFUSED)
def test_what_doesnt_fit_is_named(request_message: wire.ModelInferRequest, told: str) -> None:
    with pytest.raises(BadRequest) as refused:
        read(request_message)

    assert refused.value.message == told


def test_values_of_an_unknown_datatype_are_left_to_who_checks_it() -> None:
    request = wire.ModelInferRequest(inputs=[{"name": "x", "datatype": "FP128", "shape": [1]}])

    assert read(request)["inputs"][0]["data"] == []


def test_bytes_that_are_no_message_are_refused() -> None:
    with pytest.raises(BadRequest, match="isn't a ModelInferRequest of the Open Inference"):
        parsed(wire.ModelInferRequest, b"\xff\xff\xff")


def test_an_answer_bears_its_values_typed() -> None:
    answer = wire.ModelInferResponse.FromString(answer_message(ANSWER, raw=False))

    assert list(answer.outputs[0].contents.bytes_contents) == [b"late", b"on time"]
    assert list(answer.outputs[1].contents.fp64_contents) == [0.1, 0.9, 0.7, 0.3]
    assert list(answer.outputs[1].shape) == [2, 2]
    assert answer.id == "mine"
    assert answer.parameters["prediction_id"].string_param == "x"
    assert not answer.raw_output_contents


def test_an_answer_bears_its_values_as_bytes_where_the_request_did() -> None:
    answer = wire.ModelInferResponse.FromString(answer_message(ANSWER, raw=True))

    assert answer.raw_output_contents[0] == b"\x04\0\0\0late\x07\0\0\0on time"
    assert len(answer.raw_output_contents[1]) == 32
    assert not answer.outputs[0].HasField("contents")


def test_metadata_bears_inputs_and_outputs() -> None:
    told = wire.ModelMetadataResponse.FromString(
        metadata_message(
            {
                "name": "m",
                "versions": ["1"],
                "platform": "serinus",
                "inputs": [{"name": "x", "datatype": "FP64", "shape": [-1]}],
                "outputs": [],
            }
        )
    )

    assert (told.inputs[0].name, list(told.inputs[0].shape)) == ("x", [-1])


def test_very_many_values_arrive_all_and_in_order() -> None:
    request = typed([ROW])
    request.inputs[2].contents.int64_contents[:] = range(20_000)

    document = document_of(request)
    fill(document, request)

    assert document["inputs"][2]["data"] == list(range(20_000))


def test_of_a_shape_no_more_is_read_than_is_needed_to_refuse_it() -> None:
    request = typed([ROW])
    request.inputs[0].shape[:] = range(1, 20_000)

    assert document_of(request)["inputs"][0]["shape"] == list(range(1, 9))
