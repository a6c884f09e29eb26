"""Durations, decimals and quantities: what is read, and what is refused with an example."""

from datetime import timedelta
from decimal import Decimal

import pytest

from serinus.api.quantities import (
    duration_seconds,
    parse_decimal,
    parse_duration,
    parse_quantity,
)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("90s", timedelta(seconds=90)),
        ("1h30m", timedelta(minutes=90)),
        ("250ms", timedelta(milliseconds=250)),
        ("1.5h", timedelta(minutes=90)),
        ("7d", timedelta(days=7)),
        ("-60m", timedelta(minutes=-60)),
    ],
)
def test_durations(text: str, length: timedelta) -> None:
    assert parse_duration(text) == length
    assert duration_seconds(text) == length.total_seconds()


@pytest.mark.parametrize("text", ["", "5", "5 m", "m5", "1w", "--1s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration such as"):
        parse_duration(text)


@pytest.mark.parametrize(("text", "number"), [("0.01", 0.01), ("-3", -3.0), ("1e-3", 0.001)])
def test_decimals(text: str, number: float) -> None:
    assert parse_decimal(text) == number


@pytest.mark.parametrize("text", ["", "NaN", "inf", "1,5", "0x1"])
def test_what_is_no_decimal_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a decimal number such as"):
        parse_decimal(text)


@pytest.mark.parametrize(
    ("text", "amount"),
    [("500m", Decimal("0.5")), ("2", Decimal(2)), ("1k", Decimal(1000)), ("2Gi", Decimal(2**31))],
)
def test_kubernetes_quantities(text: str, amount: Decimal) -> None:
    assert parse_quantity(text) == amount


@pytest.mark.parametrize("text", ["", "two", "1GB", "-1"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a Kubernetes quantity such as"):
        parse_quantity(text)
