"""Sums of numbers whose exponentials are far too small to be held."""

import math

import pytest

from serinus.analysis.arithmetic import log_add, log_sum


def test_log_sum_of_very_small_numbers() -> None:
    assert log_sum((-1000, -1000)) == pytest.approx(-1000 + math.log(2))


def test_a_sum_with_next_to_nothing_is_the_larger_one() -> None:
    assert log_add(-1.5, -1e9) == log_add(-1e9, -1.5) == -1.5
    assert log_add(-1000, -1000) == pytest.approx(-1000 + math.log(2))
