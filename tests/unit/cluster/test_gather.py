"""What a pass may look at."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from serinus.api.enums import Kind
from serinus.api.modelversion import ModelVersion
from serinus.cluster.gather import Gatherer
from serinus.cluster.parsed import Parsed
from serinus.cluster.store import Store, WatchEvent
from serinus.manifests.settings import Settings
from serinus.reconcile.decision import JsonObject, ObjectRef
from serinus.reconcile.model_reference import parsed_version
from tests.support.clock import run_in_virtual_time
from tests.support.observed import NAMESPACE, child, our

Body = dict[str, Any]
CLAIM = ObjectRef("v1", "PersistentVolumeClaim", NAMESPACE, "serinus-store")


NOW = datetime(2026, 3, 1, tzinfo=UTC)


class Voucher:
    """Implements `Vouching`."""

    async def vouched_since(self) -> datetime:
        return NOW


def gatherer(*bodies: Body) -> Gatherer:
    store = Store()
    for body in bodies:
        store.observe(WatchEvent.LISTED, body)
    return Gatherer(store, Settings("jobs", "server"), Voucher())


def version(name: str, **spec: Any) -> Body:
    """A ModelVersion of the model `delay` that can be read."""
    digest = f"sha256:{'d' * 64}"
    complete = {
        "modelName": "delay",
        "modelFormat": {"name": "serinus", "version": "1"},
        "storageUri": f"file:///store/models/delay/{'d' * 64}",
        "digest": digest,
        **spec,
    }
    return our(Kind.MODEL_VERSION, name, spec=complete)


def parsed_names(versions: Iterable[ModelVersion]) -> set[str]:
    return {one.metadata.name for one in versions}


def names(bodies: Iterable[Any]) -> list[str]:
    return [body["metadata"]["name"] for body in bodies]


def test_children_are_those_with_the_owners_label_and_the_claim() -> None:
    found = gatherer(
        child("Pod", "mine", deployment="delay"),
        child("Pod", "anothers", deployment="orders"),
        child("Pod", "of-a-run", trainingjob="delay"),
        child("PersistentVolumeClaim", "serinus-store"),
    ).deployment(our(Kind.DEPLOYMENT, "delay"), frozenset())

    assert {ref.name for ref in found.children.objects} == {"mine", "serinus-store"}


def test_a_model_version_that_bears_its_training_jobs_label_is_no_child() -> None:
    version = our(Kind.MODEL_VERSION, "delay-1")
    version["metadata"]["labels"] = {"serinus.dev/trainingjob": "delay"}

    found = gatherer(version).training_job(our(Kind.TRAINING_JOB, "delay"), frozenset())

    assert found.children.objects == {}


def test_taken_names_are_passed_on() -> None:
    found = gatherer().feature_set(our(Kind.FEATURE_SET, "flights"), frozenset({CLAIM}))

    assert found.children.taken == {CLAIM}


def test_a_training_job_sees_the_feature_sets_that_it_names() -> None:
    spec = {"featureSetRefs": [{"name": "flights"}, {"name": "missing"}]}
    found = gatherer(
        our(Kind.FEATURE_SET, "flights"), our(Kind.FEATURE_SET, "unrelated")
    ).training_job(our(Kind.TRAINING_JOB, "delay", spec=spec), frozenset())

    assert list(found.feature_sets) == ["flights"]


def test_a_deployment_sees_the_feature_sets_that_its_server_looks_into() -> None:
    online = [{"featureSetRef": {"name": "flights"}}, {"featureSetRef": {"name": "missing"}}, 7]
    spec = {"model": {}, "server": {"onlineFeatures": online}}
    found = gatherer(
        our(Kind.FEATURE_SET, "flights"), our(Kind.FEATURE_SET, "unrelated")
    ).deployment(our(Kind.DEPLOYMENT, "delay", spec=spec), frozenset())

    assert list(found.feature_sets) == ["flights"]


def test_a_feature_set_sees_who_needs_its_snapshots() -> None:
    found = gatherer(
        version("delay-1", source={"featureSnapshots": [{"featureSet": "flights"}]}),
        version("price-1", source={"featureSnapshots": [{"featureSet": "shops"}]}),
        our(Kind.TRAINING_JOB, "delay", spec={"featureSetRefs": [{"name": "flights"}]}),
        our(Kind.TRAINING_JOB, "price", spec={"featureSetRefs": [{"name": "shops"}]}),
    ).feature_set(our(Kind.FEATURE_SET, "flights"), frozenset())

    assert (names(found.model_versions), names(found.training_jobs)) == (["delay-1"], ["delay"])


def test_a_training_job_sees_the_versions_that_are_named_as_its_own() -> None:
    versions = [version(name) for name in ("delay-1", "delay-12", "delay-of-others-1", "champion")]
    found = gatherer(*versions).training_job(our(Kind.TRAINING_JOB, "delay"), frozenset())

    assert parsed_names(found.model_versions) == {"delay-1", "delay-12"}


def test_a_model_version_sees_who_serves_it() -> None:
    serving = {"stable": {"modelVersion": "delay-0"}, "canary": {"modelVersion": "delay-1"}}
    found = gatherer(
        our(Kind.DEPLOYMENT, "delay", status=serving), our(Kind.DEPLOYMENT, "orders")
    ).model_version(our(Kind.MODEL_VERSION, "delay-1"), frozenset())

    assert names(found.deployments) == ["delay"]


def test_who_vouches_for_a_person_is_asked_when_somebody_asks_for_something() -> None:
    quiet, asked = our(Kind.MODEL_VERSION, "delay-1"), our(Kind.MODEL_VERSION, "delay-2")
    request = {"verb": "approve", "uid": "delay-2", "nonce": "n", "issuedAt": "now"}
    asked["metadata"]["annotations"] = {"serinus.dev/request": json.dumps(request)}
    found = gatherer()

    vouched = [
        run_in_virtual_time(found.with_vouching(found.model_version(body, frozenset())))
        for body in (quiet, asked)
    ]

    assert [one.vouched_since for one in vouched] == [None, NOW]


PINNED = {"model": {"versionRef": {"name": "delay-2"}}}
FOLLOWING = {"model": {"channel": {"modelName": "delay", "latestApproved": True}}}
SERVING = {"stable": {"modelVersion": "delay-1"}, "canary": {"modelVersion": "price-1"}}


@pytest.mark.parametrize(
    ("spec", "status", "expected"),
    [
        pytest.param(PINNED, {}, {"delay-2"}, id="the one that it asks for"),
        pytest.param(PINNED, SERVING, {"delay-1", "delay-2", "price-1"}, id="and those it serves"),
        pytest.param(FOLLOWING, {}, {"delay-1", "delay-2", "delay-3"}, id="all of its channel"),
        pytest.param(
            FOLLOWING,
            SERVING,
            {"delay-1", "delay-2", "delay-3", "price-1"},
            id="each once, whoever names it",
        ),
        pytest.param({"model": "odd"}, {"stable": 7}, set(), id="none where nothing can be read"),
    ],
)
def test_a_deployment_sees_the_versions(spec: Body, status: Body, expected: set[str]) -> None:
    versions = [version(f"delay-{number}") for number in (1, 2, 3)]
    others = [version("price-1", modelName="price"), version("price-2", modelName="price")]
    deployment = our(Kind.DEPLOYMENT, "delay", spec=spec, status=status)

    found = gatherer(*versions, *others).deployment(deployment, frozenset())

    assert parsed_names(found.model_versions) == expected
    assert len(found.model_versions) == len(expected)


def test_a_deployment_whose_status_was_lost_sees_what_its_revisions_were_born_of() -> None:
    record = {
        **child("ControllerRevision", "delay-c0ffee", deployment="delay"),
        "apiVersion": "apps/v1",
        "data": {"modelVersion": "delay-1"},
    }
    found = gatherer(record, version("delay-1"), version("delay-2"), version("delay-3"))
    lost = found.deployment(our(Kind.DEPLOYMENT, "delay", spec=PINNED), frozenset())

    assert parsed_names(lost.model_versions) == {"delay-1", "delay-2"}


def test_a_full_pass_parses_each_version_once_and_the_next_none() -> None:
    parses = Counter[str]()

    def counted(body: JsonObject) -> ModelVersion | None:
        parses[body["metadata"]["name"]] += 1
        return parsed_version(body)

    versions = [version(f"delay-{number}") for number in range(40)]
    deployments = [
        our(
            Kind.DEPLOYMENT,
            f"d{number}",
            spec={"model": {"versionRef": {"name": f"delay-{number}"}}},
            status={"stable": {"modelVersion": f"delay-{number}"}},
        )
        for number in range(40)
    ]
    found = replace(gatherer(*versions, *deployments), versions=Parsed(counted))

    def full_pass() -> None:
        for deployment in deployments:
            found.deployment(deployment, frozenset())

    full_pass()
    assert parses == {body["metadata"]["name"]: 1 for body in versions}
    full_pass()
    assert parses.total() == len(versions)


def test_one_pass_parses_what_it_has_to_do_with_however_large_the_namespace_is() -> None:
    parses: list[JsonObject] = []

    def counted(body: JsonObject) -> ModelVersion | None:
        parses.append(body)
        return parsed_version(body)

    versions = [version(f"delay-{number}") for number in range(500)]
    found = replace(gatherer(*versions), versions=Parsed(counted))
    found.deployment(our(Kind.DEPLOYMENT, "delay", spec=PINNED, status=SERVING), frozenset())
    found.training_job(our(Kind.TRAINING_JOB, "price"), frozenset())

    assert len(parses) == 2
