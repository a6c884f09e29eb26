"""Fields of a message are counted before anything is made of them."""

import time

import pytest

from serinus_runtime.server import open_inference_pb2 as wire
from serinus_runtime.server.errors import BadRequest, TooLarge
from serinus_runtime.server.message_structure import check_fields, check_tensors
from tests.support.flight_requests import ROW
from tests.support.inference_calls import raw, typed

EACH_KIND = b"\x08\x96\x01" + b"\x11" + bytes(8) + b"\x1a\x02ab" + b"\x25" + bytes(4)


@pytest.mark.parametrize(
    ("message", "fields"),
    [
        (b"", 0),
        (EACH_KIND, 4),
        (typed([ROW] * 3).SerializeToString(), 1 + 6),
        (raw([ROW] * 3, id="mine").SerializeToString(), 2 + 6 + 6),
    ],
)
def test_each_field_at_the_top_counts_once(message: bytes, fields: int) -> None:
    check_fields(message, fields)

    if fields:
        with pytest.raises(TooLarge, match=f"expected at most {fields - 1} fields"):
            check_fields(message, fields - 1)


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(b"\x08", id="a number that isn't there"),
        pytest.param(b"\xff" * 11, id="a number without an end"),
        pytest.param(b"\x1a\x05ab", id="cut off"),
        pytest.param(b"\x11\x00", id="cut off within a fixed number"),
        pytest.param(b"\x0b\x0c" + b"*\x00" * 5000, id="a group, and what would hide behind it"),
    ],
)
def test_what_cant_be_told_apart_is_no_message(message: bytes) -> None:
    with pytest.raises(BadRequest, match="isn't one of the Open Inference Protocol"):
        check_fields(message, 100)


def test_millions_of_tensors_are_refused_at_once() -> None:
    message = b"*\x00" * (2 << 20)
    start = time.perf_counter()

    with pytest.raises(TooLarge):
        check_fields(message, 1000)

    assert time.perf_counter() - start < 0.2


def test_what_passes_is_what_the_parser_reads() -> None:
    message = raw([ROW]).SerializeToString()
    check_fields(message, 100)

    assert len(wire.ModelInferRequest.FromString(message).inputs) == 6


@pytest.mark.parametrize(
    ("message", "fields"),
    [
        (b"", 0),
        (EACH_KIND, 0),
        (typed([ROW] * 3).SerializeToString(), 6 * 4),
        (raw([ROW] * 3).SerializeToString(), 6 * 3),
        (wire.ModelInferRequest(outputs=[{"name": "a"}, {"name": "b"}]).SerializeToString(), 2),
    ],
)
def test_each_field_of_a_tensor_counts_once(message: bytes, fields: int) -> None:
    check_tensors(message, fields)

    if fields:
        with pytest.raises(TooLarge, match=f"expected at most {fields - 1} fields in its tensors"):
            check_tensors(message, fields - 1)


def test_a_tensor_that_says_it_is_longer_than_its_message_is_none() -> None:
    with pytest.raises(BadRequest):
        check_tensors(b"*\x04*\x04ab", 100)


def test_a_tensor_of_very_many_parameters_is_refused() -> None:
    request = typed([ROW])
    for number in range(100):
        request.inputs[0].parameters[str(number)].bool_param = True

    with pytest.raises(TooLarge, match="send fewer parameters"):
        check_tensors(request.SerializeToString(), 100)
