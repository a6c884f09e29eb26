"""While a canary answers the units of an A/B test: what its pods are told, and how it is counted.

::

    pods ready ──► `abTest.activeFrom`, two minutes on ──► ConfigMap, Service ──► all pods begin
                                                                                  then it counts

The Service of users stays with stable, whose pods assign. They find the canary by a Service that is
there for as long as the test and no longer: once it is gone, or the canary's pods are, they answer
all by themselves, whatever the ConfigMap still says.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from serinus.analysis.promql import exposures_query
from serinus.analysis.samples import Query, QueryFailure
from serinus.api.ab_test import DEFAULT_CANARY_PERCENT, AbTest
from serinus.api.ab_test_document import AbTestDocument, LayerRange, UnitSource
from serinus.api.conditions import format_micro_time, parse_time
from serinus.api.deployment_status import (
    AbTestStatus,
    CanaryStatus,
    DeploymentStatus,
    Exposures,
)
from serinus.manifests.ab_test import make_ab_test_map
from serinus.manifests.naming import ab_test_name, ab_test_service_name
from serinus.manifests.service import make_ab_test_service
from serinus.reconcile.decision import DesiredObject, ObjectRef, PrunedObject
from serinus.reconcile.deployment_picture import Picture
from serinus.reconcile.snapshot import controller_uid
from serinus.rollout.facts import PodFacts
from serinus.rollout.revision import content_hash
from serinus.rollout.sample_ratio import SampleRatio

NOTICE = timedelta(seconds=120)
"""From the word of a test until it begins: longer than a kubelet takes to bring a ConfigMap, which
looks once a minute, and what it has kept in mind may be as old."""
EXPOSURES = "$exposures"
"""Name of the query for the exposures; no metric can bear it."""
_BEFORE = timedelta(minutes=1)
_VARIABLE = "SERINUS_AB_TEST"


def ab_test_at_start(test: AbTest | None) -> AbTestStatus | None:
    """How a canary begins that is released by an A/B test; None where it isn't."""
    return None if test is None else AbTestStatus(share_percent=_share_percent(test))


def called_off(canary: CanaryStatus) -> Mapping[str, Any]:
    """The fields of a canary whose test doesn't run any more; pods are told anew of another."""
    if canary.ab_test is None:
        return {}
    ended = AbTestStatus(share_percent=canary.ab_test.share_percent)
    return {"ab_test": ended, "exposures": None}


def announced(
    picture: Picture,
    status: DeploymentStatus,
    canary: CanaryStatus,
    pods: PodFacts,
    now: datetime,
) -> CanaryStatus:
    """The canary with the instant at which all pods begin, once its own are there to be asked."""
    test = canary.ab_test
    if test is None or test.active_from is not None or not pods.ready or canary.withdrawn:
        return canary
    if _template_problem(picture, status) is not None:
        return canary
    begins = format_micro_time(now + NOTICE)
    name = content_hash([picture.metadata.uid, canary.revision, begins])
    told = test.model_copy(update={"active_from": begins, "test": name})
    return canary.model_copy(update={"ab_test": told})


def has_begun(canary: CanaryStatus, now: datetime) -> bool:
    """Whether the pods assign by now."""
    test = canary.ab_test
    return test is not None and test.active_from is not None and now >= parse_time(test.active_from)


def ab_test_waits(status: DeploymentStatus, now: datetime) -> Iterator[float]:
    """Seconds until the test begins."""
    canary = status.canary
    test = canary.ab_test if canary else None
    if canary and test and test.active_from and canary.traffic_started_at is None:
        yield max(0.0, (parse_time(test.active_from) - now).total_seconds())


def assignment_problem(
    picture: Picture, status: DeploymentStatus, canary: CanaryStatus
) -> str | None:
    """Why the canary gets no requests of the test; None when it does."""
    if problem := _template_problem(picture, status):
        return problem
    if canary.traffic_started_at is not None:
        return None
    test = canary.ab_test
    if test is None or test.active_from is None:
        return "the pods are about to be told of the A/B test"
    return f"the pods are being told of the A/B test; all of them begin at {test.active_from}"


def _template_problem(picture: Picture, status: DeploymentStatus) -> str | None:
    """Why stable's pods will never assign; None when they will."""
    stable = status.stable
    record = picture.record(stable.revision) if stable else None
    if stable is None or record is None:
        return None
    if record.has_variable(_VARIABLE):
        return None
    return (
        f"the pods of revision {stable.revision} can't assign units: it was made before servers "
        "could, has several workers, or a server of your own, and isn't restarted for it; release "
        "once by `canary` or `blueGreen`, or let `kubectl serinus promote` go on without a test"
    )


