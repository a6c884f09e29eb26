"""The information bound, against figures that were computed elsewhere."""

import math
from dataclasses import replace

import pytest

from benchmarks.decisions.bound import information_bound, kullback_leibler
from benchmarks.decisions.catalogue import catalogue

CASES = catalogue()


@pytest.mark.parametrize(
    ("name", "requests", "seconds"),
    [
        ("five-times-5", 123, 491),
        ("five-times-50", 123, 49),
        ("twice-ratio", 2986, 719),
        ("dead-5", 1.3, 5),
    ],
)
def test_bounds(name: str, requests: float, seconds: float) -> None:
    bound = information_bound(CASES[name])

    assert bound is not None
    assert bound.requests == pytest.approx(requests, rel=0.05)
    assert bound.seconds == pytest.approx(seconds, rel=0.05)


def test_bursts_carry_less_information() -> None:
    plain = replace(CASES["five-times-bursts-5"], true_inflation=1.0)
    alone, bursty = information_bound(plain), information_bound(CASES["five-times-bursts-5"])

    assert alone is not None
    assert bursty is not None
    assert bursty.requests == pytest.approx(9 * alone.requests, rel=0.2)


@pytest.mark.parametrize("name", ["equal", "times-1.5", "labels-sooner-twice"])
def test_there_is_none_without_a_fault_in_time_and_at_once(name: str) -> None:
    assert information_bound(CASES[name]) is None


def test_divergence_of_two_coins() -> None:
    assert kullback_leibler(0.3, 0.3) == 0
    assert kullback_leibler(1, 0.5) == kullback_leibler(0, 0.5) == math.log(2)
    assert kullback_leibler(0.5, 0.25) == pytest.approx(0.5 * math.log(2) + 0.5 * math.log(2 / 3))
