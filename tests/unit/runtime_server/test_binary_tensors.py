"""Binary tensor data: the same answers as from JSON, and what doesn't fit is told."""

import json
import struct
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus_runtime.artifact.packaging import Packaged
from serinus_runtime.artifact.signature import Datatype
from serinus_runtime.server.binary_tensors import filled, moved_to_binary
from tests.support.flight_requests import INFER, ROW, TYPES, tensors
from tests.support.model_servers import Client
from tests.support.trained_models import NAMES, flights

CODES = {"FP64": "<f8", "FP32": "<f4", "INT64": "<i8", "INT32": "<i4", "BOOL": "?"}
HEADER = "Inference-Header-Content-Length"
ROWS = flights(20, seed=9)


def raw(datatype: str, values: list[Any]) -> bytes:
    if datatype == "BYTES":
        texts = [value.encode() for value in values]
        return b"".join(struct.pack("<I", len(text)) + text for text in texts)
    return np.array(values, dtype=CODES[datatype]).tobytes()


def in_binary(rows: list[dict[str, Any]], **types: str) -> tuple[list[dict[str, Any]], bytes]:
    """Tensors without data, and the data."""
    inputs, data = [], b""
    for name in NAMES:
        datatype = types.get(name, TYPES[name])
        part = raw(datatype, [row[name] for row in rows])
        sized = {"binary_data_size": len(part)}
        inputs.append(
            {"name": name, "datatype": datatype, "shape": [len(rows)], "parameters": sized}
        )
        data += part
    return inputs, data


def posted(client: Client, document: Any, data: bytes, size: str | None = None) -> httpx.Response:
    text = json.dumps(document).encode()
    headers = {HEADER: str(len(text)) if size is None else size}
    return client.request("POST", INFER, content=text + data, headers=headers)


def outputs_of(answer: httpx.Response) -> dict[str, list[Any]]:
    """Values by output, wherever they are."""
    size = int(answer.headers.get(HEADER, len(answer.content)))
    document, data = json.loads(answer.content[:size]), answer.content[size:]
    values: dict[str, list[Any]] = {}
    for output in document["outputs"]:
        if "data" in output:
            values[output["name"]] = output["data"]
            continue
        width = output["parameters"]["binary_data_size"]
        part, data = data[:width], data[width:]
        values[output["name"]] = (
            texts_of(part)
            if output["datatype"] == "BYTES"
            else np.frombuffer(part, dtype=CODES[output["datatype"]]).tolist()
        )
    assert not data
    return values


def texts_of(data: bytes) -> list[str]:
    texts = []
    while data:
        size = struct.unpack("<I", data[:4])[0]
        texts.append(data[4 : 4 + size].decode())
        data = data[4 + size :]
    return texts


def test_binary_requests_get_the_answers_of_json(client: Client) -> None:
    usual = outputs_of(client.post(INFER, {"inputs": tensors(ROWS)}))
    inputs, data = in_binary(ROWS)

    answer = posted(client, {"inputs": inputs}, data)

    assert answer.headers["content-type"] == "application/json"
    assert outputs_of(answer) == usual


@pytest.mark.parametrize("kind", ["two_classes", "three_classes", "regression"])
def test_answers_come_in_binary_where_that_is_asked_for(
    request: pytest.FixtureRequest, client_of: Callable[..., Client], kind: str
) -> None:
    packaged: Packaged = request.getfixturevalue(kind)
    client = client_of(packaged)
    usual = client.post(INFER, {"inputs": tensors(ROWS)})
    asked = {"inputs": tensors(ROWS), "parameters": {"binary_data_output": True}}

    answer = client.post(INFER, asked)

    assert answer.headers["content-type"] == "application/octet-stream"
    assert outputs_of(answer) == outputs_of(usual)


def test_each_output_may_say_for_itself(client: Client) -> None:
    asked = {
        "inputs": tensors([ROW]),
        "parameters": {"binary_data_output": True},
        "outputs": [
            {"name": "probability", "parameters": {"binary_data": True}},
            {"name": "prediction", "parameters": {"binary_data": False}},
        ],
    }

    answer = client.post(INFER, asked)

    told = json.loads(answer.content[: int(answer.headers[HEADER])])["outputs"]
    assert {output["name"]: "data" in output for output in told} == {
        "prediction": True,
        "probability": False,
    }


def test_json_and_binary_inputs_may_be_mixed(client: Client) -> None:
    inputs, data = in_binary(ROWS)
    first = data[: inputs[0]["parameters"]["binary_data_size"]]
    mixed = [inputs[0], *tensors(ROWS)[1:]]

    answer = posted(client, {"inputs": mixed}, first)

    assert outputs_of(answer) == outputs_of(client.post(INFER, {"inputs": tensors(ROWS)}))


