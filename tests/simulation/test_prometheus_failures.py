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
