"""The bytes that the specification of the compact protocol shows."""

import pytest

from serinus_runtime.prediction_log.thrift import I64, Value, encoded, unsigned


@pytest.mark.parametrize(
    ("number", "content"), [(0, b"\x00"), (127, b"\x7f"), (128, b"\x80\x01"), (300, b"\xac\x02")]
)
def test_a_number_takes_seven_bits_a_byte(number: int, content: bytes) -> None:
    assert unsigned(number) == content


@pytest.mark.parametrize(
    ("struct", "content"),
    [
        ({}, "00"),
        ({1: 1}, "15 02 00"),
        ({1: -1}, "15 01 00"),
        ({1: 1, 4: I64(300)}, "15 02 36 d8 04 00"),
        ({1: 1, 40: 2}, "15 02 05 50 04 00"),
        ({2: "né"}, "28 03 6e c3 a9 00"),
        ({1: {1: 5}}, "1c 15 0a 00 00"),
        ({1: [1, 2]}, "19 25 02 04 00"),
        ({1: ["x"] * 15}, "19 f8 0f" + " 01 78" * 15 + " 00"),
    ],
    ids=str,
)
def test_a_struct_is_its_fields_and_a_stop(struct: dict[int, Value], content: str) -> None:
    assert encoded(struct) == bytes.fromhex(content)