# What pods see of it


def ab_test_objects(picture: Picture, status: DeploymentStatus) -> Iterator[DesiredObject]:
    """ConfigMap and Service, from when the pods are told of the test until it ends."""
    canary = status.canary
    document = _document(picture, status)
    if canary is None or document is None:
        return
    name, namespace = picture.name, picture.metadata.namespace
    yield DesiredObject(make_ab_test_service(name, namespace, revision=canary.revision))
    yield DesiredObject(make_ab_test_map(name, namespace, document))


def ab_test_objects_not_wanted(
    picture: Picture, status: DeploymentStatus
) -> Iterator[PrunedObject]:
    """Ours, when no test is to run any more: first that by which the canary is found."""
    if _document(picture, status) is not None:
        return
    for ref in ab_test_refs(picture.name, picture.metadata.namespace):
        body = picture.children.get(ref)
        if body is not None and controller_uid(body) == picture.metadata.uid:
            yield PrunedObject(ref, body["metadata"].get("uid", ""))


def ab_test_refs(name: str, namespace: str) -> tuple[ObjectRef, ObjectRef]:
    """Where the Service and the ConfigMap are."""
    return (
        ObjectRef("v1", "Service", namespace, ab_test_service_name(name)),
        ObjectRef("v1", "ConfigMap", namespace, ab_test_name(name)),
    )


def _document(picture: Picture, status: DeploymentStatus) -> AbTestDocument | None:
    canary, stable, rules = status.canary, status.stable, picture.rules
    told = canary.ab_test if canary else None
    if canary is None or stable is None or told is None or told.active_from is None:
        return None
    if rules is None or rules.ab_test is None:
        return None
    test, layer = rules.ab_test, rules.ab_test.layer
    return AbTestDocument(
        test=told.test,
        stable=stable.revision,
        canary=canary.revision,
        active_from=parse_time(told.active_from).timestamp(),
        unit=UnitSource(header=test.unit.header or "", cookie=test.unit.cookie or ""),
        canary_percent=canary_percent(test),
        salt=test.salt or f"{picture.metadata.namespace}/{picture.name}",
        layer=LayerRange(layer.name, layer.from_percent, layer.to_percent) if layer else None,
    )


# How it is counted


def exposures_queries(picture: Picture, now: datetime) -> Iterator[Query]:
    """What is asked for beside the metrics: the units that were met in each arm."""
    canary = picture.status.canary
    test = canary.ab_test if canary else None
    if canary is None or test is None or not test.active_from or not canary.traffic_started_at:
        return
    since = now - parse_time(test.active_from) + _BEFORE
    promql = exposures_query(
        picture.metadata.namespace,
        picture.name,
        test.test,
        range_ms=math.ceil(since.total_seconds() * 1000),
    )
    yield Query(EXPOSURES, promql, now)


def with_exposures(picture: Picture, canary: CanaryStatus) -> CanaryStatus:
    """The canary with what was counted; where nothing can be said now, with what was."""
    for query, answer in picture.samples.items():
        if query.metric == EXPOSURES and not isinstance(answer, QueryFailure):
            counted = [
                (one.labels.get("arm", ""), one.labels.get("pod", ""), one.samples[-1][1])
                for one in answer
                if one.samples and math.isfinite(one.samples[-1][1])
            ]
            if counted:
                return canary.model_copy(update={"exposures": _exposures(counted)})
    return canary


def sample_ratio(canary: CanaryStatus, test: AbTest | None) -> SampleRatio | None:
    """The units that were met, against the plan; None where there is no test."""
    exposures = canary.exposures
    if test is None or exposures is None:
        return None
    return SampleRatio(
        canary=exposures.canary,
        stable=exposures.stable,
        canary_percent=canary_percent(test),
        pods=exposures.pods,
    )


def _exposures(counted: list[tuple[str, str, float]]) -> Exposures:
    def total(wanted: str) -> int:
        return round(sum(units for arm, _, units in counted if arm == wanted))

    pods = {pod for _, pod, units in counted if units > 0}
    return Exposures(stable=total("stable"), canary=total("canary"), pods=len(pods))


def canary_percent(test: AbTest) -> int:
    """Percent of the units that take part for the canary."""
    return test.canary_percent or DEFAULT_CANARY_PERCENT


def participating_percent(test: AbTest) -> int:
    """Percent of all units that take part."""
    return test.layer.to_percent - test.layer.from_percent if test.layer else 100


def _share_percent(test: AbTest) -> int:
    """Percent of all requests that the canary gets at most, rounded up."""
    return math.ceil(canary_percent(test) * participating_percent(test) / 100)
