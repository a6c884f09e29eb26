"""Durations, decimals and quantities: the words on the wire and the only parser of each."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Annotated

from pydantic import StringConstraints

_DURATION_PATTERN = r"^(([0-9]+(\.[0-9]+)?)(ms|s|m|h|d))+$"
_OFFSET_PATTERN = r"^-?(([0-9]+(\.[0-9]+)?)(ms|s|m|h|d))+$"
_DECIMAL_PATTERN = r"^[-+]?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]{1,3})?$"
_FRACTION_PATTERN = r"^(0(\.[0-9]+)?|1(\.0+)?)$"
_POSITIVE_PATTERN = r"^([0-9]*[1-9][0-9]*(\.[0-9]+)?|0+\.[0-9]*[1-9][0-9]*)$"
_QUANTILE_PATTERN = r"^0\.[0-9]*[1-9][0-9]*$"
_QUANTITY_PATTERN = r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$"

Duration = Annotated[str, StringConstraints(pattern=_DURATION_PATTERN, max_length=32)]
"""Length of time as text: `90s`, `5m`, `1h30m`, `7d`."""

Offset = Annotated[str, StringConstraints(pattern=_OFFSET_PATTERN, max_length=32)]
"""Duration that may be negative: `-60m`."""

DecimalText = Annotated[str, StringConstraints(pattern=_DECIMAL_PATTERN, max_length=32)]
"""Decimal number as text, because floats don't survive JSON and YAML: `"0.01"`."""

FractionText = Annotated[str, StringConstraints(pattern=_FRACTION_PATTERN, max_length=32)]
"""Decimal number from 0 to 1 as text."""

PositiveText = Annotated[str, StringConstraints(pattern=_POSITIVE_PATTERN, max_length=16)]
"""Decimal number above 0 as text, without an exponent."""

QuantileText = Annotated[str, StringConstraints(pattern=_QUANTILE_PATTERN, max_length=16)]
"""Decimal number between 0 and 1 as text, both excluded."""

QuantityText = Annotated[str, StringConstraints(pattern=_QUANTITY_PATTERN, max_length=32)]
"""Kubernetes quantity: `500m`, `1`, `2Gi`."""

_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_UNIT_FACTORS = {
    "": Decimal(1),
    "n": Decimal("0.000000001"),
    "u": Decimal("0.000001"),
    "m": Decimal("0.001"),
    "k": Decimal(10) ** 3,
    "M": Decimal(10) ** 6,
    "G": Decimal(10) ** 9,
    "T": Decimal(10) ** 12,
    "P": Decimal(10) ** 15,
    "Ki": Decimal(2) ** 10,
    "Mi": Decimal(2) ** 20,
    "Gi": Decimal(2) ** 30,
    "Ti": Decimal(2) ** 40,
    "Pi": Decimal(2) ** 50,
}


def parse_duration(text: str) -> timedelta:
    """Length of time that `text` stands for; negative if it starts with a minus sign.

    Raises
    ------
    ValueError
        If `text` is not a duration.

    Examples
    --------
    >>> parse_duration("1h30m").total_seconds()
    5400.0
    """
    if not re.match(_OFFSET_PATTERN, text):
        raise ValueError(f"`{text}` is not a duration such as `90s`, `5m` or `1h30m`")
    sign = -1 if text.startswith("-") else 1
    parts = re.findall(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)", text)
    return sign * timedelta(seconds=sum(float(n) * _UNIT_SECONDS[unit] for n, unit in parts))


def duration_seconds(text: str) -> float:
    """Seconds in the duration `text`."""
    return parse_duration(text).total_seconds()


def parse_decimal(text: str) -> float:
    """Number that the decimal `text` stands for.

    Raises
    ------
    ValueError
        If `text` is not a decimal.
    """
    if not re.match(_DECIMAL_PATTERN, text):
        raise ValueError(f"`{text}` is not a decimal number such as `0.01`")
    return float(text)


def parse_quantity(text: str) -> Decimal:
    """Amount that the Kubernetes quantity `text` stands for, in its base unit.

    Raises
    ------
    ValueError
        If `text` is not a quantity.
    """
    match = re.match(r"^([0-9]+(?:\.[0-9]+)?)([a-zA-Z]*)$", text)
    if not match or match[2] not in _UNIT_FACTORS:
        raise ValueError(f"`{text}` is not a Kubernetes quantity such as `500m` or `2Gi`")
    return Decimal(match[1]) * _UNIT_FACTORS[match[2]]
