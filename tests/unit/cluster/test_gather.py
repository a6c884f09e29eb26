"""What a pass may look at."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from serinus.analysis.samples import Query, QueryResult, RangeVector
from serinus.api.enums import Kind
from serinus.cluster.gather import Gatherer
from serinus.cluster.store import Store, WatchEvent
from serinus.manifests.settings import Settings
from serinus.reconcile.decision import ObjectRef
from serinus.reconcile.snapshot import DeploymentSnapshot
from tests.support.clock import run_in_virtual_time
from tests.support.observed import NAMESPACE, child, our

Body = dict[str, Any]
NOW = datetime(2026, 3, 1, tzinfo=UTC)
CLAIM = ObjectRef("v1", "PersistentVolumeClaim", NAMESPACE, "serinus-store")


class Answers:
    """Implements `MetricSource`; remembers what was asked."""

    def __init__(self) -> None:
        self.asked: list[Query] = []

    async def fetch(self, queries: Iterable[Query]) -> Mapping[Query, QueryResult]:
        self.asked.extend(queries)
        return {query: (RangeVector({}, ((0.0, 1.0),)),) for query in self.asked}


class Voucher:
    """Implements `Vouching`."""

    async def vouched_since(self) -> datetime:
        return NOW


def gatherer(*bodies: Body, answers: Answers | None = None) -> Gatherer:
    store = Store()
    for body in bodies:
        store.observe(WatchEvent.LISTED, body)
    return Gatherer(store, Settings("jobs", "server"), answers or Answers(), Voucher())


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
    assert names(found.model_versions) == ["delay-1"]


def test_taken_names_are_passed_on() -> None:
    found = gatherer().feature_set(our(Kind.FEATURE_SET, "flights"), frozenset({CLAIM}))

    assert found.children.taken == {CLAIM}


def test_a_training_job_sees_the_feature_sets_that_it_names() -> None:
    spec = {"featureSetRefs": [{"name": "flights"}, {"name": "missing"}]}
    found = gatherer(
        our(Kind.FEATURE_SET, "flights"), our(Kind.FEATURE_SET, "unrelated")
    ).training_job(our(Kind.TRAINING_JOB, "delay", spec=spec), frozenset())

    assert list(found.feature_sets) == ["flights"]


def test_a_feature_set_sees_who_may_need_its_snapshots() -> None:
    found = gatherer(our(Kind.MODEL_VERSION, "delay-1"), our(Kind.TRAINING_JOB, "delay"))
    seen = found.feature_set(our(Kind.FEATURE_SET, "flights"), frozenset())

    assert (names(seen.model_versions), names(seen.training_jobs)) == (["delay-1"], ["delay"])


def test_a_model_version_sees_who_may_serve_it() -> None:
    found = gatherer(our(Kind.DEPLOYMENT, "delay")).model_version(
        our(Kind.MODEL_VERSION, "delay-1"), frozenset()
    )

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


def test_samples_are_asked_for_as_the_reconciler_says() -> None:
    answers = Answers()
    query = Query("errors", "serinus_requests_total[1m]", NOW)
    found = gatherer(answers=answers)
    bare = found.deployment(our(Kind.DEPLOYMENT, "delay"), frozenset())

    def queries(snapshot: DeploymentSnapshot, now: datetime) -> tuple[Query, ...]:
        assert (snapshot, now) == (bare, NOW)
        return (query,)

    complete = run_in_virtual_time(found.with_samples(bare, queries, NOW))

    assert answers.asked == [query]
    assert list(complete.samples) == [query]


def test_without_queries_nobody_is_asked() -> None:
    answers = Answers()
    found = gatherer(answers=answers)
    bare = found.deployment(our(Kind.DEPLOYMENT, "delay"), frozenset())

    complete = run_in_virtual_time(found.with_samples(bare, lambda *_: (), NOW))

    assert complete is bare
    assert answers.asked == []
