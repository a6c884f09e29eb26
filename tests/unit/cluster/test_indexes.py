"""Who is found under which name, and that nobody stays where he no longer belongs."""

from typing import Any

import pytest

from serinus.api.enums import Kind
from serinus.cluster.indexes import Index, index_entries
from serinus.cluster.store import Store, WatchEvent, ref_of
from tests.support.observed import NAMESPACE, child, our

Body = dict[str, Any]
SOURCE = {"featureSnapshots": [{"featureSet": "flights"}, {"featureSet": "weather"}]}

CASES = [
    pytest.param(
        our(Kind.MODEL_VERSION, "delay-7", spec={"modelName": "delays", "source": SOURCE}),
        {
            (Index.VERSIONS_OF_MODEL, "delays"),
            (Index.VERSIONS_OF_TRAINING_JOB, "delay"),
            (Index.VERSIONS_OF_FEATURE_SET, "flights"),
            (Index.VERSIONS_OF_FEATURE_SET, "weather"),
        },
        id="a version by its model, its name and what it came of",
    ),
    pytest.param(
        our(Kind.MODEL_VERSION, "champion", spec={"modelName": "delays"}),
        {(Index.VERSIONS_OF_MODEL, "delays")},
        id="a version that somebody named otherwise",
    ),
    pytest.param(
        our(
            Kind.TRAINING_JOB,
            "delay",
            spec={"featureSetRefs": [{"name": "flights"}]},
            status={"lastRun": {"snapshots": [{"featureSet": "weather"}]}},
        ),
        {
            (Index.TRAINING_JOBS_ON_FEATURE_SET, "flights"),
            (Index.TRAINING_JOBS_ON_FEATURE_SET, "weather"),
        },
        id="a TrainingJob by what it learns from, and what it learnt from last",
    ),
    pytest.param(
        our(
            Kind.DEPLOYMENT,
            "delay",
            spec={"model": {"versionRef": {"name": "delay-8"}}},
            status={"stable": {"modelVersion": "delay-7"}, "canary": {"modelVersion": "delay-8"}},
        ),
        {
            (Index.DEPLOYMENTS_OF_VERSION, "delay-8"),
            (Index.DEPLOYMENTS_SERVING, "delay-7"),
            (Index.DEPLOYMENTS_SERVING, "delay-8"),
        },
        id="a Deployment by what it asks for and what it serves",
    ),
    pytest.param(
        our(Kind.DEPLOYMENT, "delay", spec={"model": {"channel": {"modelName": "delays"}}}),
        {(Index.DEPLOYMENTS_OF_MODEL, "delays")},
        id="a Deployment by the channel that it follows",
    ),
    pytest.param(
        our(
            Kind.DEPLOYMENT,
            "delay",
            spec={
                "server": {
                    "onlineFeatures": [
                        {"featureSetRef": {"name": "flights"}},
                        {"featureSetRef": "text"},
                        "text",
                    ]
                }
            },
        ),
        {(Index.DEPLOYMENTS_ON_FEATURE_SET, "flights")},
        id="a Deployment by the FeatureSets that its server looks values up in",
    ),
    pytest.param(
        our(
            Kind.DEPLOYMENT,
            "odd",
            spec={"model": {"versionRef": "text", "channel": {"modelName": 7}}},
            status={"stable": [], "canary": {"modelVersion": None}},
        ),
        set(),
        id="what can't be read isn't there",
    ),
    pytest.param(
        {**child("Deployment", "delay"), "apiVersion": "apps/v1", "spec": {"model": {}}},
        set(),
        id="a workload is no Deployment of ours",
    ),
]


@pytest.mark.parametrize(("body", "expected"), CASES)
def test_an_object_is_found_under(body: Body, expected: set[tuple[Index, str]]) -> None:
    assert set(index_entries(body)) == expected


def test_an_object_that_changed_is_found_under_its_new_names_only() -> None:
    store = Store()
    pinned = our(Kind.DEPLOYMENT, "delay", spec={"model": {"versionRef": {"name": "delay-1"}}})
    moved = our(Kind.DEPLOYMENT, "delay", spec={"model": {"versionRef": {"name": "delay-2"}}})
    moved["metadata"]["resourceVersion"] = "2"
    store.observe(WatchEvent.ADDED, pinned)
    store.observe(WatchEvent.MODIFIED, moved)

    assert not store.found_by(Index.DEPLOYMENTS_OF_VERSION, NAMESPACE, "delay-1")
    found = store.found_by(Index.DEPLOYMENTS_OF_VERSION, NAMESPACE, "delay-2")
    assert found == {ref_of(moved): moved}
    assert not store.found_by(Index.DEPLOYMENTS_OF_VERSION, "elsewhere", "delay-2")


def test_a_deleted_object_leaves_nothing_behind() -> None:
    store = Store()
    for number in range(3):
        body = our(Kind.MODEL_VERSION, f"delay-{number}", spec={"modelName": f"m{number}"})
        store.observe(WatchEvent.ADDED, body)
        store.observe(WatchEvent.DELETED, body)

    assert len(store) == 0
    assert not store._found_by
    assert not store._by_kind
