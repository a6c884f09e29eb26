"""When an object has all that is desired of it: as the API server stores it, not as it was sent."""

from typing import Any

import pytest

from serinus.cluster.coverage import covers, uncovered_path

COVERED = [
    pytest.param({"spec": {"replicas": 2}}, {"spec": {"replicas": 2}}, id="equal"),
    pytest.param(
        {"spec": {"replicas": 2, "paused": False}}, {"spec": {"replicas": 2}}, id="defaults added"
    ),
    pytest.param(
        {"spec": {"ports": [{"name": "http", "port": 80, "protocol": "TCP"}]}},
        {"spec": {"ports": [{"name": "http", "port": 80}]}},
        id="defaults added inside a list",
    ),
    pytest.param(
        {"spec": {"containers": [{"name": "sidecar"}, {"name": "server", "image": "a"}]}},
        {"spec": {"containers": [{"name": "server", "image": "a"}]}},
        id="somebody injected a container",
    ),
    pytest.param(
        {"rules": [{"name": "a", "matches": [{}]}, {"matches": [{"path": {}}]}]},
        {"rules": [{"name": "a"}, {"matches": [{"path": {}}]}]},
        id="rules of a route, of which one has no name",
    ),
    pytest.param({"spec": {}}, {"spec": {"readOnly": False, "args": [], "v": ""}}, id="empty"),
    pytest.param({}, {"spec": {"securityContext": {}}}, id="empty objects are dropped"),
    pytest.param(
        {"resources": {"limits": {"cpu": "1", "memory": "1Gi"}}},
        {"resources": {"limits": {"cpu": "1000m", "memory": "1024Mi"}}},
        id="quantities in their shortest form",
    ),
    pytest.param(
        {"emptyDir": {"sizeLimit": "1Gi"}},
        {"emptyDir": {"sizeLimit": "1024Mi"}},
        id="a size limit in its shortest form",
    ),
    pytest.param(
        {"metadata": {"labels": {"a": "1", "b": "2"}}},
        {"metadata": {"labels": {"a": "1"}}},
        id="somebody added a label",
    ),
    pytest.param(
        {"spec": {"selector": {"matchLabels": {"a": "1"}}}},
        {"spec": {"selector": {"matchLabels": {"a": "1"}}}},
        id="the same selector of a workload",
    ),
]

UNCOVERED = [
    pytest.param({"spec": {"replicas": 1}}, {"spec": {"replicas": 2}}, "spec.replicas", id="value"),
    pytest.param({"spec": {}}, {"spec": {"replicas": 2}}, "spec.replicas", id="missing"),
    pytest.param({"spec": {"replicas": 2}}, {"spec": {"replicas": 0}}, "spec.replicas", id="zero"),
    pytest.param(
        {"spec": {"selector": {"app": "a", "revision": "1"}}},
        {"spec": {"selector": {"app": "a"}}},
        "spec.selector",
        id="a selector with one key more selects less",
    ),
    pytest.param(
        {"spec": {"selector": {"matchLabels": {"a": "1", "b": "2"}}}},
        {"spec": {"selector": {"matchLabels": {"a": "1"}}}},
        "spec.selector.matchLabels",
        id="match labels, too",
    ),
    pytest.param(
        {"containers": [{"name": "server", "image": "a"}]},
        {"containers": [{"name": "server", "image": "b"}]},
        "containers[0].image",
        id="inside a named item",
    ),
    pytest.param(
        {"containers": [{"name": "sidecar"}]},
        {"containers": [{"name": "server", "image": "b"}]},
        "containers[0]",
        id="a named item is missing",
    ),
    pytest.param({"args": ["a", "b"]}, {"args": ["a"]}, "args", id="a shorter list"),
    pytest.param({"args": ["a", "b"]}, {"args": ["b", "a"]}, "args[0]", id="another order"),
    pytest.param(
        {"limits": {"cpu": "1"}}, {"limits": {"cpu": "1001m"}}, "limits.cpu", id="quantity"
    ),
    pytest.param({"image": "1"}, {"image": "1.0"}, "image", id="no quantity, though it looks so"),
    pytest.param({"a": {"b": 1}}, {"a": "b"}, "a", id="another type"),
]


@pytest.mark.parametrize(("observed", "desired"), COVERED)
def test_covered(observed: dict[str, Any], desired: dict[str, Any]) -> None:
    assert uncovered_path(observed, desired) is None
    assert covers(observed, desired)


@pytest.mark.parametrize(("observed", "desired", "path"), UNCOVERED)
def test_uncovered(observed: dict[str, Any], desired: dict[str, Any], path: str) -> None:
    assert uncovered_path(observed, desired) == path
    assert not covers(observed, desired)


@pytest.mark.parametrize(
    ("key", "observed", "desired"),
    [
        ("backendRefs", [{"name": "a"}, {"name": "b"}], [{"name": "a"}]),
        ("backendRefs", [{"name": "a", "weight": 80}], [{"name": "a", "weight": 100}]),
        ("hostnames", ["a", "b"], ["a"]),
        (
            "parentRefs",
            [{"name": "a", "sectionName": "http"}],
            [{"name": "a", "sectionName": "https"}],
        ),
    ],
)
def test_a_list_that_is_replaced_as_a_whole_has_to_be_the_same(
    key: str, observed: list[Any], desired: list[Any]
) -> None:
    assert not covers({"spec": {key: observed}}, {"spec": {key: desired}})
