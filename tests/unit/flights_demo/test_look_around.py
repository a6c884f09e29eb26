"""Who has to find out why a scene went otherwise is told all that can be seen."""

import pytest

from flights_demo import commands
from flights_demo.look_around import failures_in_words, metrics_in_words, seen
from serinus.api.deployment_status import MetricStatus


def test_a_command_that_fails_is_told_and_hides_none(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "WORK", tmp_path)
    told = list(seen([("echo", "two pods"), ("no-such-program",), ("echo", "a log")]))

    assert told == [
        "$ echo 'two pods'",
        "two pods",
        "$ no-such-program",
        "no-such-program is not installed",
        "$ echo 'a log'",
        "a log",
    ]


def test_a_metric_without_a_sample_says_so() -> None:
    analysis = [
        MetricStatus(metric="errors", verdict="NoData"),
        MetricStatus(
            metric="slow",
            verdict="Inconclusive",
            message="too few requests",
            newest_sample_at="2026-01-01T00:00:00Z",
        ),
    ]

    assert metrics_in_words(analysis) == (
        "errors is NoData, newest sample none; "
        "slow is Inconclusive, newest sample 2026-01-01T00:00:00Z: too few requests"
    )


def test_a_request_without_an_answer_is_told_with_its_moment() -> None:
    failure = {"scene": "a", "asked": "feedback", "failure": "no address", "at": 3661.25}

    assert list(failures_in_words([failure])) == [
        "01:01:01.250000 UTC, scene a: feedback, no address"
    ]
