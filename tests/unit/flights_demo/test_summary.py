"""What callers saw becomes the summary, and every broken promise is told."""

from dataclasses import replace

import pytest

from flights_demo.replay.measurements import Asked, Measurements
from flights_demo.scenes import RELEASES, End
from flights_demo.summary import (
    SceneResult,
    broken_promises,
    client_errors,
    with_traffic,
)
from flights_demo.traffic_report import TrafficReport, added

BETTER, ERRORS = RELEASES[0], RELEASES[1]
STABLE, BAD = "aaaaaaaaaa", "bbbbbbbbbb"
ROLLED_BACK = SceneResult(
    ERRORS, End.ROLLED_BACK, BAD, "errors: …", metrics=("errors",), decided_at=60.0
)


def seen(*, scene: str = "c", outcome: str = "400", revision: str = BAD, count: int = 3):
    """A report of two pods: good answers of both revisions, and `count` others in the first."""
    pods = [Measurements(), Measurements()]
    for pod in pods:
        for number in range(100):
            pod.answered("c", Asked.PREDICTION, STABLE, 200, 0.01 if number else 0.3, 50.0)
        for _ in range(20):
            pod.answered("c", Asked.PREDICTION, BAD, 200, 0.01, 63.0)
    for _ in range(count):
        if outcome.isdigit():
            pods[0].answered(scene, Asked.PREDICTION, revision, int(outcome), 0.01, 64.5)
        else:
            pods[0].unanswered(scene, Asked.PREDICTION, outcome, 64.5)
    return added({"clock": 1.0, "waiting": 1, **pod.report()} for pod in pods)


def test_a_scene_gets_its_figures_from_the_pods_of_callers() -> None:
    result = with_traffic(ROLLED_BACK, seen(), stable=STABLE)

    assert result.met == 43
    assert result.failed == ((BAD, "400", 3),)
    assert result.last_met_seconds == 4.5
    assert result.stable_slow_share == pytest.approx(0.01)
    assert client_errors(result) == "3 x 400"
    assert broken_promises([result], seen()) == []
    assert seen().waiting == 2


@pytest.mark.parametrize(
    ("report", "problem"),
    [
        (seen(revision=STABLE), "scene c: 3 answers 400 from aaaaaaaaaa"),
        (seen(revision=""), "scene c: 3 answers 400 from nobody"),
        (seen(outcome="503"), "scene c: 3 answers 503 from bbbbbbbbbb"),
        (seen(outcome="reset"), "3 requests got no answer: reset"),
        (seen(outcome="timeout", scene="d"), "3 requests got no answer: timeout"),
    ],
    ids=["stable failed", "nobody owns up", "overloaded", "reset", "timeout in another scene"],
)
def test_what_no_client_may_see_is_told(report: TrafficReport, problem: str) -> None:
    result = with_traffic(ROLLED_BACK, report, stable=STABLE)

    assert broken_promises([result], report) == [problem]


@pytest.mark.parametrize(
    ("result", "problem"),
    [
        (replace(ROLLED_BACK, end=End.PROMOTED), "scene c: promoted, not rolled back"),
        (replace(ROLLED_BACK, metrics=("slow",)), "scene c: rolled back by slow, not errors"),
        (replace(ROLLED_BACK, metrics=()), "scene c: rolled back by no metric, not errors"),
        (
            SceneResult(BETTER, End.UNDECIDED, BAD, ""),
            "scene b: undecided, not promoted",
        ),
    ],
    ids=["promoted", "another metric", "no metric", "undecided"],
)
def test_a_scene_that_ends_otherwise_is_told(result: SceneResult, problem: str) -> None:
    assert broken_promises([result], TrafficReport()) == [problem]


def test_errors_of_a_good_version_are_never_fine() -> None:
    result = SceneResult(BETTER, End.PROMOTED, BAD, "", failed=((BAD, "400", 1),))

    assert broken_promises([result], TrafficReport()) == ["scene b: 1 answers 400 from bbbbbbbbbb"]
