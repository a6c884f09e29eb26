"""Whatever stands in a Deployment's spec, status and children: `reconcile` answers."""

import copy
from typing import Any

import hypothesis.strategies as st
from hypothesis import given, settings

from serinus.api.hooks import HookAnswer
from serinus.reconcile.deployment import reconcile
from serinus.reconcile.deployment_hooks import open_questions
from serinus.reconcile.snapshot import DeploymentSnapshot
from tests.support.deployment_world import World, serving_v1

JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**12), 10**12),
    st.text(max_size=12),
    st.sampled_from(["", "0", "1", "yesterday", "2026-01-01T00:00:00Z", "NaN", "v1", "9h"]),
    st.just([]),
    st.just({}),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=4), st.integers(), max_size=2),
)


def in_a_canary() -> World:
    world = serving_v1()
    world.hooks = {"desk": HookAnswer.NO}
    world.applies(
        strategy={
            "canary": {"steps": [{"setWeight": 20}, {"pause": {}}]},
            "hooks": [{"type": "rollback", "name": "desk"}],
        }
    )
    world.serves_version("v2")
    world.runs(60, until="paused")
    return world


SNAPSHOT = in_a_canary().snapshot({})
NOW = in_a_canary().now


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths to everything inside `value`."""
    items: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    return [place for key, inner in items for place in [(*path, key), *places(inner, (*path, key))]]


def replaced(value: Any, path: tuple[Any, ...], junk: Any) -> Any:
    changed = copy.deepcopy(value)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = junk
    return changed


ANYWHERE = [
    (part, *path)
    for part in ("metadata", "spec", "status")
    for path in [(), *places(SNAPSHOT.resource[part])]
]


@settings(max_examples=300)
@given(st.sampled_from(ANYWHERE), JUNK)
def test_junk_anywhere_in_an_object_is_answered(path: tuple[Any, ...], junk: Any) -> None:
    snapshot = DeploymentSnapshot(
        resource=replaced(SNAPSHOT.resource, path, junk),
        settings=SNAPSHOT.settings,
        children=SNAPSHOT.children,
        model_versions=SNAPSHOT.model_versions,
        hooks=SNAPSHOT.hooks,
    )

    decision = reconcile(snapshot, NOW)

    assert len(open_questions(snapshot.resource)) <= 1
    assert decision.status is not None
    assert decision.status["conditions"]
