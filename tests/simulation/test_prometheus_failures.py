"""However Prometheus fails: nothing is promoted, nothing rolled back, and everything goes on after.

Each failure begins in the middle of a canary that is as good as stable, or clearly bad, before
there is evidence enough for a decision, and lasts for five minutes: twenty times as long as the
decision would have taken. The rollout is judged by counters and by a scalar.
"""

from typing import Any

import pytest

from tests.support import prometheus_faults as faults
from tests.support.deployment_world import QUICK_ANALYSIS, Behaviour, World, serving_v1

FAULTS = (faults.AWAY, faults.HANGING, *faults.ANSWERS, faults.CLOCK_AHEAD, faults.CLOCK_BEHIND)
FAILS_FOR_SECONDS = 300
LONG_SECONDS = 9000
QUEUE = {"name": "queue", "prometheus": {"query": "queue"}, "max": "9", "interval": "10s"}
RATES = QUICK_ANALYSIS["metrics"]


def canary_of(version: str, *metrics: dict[str, Any]) -> World:
    """`version` is asked for."""
    world = serving_v1(
        strategy={"canary": {"steps": [{"setWeight": 20}, {"analyze": {}}]}},
        analysis={**QUICK_ANALYSIS, "metrics": list(metrics)},
    )
    world.scalars = {"queue": 5.0}
    world.behaviours["bad"] = Behaviour(error_percent=30)
    world.serves_version(version)
    return world


def in_a_canary(version: str, *metrics: dict[str, Any]) -> World:
    """The canary has just got its first requests."""
    world = canary_of(version, *metrics)
    world.runs(60, until="canary has traffic")
    return world


def decisions(world: World) -> list[str]:
    """What was decided of the second revision; that it comes to its analysis is no decision."""
    later = world.status["history"][2:]
    return [one["action"] for one in later if one["action"] in ("promote", "rollback", "abort")]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(
    ("version", "metrics", "end"),
    [
        ("v2", RATES, "promote"),
        ("bad", RATES, "rollback"),
        ("v2", [*RATES, QUEUE], "promote"),
        ("bad", [*RATES, QUEUE], "rollback"),
    ],
    ids=["good", "bad", "good, and a scalar", "bad, and a scalar"],
)
def test_in_the_middle_of_a_canary(
    fault: str, version: str, metrics: list[dict[str, Any]], end: str
) -> None:
    world = in_a_canary(version, *metrics)
    world.provider_fails(fault)
    world.runs(FAILS_FOR_SECONDS)
    assert decisions(world) == []
    assert world.canary is not None
    assert world.ready_pods(world.canary_revision) > 0

    world.provider_fails(faults.NONE)
    world.runs(faults.CLOCK_OFF_SECONDS + 2 * FAILS_FOR_SECONDS)

    assert decisions(world) == [end]
    assert world.stable == ("v2" if end == "promote" else "v1")
    assert world.unanswered == 0


@pytest.mark.parametrize("fault", FAULTS)
def test_from_before_the_canary_on(fault: str) -> None:
    """Where it shows that no answer comes, not even the first pod starts."""
    world = serving_v1()
    world.provider_fails(fault)
    world.runs(30)
    world.serves_version("v2")
    world.runs(FAILS_FOR_SECONDS)
    assert decisions(world) == []
    assert world.stable == "v1"

    world.provider_fails(faults.NONE)
    world.runs(faults.CLOCK_OFF_SECONDS + 2 * FAILS_FOR_SECONDS)

    assert world.stable == "v2"
    assert "rollback" not in decisions(world)


@pytest.mark.parametrize("fault", [faults.AWAY, faults.HANGING, "http-500", "empty", "nan"])
def test_a_scalar_alone_without_a_first_number_decides_nothing(fault: str) -> None:
    world = canary_of("v2", QUEUE)
    world.runs(1)
    world.provider_fails(fault)
    world.runs(FAILS_FOR_SECONDS)
    assert (world.canary or {}).get("trafficStartedAt")
    assert decisions(world) == []

    world.provider_fails(faults.NONE)
    world.runs(60, until="settled")
    assert decisions(world) == ["promote"]


