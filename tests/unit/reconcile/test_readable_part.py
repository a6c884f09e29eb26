"""What can be read counts, and the first thing that can't is told."""

from typing import Any

import pytest

from serinus.api.deployment import DeploymentSpec
from serinus.api.deployment_status import DeploymentStatus
from serinus.reconcile.readable_part import readable_part

ENTRY = {"at": "2026-03-01T12:00:00Z", "action": "start", "revision": "c0ffee0000"}


def spec(given: Any) -> Any:
    return readable_part(DeploymentSpec, given, stand_ins={"model": {}})


def test_what_can_be_read_in_whole_has_no_problem() -> None:
    found = spec({"model": {"versionRef": {"name": "v1"}}, "replicas": 3})

    assert (found.value.replicas, found.problem, found.lost) == (3, None, frozenset())


def test_the_rest_of_a_spec_is_read_and_the_first_problem_is_told_with_its_path() -> None:
    steps = [{"setWeight": 20}, {"analyze": {"minSamples": "many"}}]
    found = spec({"replicas": 3, "strategy": {"canary": {"steps": steps}}, "suspend": "maybe"})

    assert found.value.replicas == 3
    assert found.value.strategy is None
    assert found.lost == {"strategy", "suspend"}
    assert found.problem is not None
    assert found.problem.startswith("strategy.canary.steps[1].analyze.minSamples: ")


def test_a_required_field_has_its_stand_in() -> None:
    found = spec({"model": 7, "replicas": 3})

    assert (found.value.model.version_ref, found.value.replicas) == (None, 3)
    assert found.lost == {"model"}


def test_of_a_list_only_the_item_is_left_out() -> None:
    found = readable_part(
        DeploymentStatus, {"history": [ENTRY, {"at": 7}, "odd", ENTRY], "observedGeneration": 4}
    )

    assert len(found.value.history) == 2
    assert found.value.observed_generation == 4
    assert found.lost == frozenset()
    assert found.problem is not None


@pytest.mark.parametrize(
    "given", [None, 7, "text", [], {"history": 7}, {"progress_deadline_seconds": []}, {7: 7}]
)
def test_there_is_always_an_answer(given: Any) -> None:
    assert spec(given).value.model is not None
    assert readable_part(DeploymentStatus, given).value.history == []
