"""Percentiles by nearest rank, and which targets they miss."""

import pytest

from benchmarks.rollback_latency.figures import TO_WEIGHT_ZERO, lines, missed, percentile


@pytest.mark.parametrize(
    ("share", "expected"), [(0.5, 25), (0.95, 48), (0.99, 50), (1.0, 50), (0.0, 1)]
)
def test_a_percentile_of_fifty_is_one_of_them(share: float, expected: int) -> None:
    assert percentile([float(one) for one in range(50, 0, -1)], share) == expected


def test_one_value_is_each_percentile() -> None:
    assert percentile([0.3], 0.5) == percentile([0.3], 0.99) == 0.3


def test_targets_are_those_of_weight_zero() -> None:
    assert missed({TO_WEIGHT_ZERO: [0.3] * 50, "scrape to no endpoint": [9.0]}) == []
    assert missed({TO_WEIGHT_ZERO: [0.3] * 49 + [1.5]}) == [
        "scrape to weight 0 p99 is 1.50 s, more than 1.0 s"
    ]


def test_the_table_has_each_span_beside_the_control() -> None:
    table = lines({TO_WEIGHT_ZERO: [0.2, 0.3]}, [0.01, 0.02])

    assert table[1].split() == ["scrape", "to", "weight", "0", "0.200", "0.300", "0.300", "20"]
    assert table[2].split()[:1] == ["control"]