@pytest.mark.parametrize("event", ["rollback", "promote", "pause", "hold"])
@pytest.mark.parametrize("who", ["the provider", "the operator"])
def test_a_long_time_without_answers_is_no_time_without_samples(who: str, event: str) -> None:
    """One look reads an hour at most. What comes after it isn't missing: it is read next."""
    world = _in_a_slow_canary(onNoData=event, onDeadline="hold" if event == "pause" else event)
    if who == "the provider":
        world.provider_fails(faults.HANGING)
        world.runs(LONG_SECONDS)
        world.provider_fails(faults.NONE)
    else:
        _without_operator(world, LONG_SECONDS)
    assert decisions(world) == []

    world.runs(30)

    if who == "the provider":
        assert decisions(world) == []
        assert world.canary is not None
        assert world.canary["frozenSeconds"] >= LONG_SECONDS - 60
    assert "NoData" not in world.reasons()
    seen = world.status["analysis"][0]["canary"]["total"]
    assert seen > 0.9 * LONG_SECONDS  # all of the hours were read


def test_what_a_version_did_while_nobody_looked_counts_before_its_deadline_does() -> None:
    """The hour that is read first was fine, and harm is in the one after it."""
    world = _in_a_slow_canary(onDeadline="promote")
    _without_operator(world, 4000)
    world.behaviours["v2"] = Behaviour(error_percent=30)
    _without_operator(world, 4000)

    world.runs(30)

    assert decisions(world) == ["rollback"]
    assert world.reasons()[-1] == "EvidenceOfHarm"


def _in_a_slow_canary(**analysis: str) -> World:
    world = serving_v1(
        replicas=2,
        strategy={"canary": {"steps": [{"setWeight": 20}, {"analyze": {"minSamples": 100_000}}]}},
        analysis={**QUICK_ANALYSIS, "scrapeInterval": "60s", **analysis},
    )
    world.requests_per_second, world.scrape_interval = 3, 60  # one a pod
    world.serves_version("v2")
    world.runs(60, until="canary has traffic")
    world.runs(60)
    return world


def _without_operator(world: World, seconds: int) -> None:
    for _ in range(seconds):
        world.second += 1
        world.kubernetes_works()
        world.requests_are_answered()
        world.prometheus_scrapes()


@pytest.mark.parametrize("event", ["rollback", "promote", "pause"])
@pytest.mark.parametrize("who", ["the provider", "the operator too"])
def test_what_nobody_scraped_as_the_provider_was_down_isn_t_missing_when_it_is_back(
    who: str, event: str
) -> None:
    """Its newest samples are old then; a first scrape follows before anything is said of it."""
    world = serving_v1(
        strategy={"canary": {"steps": [{"setWeight": 20}, {"analyze": {"minSamples": 5000}}]}},
        analysis={**QUICK_ANALYSIS, "onNoData": event},
    )
    world.serves_version("v2")
    world.runs(60, until="canary has traffic")
    world.runs(20)
    scrapes = world.prometheus_scrapes
    world.prometheus_scrapes = lambda: None  # type: ignore[method-assign]
    if who == "the provider":
        world.provider_fails(faults.AWAY)
        world.runs(2 * FAILS_FOR_SECONDS)
    else:
        _without_operator(world, 2 * FAILS_FOR_SECONDS)
    world.provider_fails(faults.NONE)
    world.runs(10)  # the first answers come before the first scrape
    world.prometheus_scrapes = scrapes  # type: ignore[method-assign]
    world.runs(2 * FAILS_FOR_SECONDS)

    assert decisions(world) == ["promote"]
    assert "NoData" not in world.reasons()
    assert world.reasons()[-1] == "Promoted"


def test_samples_that_stay_away_while_the_provider_answers_are_missing() -> None:
    world = serving_v1(
        strategy={"canary": {"steps": [{"setWeight": 20}, {"analyze": {"minSamples": 100_000}}]}},
        analysis={**QUICK_ANALYSIS, "onNoData": "rollback"},
    )
    world.serves_version("v2")
    world.runs(60, until="canary has traffic")
    world.provider_fails("empty")
    world.runs(FAILS_FOR_SECONDS - 10)
    assert decisions(world) == []

    world.runs(30)

    assert decisions(world) == ["rollback"]
    assert world.reasons()[-1] == "NoData"
