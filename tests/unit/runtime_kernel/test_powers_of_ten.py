"""Doubles as C writes and reads them, beside orjson and Python."""

import ctypes
import json
import math
import struct
from fractions import Fraction
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus_runtime.kernel.library import short_calls
from serinus_runtime.kernel.powers_of_ten import POWER_MAX, POWER_MIN, powers

FINITE = st.floats(allow_nan=False, allow_infinity=False)
DIGITS = st.text("0123456789", min_size=1, max_size=25)


@pytest.fixture(scope="module")
def kernel() -> Any:
    found = short_calls()
    assert found is not None
    found.serinus_write_double.restype = ctypes.c_void_p
    found.serinus_write_double.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_double)
    found.serinus_read_number.restype = ctypes.c_void_p
    found.serinus_read_number.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
    return found


def written(kernel: Any, value: float) -> bytes:
    place = ctypes.create_string_buffer(32)
    start = ctypes.addressof(place)
    end: int = kernel.serinus_write_double(powers().ctypes.data, start, value)
    return place.raw[: end - start]


def read(kernel: Any, text: bytes) -> tuple[float, bool, bytes] | None:
    """The number, whether it is whole, and what follows it; None where it isn't taken."""
    value, is_whole = ctypes.c_double(), ctypes.c_int32()
    place = ctypes.create_string_buffer(text)
    start = ctypes.addressof(place)
    end = kernel.serinus_read_number(start, ctypes.byref(value), ctypes.byref(is_whole))
    return (value.value, bool(is_whole.value), text[end - start :]) if end else None


def bits(value: float) -> bytes:
    return struct.pack("<d", value)


@pytest.mark.parametrize("exponent", [POWER_MIN, -28, -1, 0, 1, 27, 55, 56, POWER_MAX])
def test_a_power_is_the_first_128_bits_rounded_up(exponent: int) -> None:
    high, low = powers()[exponent - POWER_MIN].tolist()
    mantissa, power = (high << 64) + low, Fraction(10) ** exponent
    unit = Fraction(2) ** (math.floor(math.log2(high)) + 64 - 127)
    scale = Fraction(2) ** math.floor(math.log2(power.numerator) - math.log2(power.denominator))

    assert high >> 63 == 1
    assert 0 <= mantissa * unit * scale / 2**127 - power < scale / 2**127


@given(FINITE)
def test_a_double_is_written_as_orjson_writes_it(kernel: Any, value: float) -> None:
    assert written(kernel, value) == orjson.dumps(value)


@given(st.integers(0, 2**64 - 1))
def test_so_is_each_pattern_of_bits(kernel: Any, pattern: int) -> None:
    value: float = struct.unpack("<d", struct.pack("<Q", pattern))[0]

    assert written(kernel, value) == orjson.dumps(value)


@pytest.mark.slow
def test_so_is_what_lies_around_each_power_of_two(kernel: Any) -> None:
    for exponent in range(2047):
        for fraction in (0, 1, 2, 1 << 51, (1 << 52) - 2, (1 << 52) - 1):
            value: float = struct.unpack("<d", struct.pack("<Q", exponent << 52 | fraction))[0]
            assert written(kernel, value) == orjson.dumps(value)


@given(FINITE)
def test_what_was_written_reads_as_the_same_double(kernel: Any, value: float) -> None:
    found = read(kernel, written(kernel, value) + b", 1")

    assert found is not None
    assert (bits(found[0]), found[2]) == (bits(value), b", 1")


@given(
    st.sampled_from(["", "-"]),
    DIGITS,
    st.one_of(st.none(), DIGITS),
    st.one_of(st.none(), st.tuples(st.sampled_from(["e", "E", "e+", "e-"]), st.integers(0, 400))),
)
def test_a_literal_means_what_it_means_to_others(
    kernel: Any, sign: str, whole: str, fraction: str | None, exponent: tuple[str, int] | None
) -> None:
    text = sign + whole + (f".{fraction}" if fraction else "")
    text += f"{exponent[0]}{exponent[1]}" if exponent else ""
    found = read(kernel, text.encode())
    try:
        expected = json.loads(text)
    except ValueError:
        assert found is None
        return
    if math.isinf(float(expected)) or text.strip("0") == "-":
        assert found is None
        return
    assert found == (float(expected), type(expected) is int, b"")
    assert bits(found[0]) == bits(float(expected))


@pytest.mark.parametrize("text", [b"", b"-", b"+1", b".5", b"01", b"1.", b"1.e2", b"1e", b"NaN"])
def test_what_is_no_number_of_json_is_not_taken(kernel: Any, text: bytes) -> None:
    assert read(kernel, text) is None
