"""Arrays come back from a file as they went in; what is no such file is told."""

import json
import struct
from itertools import pairwise

import pytest

from serinus_runtime.online.tensor_file import Tensor, TensorFileError, read, written

TENSORS = {
    "small": Tensor("U8", bytes([1, 2, 3])),
    "numbers": Tensor("F64", struct.pack("<2d", 1.5, -2.5)),
    "halves": Tensor("F32", struct.pack("<1f", 0.5)),
    "keys": Tensor("U64", struct.pack("<1Q", 2**64 - 1)),
    "times": Tensor("I64", struct.pack("<1q", -5)),
    "codes": Tensor("I32", struct.pack("<3i", -1, 0, 7)),
    "none": Tensor("F64", b""),
}


def content() -> bytes:
    return b"".join(written(TENSORS, {"about": "tests"}))


def with_header(header: object, data: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def test_what_was_written_is_read() -> None:
    file = read(memoryview(content()))

    assert file.notes == {"about": "tests"}
    assert {name: list(view) for name, view in file.tensors.items()} == {
        "small": [1, 2, 3],
        "numbers": [1.5, -2.5],
        "halves": [0.5],
        "keys": [2**64 - 1],
        "times": [-5],
        "codes": [-1, 0, 7],
        "none": [],
    }


def test_each_array_begins_where_a_value_of_its_size_may_be() -> None:
    file = content()
    (length,) = struct.unpack_from("<Q", file)
    header = json.loads(file[8 : 8 + length])
    sizes = {"U64": 8, "I64": 8, "F64": 8, "F32": 4, "I32": 4, "U8": 1}

    assert length % 8 == 0
    for name, entry in header.items():
        if name != "__metadata__":
            assert entry["data_offsets"][0] % sizes[entry["dtype"]] == 0, name


def test_the_arrays_follow_each_other_without_a_gap_as_the_format_demands() -> None:
    file = content()
    (length,) = struct.unpack_from("<Q", file)
    entries = [v for k, v in json.loads(file[8 : 8 + length]).items() if k != "__metadata__"]
    spans = sorted(entry["data_offsets"] for entry in entries)

    assert spans[0][0] == 0
    assert all(before[1] == after[0] for before, after in pairwise(spans))
    assert spans[-1][1] == len(file) - 8 - length


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        b"\x01",
        struct.pack("<Q", 1 << 60) + b"{}",
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 2) + b"\xff\xff",
        with_header({"x": {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}}),
        with_header({"x": {"dtype": "F64", "shape": [2], "data_offsets": [0, 8]}}, b"12345678"),
        with_header({"x": {"dtype": "F64", "shape": [1], "data_offsets": [8, 0]}}, b"12345678"),
        with_header({"x": {"dtype": "F64", "shape": [1], "data_offsets": [-8, 0]}}, b"12345678"),
        with_header({"x": {"dtype": "F16", "shape": [1], "data_offsets": [0, 2]}}, b"12"),
        with_header({"x": {"dtype": "F64", "shape": [1, 1], "data_offsets": [0, 8]}}, b"12345678"),
        with_header({"x": 1}),
    ],
)
def test_what_is_no_such_file_is_told(wrong: bytes) -> None:
    with pytest.raises(TensorFileError):
        read(memoryview(wrong))