def test_nan_means_missing(client: Client) -> None:
    inputs, data = in_binary([ROW | {"distance": float("nan")}])

    answer = posted(client, {"inputs": inputs}, data)

    assert answer.json() == {"error": "`distance`: expected a number (FP64, mi), got nothing"}


def test_the_server_tells_that_it_knows_the_extension(client: Client) -> None:
    assert client.get("/v2").json()["extensions"] == ["binary_tensor_data", "explain"]


def spoiled(index: int, **changes: Any) -> Callable[[list[dict[str, Any]]], None]:
    return lambda inputs: inputs[index].update(changes)


SIZE = "parameters.binary_data_size"
WRONG: dict[str, tuple[Callable[[list[dict[str, Any]]], None], int, str]] = {
    "not a size": (
        spoiled(0, parameters={"binary_data_size": "8"}),
        0,
        f"`inputs[0].{SIZE}`: expected a number of bytes, got the text '8'",
    ),
    "a negative size": (
        spoiled(0, parameters={"binary_data_size": -1}),
        0,
        f"`inputs[0].{SIZE}`: expected a number of bytes, got -1",
    ),
    "data, too": (
        spoiled(1, data=[5.0]),
        0,
        "`inputs[1]`: expected `data` or `parameters.binary_data_size`, got both",
    ),
    "another shape": (
        spoiled(0, shape=[2]),
        0,
        f"`inputs[0].{SIZE}`: expected 16 bytes for shape [2], got 8",
    ),
    "no shape": (
        spoiled(0, shape="all"),
        0,
        f"`inputs[0].{SIZE}`: expected 0 bytes for shape the text 'all', got 8",
    ),
    "more than there is": (
        spoiled(5, parameters={"binary_data_size": 8}),
        0,
        f"`inputs[5].{SIZE}`: expected at most the 7 bytes that are left, got 8",
    ),
    "less than there is": (
        lambda inputs: None,
        3,
        "the body: expected 38 bytes of binary data by `binary_data_size`, got 41",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_sizes_that_dont_fit_are_told(client: Client, case: str) -> None:
    spoil, more, message = WRONG[case]
    inputs, data = in_binary([ROW])
    spoil(inputs)

    answer = posted(client, {"inputs": inputs}, data + b"x" * more)

    assert (answer.status_code, answer.json()) == (400, {"error": message})


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"\x02\x00\x00\x00A", "text 0 is cut off at the end of its data"),
        (b"\x01\x00\x00\x00A\x01\x00", "text 1 is cut off at the end of its data"),
        (b"\xff\xff\xff\xffA", "text 0 is cut off at the end of its data"),
        (b"\x01\x00\x00\x00\xff", "text 0 isn't UTF-8"),
    ],
)
def test_texts_that_cant_be_read_are_told(client: Client, content: bytes, problem: str) -> None:
    sized = {"binary_data_size": len(content)}
    carrier = {"name": "carrier", "datatype": "BYTES", "shape": [1], "parameters": sized}

    answer = posted(client, {"inputs": [carrier]}, content)

    assert (answer.status_code, answer.json()) == (400, {"error": f"`inputs[0]`: {problem}"})


@pytest.mark.parametrize("size", ["", "-1", "1e3", "99999999", "9" * 40, "ten"])
def test_a_wrong_length_of_the_json_is_told(client: Client, size: str) -> None:
    answer = posted(client, {"inputs": tensors([ROW])}, b"", size)

    assert answer.status_code == 400
    assert answer.json()["error"].startswith("`inference-header-content-length`: expected a number")


def test_other_paths_take_no_binary_data(client: Client) -> None:
    body = json.dumps({"rows": [ROW]}).encode()

    answer = client.request("POST", "/predict", content=body, headers={HEADER: "3"})

    assert answer.status_code == 200


NUMBERS = {
    Datatype.INT8: st.integers(-128, 127),
    Datatype.UINT64: st.integers(0, 2**64 - 1),
    Datatype.FP64: st.floats(allow_nan=False),
    Datatype.FP16: st.floats(width=16, allow_nan=False),
    Datatype.BOOL: st.booleans(),
    Datatype.BYTES: st.text(),
}


@given(st.data(), st.sampled_from(sorted(NUMBERS)))
def test_what_is_written_in_binary_reads_back_the_same(data: st.DataObject, kind: Datatype) -> None:
    values = data.draw(st.lists(NUMBERS[kind], min_size=1, max_size=20))
    output = {"name": "o", "datatype": kind.value, "shape": [len(values)], "data": list(values)}

    content = moved_to_binary([output], frozenset({"o"}))
    document = {"inputs": [output]}
    filled(document, memoryview(content))

    assert output["data"] == values
