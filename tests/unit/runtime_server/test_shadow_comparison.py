"""Same decisions are the same, whatever else differs."""

import struct

import orjson
import pytest

from serinus_runtime.server.answer import Answer
from serinus_runtime.server.shadow_comparison import agree


def rows(*values: object, revision: str = "a") -> bytes:
    predictions = [{"value": value, "probability": 0.1} for value in values]
    return orjson.dumps({"predictions": predictions, "id": revision, "revision": revision})


def plain(*values: object) -> bytes:
    return orjson.dumps({"predictions": list(values), "id": "a"})


def tensors(*values: object) -> bytes:
    return orjson.dumps({"outputs": [{"name": "prediction", "data": list(values)}]})


@pytest.mark.parametrize(
    ("stable", "shadow", "same"),
    [
        ((200, rows(True, False)), (200, rows(True, False, revision="b")), True),
        ((200, rows(True, False)), (200, rows(True, True)), False),
        ((200, rows(True)), (200, rows(True, True)), False),
        ((200, rows(100.0)), (200, rows(100.9)), True),
        ((200, rows(100.0)), (200, rows(102.0)), False),
        ((200, rows(0.0)), (200, rows(0.0)), True),
        ((200, rows(100)), (200, rows(101)), False),
        ((200, rows("late")), (200, rows("late")), True),
        ((200, rows(1)), (200, rows(True)), False),
        ((200, tensors(1.0, 2.0)), (200, tensors(1.0, 2.0)), True),
        ((200, tensors(1.0, 2.0)), (200, tensors(1.0, 3.0)), False),
        ((200, plain(True, 2.0)), (200, plain(True, 2.001)), True),
        ((200, plain(True, 2.0)), (200, plain(True, 3.0)), False),
        ((200, rows(True)), (400, b'{"error": "x"}'), False),
        ((400, b'{"error": "x"}'), (400, b'{"error": "y"}'), True),
        ((200, rows(True)), (200, b"no JSON"), False),
        ((200, rows(True)), (200, b"[]"), False),
        ((200, rows(True)), (200, b'{"predictions": [1]}'), False),
        ((200, rows(True)), (200, b'{"outputs": []}'), False),
    ],
)
def test_what_counts_is_the_value_of_each_row(
    stable: tuple[int, bytes], shadow: tuple[int, bytes], same: bool
) -> None:
    assert agree(Answer(*stable), Answer(*shadow)) is same


def binary(datatype: str, data: bytes, more: bytes = b"") -> Answer:
    output = {"datatype": datatype, "parameters": {"binary_data_size": len(data)}}
    text = orjson.dumps({"outputs": [output]})
    header = (b"inference-header-content-length", b"%d" % len(text))
    return Answer(200, text + data + more, headers=(header,))


@pytest.mark.parametrize(
    ("stable", "shadow", "same"),
    [
        (binary("FP64", struct.pack("<d", 100.0)), binary("FP64", struct.pack("<d", 100.5)), True),
        (binary("FP64", struct.pack("<d", 100.0)), binary("FP64", struct.pack("<d", 200.0)), False),
        (binary("BOOL", b"\1\0", b"p"), binary("BOOL", b"\1\0", b"q"), True),
        (binary("BOOL", b"\1\0"), binary("BOOL", b"\1\1"), False),
    ],
)
def test_binary_values_are_values_too(stable: Answer, shadow: Answer, same: bool) -> None:
    assert agree(stable, shadow) is same
