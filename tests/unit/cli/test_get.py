import json

import pytest

from serinus.cli.errors import CommandError, NotFoundError
from tests.support.command_line import (
    BAD,
    CANARY,
    IN_CANARY,
    ROLLED_BACK,
    STABLE,
    FakeClock,
    FakeCluster,
    commanded,
    deployment,
    feature_set,
    flights_in_canary,
    model_version,
    pod,
    training_job,
)


def test_a_canary_is_shown_from_data_to_pods(golden) -> None:
    code, text = commanded("get mdep flight-delay", flights_in_canary())

    assert code == 0
    golden("cli/get-deployment-in-canary.txt", text)


def test_in_a_test_of_units_both_revisions_say_their_parts_of_the_units() -> None:
    assert IN_CANARY.canary is not None
    rules = {"steps": [{"analyze": {}}], "abTest": {"canaryPercent": 30}}
    canary = IN_CANARY.canary.model_copy(update={"rules": rules, "actual_weight": 0})
    tested = deployment(IN_CANARY.model_copy(update={"canary": canary}))

    _, text = commanded(
        "get mdep flight-delay", FakeCluster([tested, pod(STABLE, 0), pod(CANARY, 0)])
    )

    assert "70 % of units, 1 of 1 pods ready" in text
    assert "30 % of units, 1 of 1 pods ready" in text


def test_a_rollback_is_shown_with_what_was_rejected_and_the_pods_that_leave(golden) -> None:
    cluster = FakeCluster([deployment(ROLLED_BACK), pod(BAD, 0)])

    _, text = commanded("get deployment/flight-delay", cluster)

    golden("cli/get-deployment-rolled-back.txt", text)


def test_a_feature_set_is_shown_with_all_that_came_of_it(golden) -> None:
    cluster = flights_in_canary()
    cluster.objects += [
        pod("", 9, **{"serinus.dev/featureset": "flights", "serinus.dev/run": "flights-snapshot-2"})
    ]

    _, text = commanded("get fset flights", cluster)

    golden("cli/get-feature-set.txt", text)


def test_of_many_versions_only_the_newest_and_those_that_serve_are_shown() -> None:
    versions = [model_version(f"schedule-{number}") for number in range(1, 10)]
    for number, version in enumerate(versions):
        version["metadata"]["creationTimestamp"] = f"2026-11-0{number + 1}T00:00:00Z"
    versions[0]["status"]["servedBy"] = [{"deployment": "flight-delay", "role": "stable"}]
    cluster = FakeCluster([feature_set(), training_job("schedule"), *versions])

    _, text = commanded("get tjob schedule", cluster)

    shown = [f"schedule-{number}" for number in range(1, 10) if f"schedule-{number} " in text]
    assert shown == ["schedule-1", *(f"schedule-{number}" for number in range(5, 10))]


def test_a_version_whose_training_job_is_gone_is_a_root() -> None:
    _, text = commanded("get mver boosted-1", FakeCluster([model_version("boosted-1")]))

    assert "\nboosted-1 " in text


def test_another_program_gets_the_tree_as_data() -> None:
    _, text = commanded("get mdep flight-delay -o json", flights_in_canary())

    root = json.loads(text)["tree"][0]
    assert (root["kind"], root["name"], root["health"]) == ("FeatureSet", "flights", "good")
    assert [child["name"] for child in root["children"]] == ["boosted", "schedule"]


def test_watching_without_a_terminal_prints_what_has_changed() -> None:
    cluster = FakeCluster([deployment(IN_CANARY)])

    def happens(seconds: float) -> None:
        if seconds == 3:
            cluster.objects[0] = deployment(ROLLED_BACK)
        if seconds == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        commanded("get flight-delay -w", cluster, clock := FakeClock(on_wait=happens))

    assert clock.seconds == 6


def test_an_object_that_is_not_there_is_told_with_what_to_do() -> None:
    with pytest.raises(NotFoundError, match="no Deployment `nope` here") as caught:
        commanded("get nope", flights_in_canary())

    assert "list -A" in caught.value.hint


@pytest.mark.parametrize("words", ["get pod x", "get mdep/", "get mdep a b"])
def test_what_names_no_object_is_refused(words: str) -> None:
    with pytest.raises(CommandError):
        commanded(words, flights_in_canary())
