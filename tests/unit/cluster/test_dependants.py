"""Whose pass a change concerns, row by row."""

from typing import Any

import pytest

from serinus.api.enums import Kind
from serinus.cluster.dependants import dependants, owner_ref
from serinus.cluster.store import Change, Store, WatchEvent, ref_of
from serinus.reconcile.decision import JsonObject
from tests.support.observed import NAMESPACE, child, our

Body = dict[str, Any]


def deployment(name: str, *, stable: str = "", **model: Any) -> Body:
    status = {"stable": {"modelVersion": stable}} if stable else {}
    return our(Kind.DEPLOYMENT, name, spec={"model": model}, status=status)


FEATURE_SET = our(Kind.FEATURE_SET, "flights")
TRAINING_JOB = our(Kind.TRAINING_JOB, "delay", spec={"featureSetRefs": [{"name": "flights"}]})
OTHER_TRAINING_JOB = our(Kind.TRAINING_JOB, "other", spec={"featureSetRefs": [{"name": "x"}]})
VERSION = our(
    Kind.MODEL_VERSION,
    "delay-1",
    spec={
        "modelName": "delay",
        "source": {
            "trainingJobRef": {"name": "delay"},
            "featureSnapshots": [{"featureSet": "flights"}],
        },
    },
)
PINNED = deployment("pinned", versionRef={"name": "delay-1"})
FOLLOWING = deployment("following", channel={"modelName": "delay", "latestApproved": True})
STILL_SERVING = deployment("still-serving", versionRef={"name": "delay-2"}, stable="delay-1")
LOOKING_UP = our(
    Kind.DEPLOYMENT,
    "looking-up",
    spec={"server": {"onlineFeatures": [{"featureSetRef": {"name": "flights"}}]}},
)
OTHER = deployment("other", versionRef={"name": "delay-9"})
WORLD = (
    FEATURE_SET,
    TRAINING_JOB,
    OTHER_TRAINING_JOB,
    VERSION,
    PINNED,
    FOLLOWING,
    STILL_SERVING,
    LOOKING_UP,
    OTHER,
)

FSET, TJOB = (Kind.FEATURE_SET, "flights"), (Kind.TRAINING_JOB, "delay")
MVER = (Kind.MODEL_VERSION, "delay-1")
USERS = {(Kind.DEPLOYMENT, name) for name in ("pinned", "following", "still-serving")}

CASES = [
    pytest.param(
        None,
        FEATURE_SET,
        {FSET, TJOB, (Kind.DEPLOYMENT, "looking-up")},
        id="a FeatureSet wakes who trains on it and who looks its values up",
    ),
    pytest.param(None, VERSION, {MVER, TJOB, FSET} | USERS, id="a ModelVersion wakes its users"),
    pytest.param(VERSION, None, {MVER, TJOB, FSET} | USERS, id="also when it goes"),
    pytest.param(None, TRAINING_JOB, {TJOB}, id="a TrainingJob wakes itself"),
    pytest.param(None, PINNED, {(Kind.DEPLOYMENT, "pinned")}, id="one that serves nothing"),
    pytest.param(
        PINNED,
        deployment("pinned", versionRef={"name": "delay-1"}, stable="delay-1"),
        {(Kind.DEPLOYMENT, "pinned"), MVER},
        id="a Deployment that begins to serve wakes the version",
    ),
    pytest.param(
        STILL_SERVING,
        deployment("still-serving", versionRef={"name": "delay-2"}, stable="delay-2"),
        {(Kind.DEPLOYMENT, "still-serving"), MVER, (Kind.MODEL_VERSION, "delay-2")},
        id="promotion wakes the old and the new one",
    ),
    pytest.param(
        STILL_SERVING,
        {**STILL_SERVING, "metadata": {**STILL_SERVING["metadata"], "resourceVersion": "2"}},
        {(Kind.DEPLOYMENT, "still-serving")},
        id="evidence alone wakes no version",
    ),
    pytest.param(
        None,
        child("Pod", "p", deployment="pinned"),
        {(Kind.DEPLOYMENT, "pinned")},
        id="a pod wakes the owner in its label",
    ),
    pytest.param(
        child("Pod", "p", deployment="pinned"),
        child("Pod", "p", deployment="other"),
        {(Kind.DEPLOYMENT, "pinned"), (Kind.DEPLOYMENT, "other")},
        id="a pod whose label changed wakes both",
    ),
    pytest.param(None, child("Pod", "p"), set(), id="a pod without our labels wakes nobody"),
    pytest.param(
        None,
        child("PersistentVolumeClaim", "serinus-store"),
        {(Kind(body["kind"]), body["metadata"]["name"]) for body in WORLD},
        id="the store's claim wakes everybody in the namespace",
    ),
]


@pytest.mark.parametrize(("old", "new", "expected"), CASES)
def test_a_change_wakes(
    old: Body | None, new: Body | None, expected: set[tuple[Kind, str]]
) -> None:
    store = Store()
    for body in WORLD:
        store.observe(WatchEvent.LISTED, body)
    ref = ref_of(new or old or {})

    found = dependants(Change(ref, old, new), store)

    assert len(found) == len(expected)
    assert set(found) == {owner_ref(kind, NAMESPACE, name) for kind, name in expected}


class WithoutWalks(Store):
    """A store in which nobody walks over a namespace."""

    def of_kind(self, api_version: str, kind: str, namespace: str) -> tuple[JsonObject, ...]:
        raise AssertionError(f"all {kind} objects of {namespace} are looked at")


def test_whom_a_change_concerns_is_looked_up_and_not_searched_for() -> None:
    store = WithoutWalks()
    for body in WORLD:
        store.observe(WatchEvent.LISTED, body)

    found = dependants(Change(ref_of(VERSION), None, VERSION), store)

    users = {owner_ref(kind, NAMESPACE, name) for kind, name in USERS}
    assert users < set(found)


def test_no_object_is_so_odd_that_it_ends_the_feed() -> None:
    store = Store()
    for odd in (
        our(Kind.DEPLOYMENT, "a", spec={"model": None}, status={"stable": "text"}),
        our(Kind.MODEL_VERSION, "b", spec={"source": {"featureSnapshots": "text"}}),
        our(Kind.TRAINING_JOB, "c", spec={"featureSetRefs": [None, {}]}),
        our(Kind.FEATURE_SET, "d"),
    ):
        change = store.observe(WatchEvent.ADDED, odd)
        assert change is not None
        assert ref_of(odd) in dependants(change, store)
