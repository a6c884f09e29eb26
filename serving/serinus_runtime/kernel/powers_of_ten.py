"""Powers of ten for `decimal.c`, which writes doubles."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

POWER_MIN, POWER_MAX = -292, 324
_BITS = 128


@functools.cache
def powers() -> NDArray[np.uint64]:
    """The first 128 bits of the powers of ten, rounded up: (powers, 2), high and low half."""
    table = [_first_bits(exponent) for exponent in range(POWER_MIN, POWER_MAX + 1)]
    return np.array([divmod(bits, 1 << 64) for bits in table], dtype=np.uint64)


def _first_bits(exponent: int) -> int:
    value: int = 10 ** abs(exponent)
    if exponent < 0:
        value = -(-(1 << (_BITS + value.bit_length())) // value)
    excess = value.bit_length() - _BITS
    return -(-value >> excess) if excess > 0 else value << -excess
