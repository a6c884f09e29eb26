"""A server of one's own takes the place of Serinus' by the same rules, and is taken back."""

from typing import Any

import pytest

from tests.support.deployment_world import Behaviour, World, serving_v1

pytestmark = pytest.mark.slow

STEPS = {"canary": {"steps": [{"setWeight": 20}, {"analyze": {"minSamples": 200}}]}}
CONTAINER = {
    "image": "iris:1",
    "port": 3000,
    "probes": {"readyPath": "/readyz"},
    # It counts as our own does, so that it can be played.
    "metrics": {
        "custom": {
            "requests": [{"name": "serinus_requests_total"}],
            "failed": [{"name": "serinus_requests_total", "labels": {"code": "5.."}}],
        }
    },
}


def released(**behaviour: Any) -> World:
    world = serving_v1()
    world.behaviours["v2"] = Behaviour(**behaviour)
    world.applies(strategy=STEPS, server={"container": CONTAINER})
    world.serves_version("v2")
    world.runs(30, until="canary has traffic")
    return world


def test_a_good_server_takes_over_on_evidence_of_its_pods() -> None:
    world = released()
    assert world.canary is not None
    frozen = world.canary["rules"]["counters"]
    shown = world.canary_revision
    world.runs(600, until="settled")
    template = world.workloads()[shown or ""]["spec"]["template"]

    assert [one["requests"][0]["name"] for one in frozen] == ["serinus_requests_total"] * 2
    assert world.stable == "v2"
    assert world.status["analysis"][0]["canary"]["total"] >= 200
    assert template["spec"]["containers"][0]["image"] == "iris:1"
    assert world.unanswered == 0


def test_a_bad_server_is_taken_back() -> None:
    world = released(error_percent=30)
    world.runs(300, until="rolled back")

    assert world.stable == "v1"
    assert "EvidenceOfHarm" in world.reasons()
