"""A metric of the library is frozen as it stood when its rollout began, or nothing begins."""

from typing import Any

import pytest

from serinus.reconcile.snapshot import TemplateMap, TemplatesSeen
from tests.support.deployment_world import World, serving_v1

pytestmark = pytest.mark.slow

STEPS = {"canary": {"steps": [{"setWeight": 20}, {"pause": {"duration": "40s"}}, {"analyze": {}}]}}
REFERENCE = {"name": "queue", "parameters": {"kind": "slow"}}
QUEUE = """
description: Requests that wait.
query: queue_{{ .kind }}
parameters: [{name: kind, type: text}]
max: 100
interval: 10s
"""
OTHER = QUEUE.replace("queue_", "other_")


def library(text: str = QUEUE) -> TemplatesSeen:
    return TemplatesSeen(own=(TemplateMap("flights", "ours", {"queue": text}),))


def judged_by(seen: TemplatesSeen, **fields: Any) -> World:
    world = serving_v1()
    world.templates = seen
    world.scalars |= {"queue_slow": 5.0, "other_slow": 5.0}
    metric = {"name": "m", "templateRef": REFERENCE, **fields}
    world.applies(
        strategy=STEPS, analysis={"metrics": [metric], "scrapeInterval": "5s", "warmup": "0s"}
    )
    world.serves_version("v2")
    return world


def frozen(world: World) -> dict[str, Any]:
    assert world.canary is not None
    return dict(world.canary["rules"]["analysis"]["metrics"][0])


def test_a_rollout_goes_by_the_text_that_stood_in_the_library_when_it_began() -> None:
    world = judged_by(library())
    world.runs(20, until="canary has traffic")
    begun_with = frozen(world)
    world.templates = library(OTHER)
    world.runs(15)
    later = frozen(world)
    world.scalars["queue_slow"] = 500.0
    world.runs(60, until="rolled back")

    assert begun_with["prometheus"] == {"query": "queue_slow", "description": "Requests that wait."}
    assert (begun_with["max"], begun_with["templateRef"]) == ("100", REFERENCE)
    assert later == begun_with
    assert world.stable == "v1"
    assert "ScalarLimitExceeded" in world.reasons()


def test_a_rollout_that_runs_isn_t_touched_by_a_library_that_is_gone() -> None:
    world = judged_by(library())
    world.runs(20, until="canary has traffic")
    world.templates = TemplatesSeen()
    world.runs(120, until="settled")

    assert world.stable == "v2"


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (TemplatesSeen(), "there is no template `queue`; known are: none"),
        (TemplatesSeen(problem="they can't be read"), "they can't be read"),
    ],
)
def test_without_its_template_no_rollout_begins_and_what_serves_goes_on(
    seen: TemplatesSeen, why: str
) -> None:
    world = judged_by(seen, max="300")
    world.runs(30)
    stalled, message, began = world.condition("Stalled"), world.status["message"], world.canary
    world.templates = library()
    world.runs(60, until="canary has traffic")

    assert stalled == ("True", "MetricTemplateUnusable")
    assert why in message
    assert began is None
    assert world.unanswered == 0
    assert frozen(world)["max"] == "300"
    assert world.condition("Stalled") is None
