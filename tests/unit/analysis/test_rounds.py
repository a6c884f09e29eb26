"""When a round closes; scrapes every 10 seconds, times in seconds."""

from collections.abc import Mapping, Sequence

import pytest

from serinus.analysis.rounds import closed_rounds

CASES: dict[str, tuple[Mapping[str, Sequence[float]], list[tuple[float, float]]]] = {
    "closes when each pod has a new sample": (
        {"c": [0, 10, 20], "s": [3, 13, 23]},
        [(5, 13), (13, 23)],
    ),
    "a pod that hasn't been scraped holds it open": ({"c": [0, 10, 20], "s": [3]}, []),
    "a pod that missed a scrape holds it open until its next": (
        {"c": [0, 10, 20, 30], "s": [3, 23]},
        [(5, 23)],
    ),
    "a pod silent for 2.5 intervals no longer holds it open": (
        {"c": [0, 10, 20, 30, 40], "s": [3]},
        [(5, 30), (30, 40)],
    ),
    "a pod that is new holds open only rounds since it appeared": (
        {"c": [0, 10, 20], "s": [3, 13, 23], "c-2": [16, 26]},
        [(5, 13), (13, 23)],
    ),
    "pods scraped in the same instant": ({"c": [0, 10, 20], "s": [0, 10, 20]}, [(5, 10), (10, 20)]),
    "one pod alone": ({"c": [0, 10, 20]}, [(5, 10), (10, 20)]),
    "nothing": ({}, []),
    "the provider was away for a minute: the first pod that is back waits for the others": (
        {"c": [0, 10, 70, 80], "s": [3, 13, 74, 84]},
        [(5, 13), (13, 74), (74, 84)],
    ),
    "gone before the provider was away: waited for once more": (
        {"c": [0, 10, 70, 80, 90, 100], "s": [3, 13, 74, 84, 94], "gone": [4]},
        [(5, 100)],
    ),
    "out of sight: forgotten": ({"c": [0, 10, 20], "gone": [-80]}, [(5, 10), (10, 20)]),
}


@pytest.mark.parametrize(("scrapes", "then"), CASES.values(), ids=CASES)
def test_rounds(scrapes: Mapping[str, Sequence[float]], then: list[tuple[float, float]]) -> None:
    in_ms = {pod: [round(at * 1000) for at in times] for pod, times in scrapes.items()}

    rounds = closed_rounds(in_ms, after_ms=5000, scrape_interval_ms=10_000)

    assert [(each.start_ms / 1000, each.end_ms / 1000) for each in rounds] == then
