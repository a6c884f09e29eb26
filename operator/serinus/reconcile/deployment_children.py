"""What should exist for a Deployment whose next status is known, and what shouldn't.

A function of the status and of what is observed, never of what just happened: a crash between the
write of the status and these leads to the same objects in the next pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from serinus.api.deployment_status import DeploymentStatus
from serinus.api.enums import Kind
from serinus.manifests.autoscaler import make_autoscaler
from serinus.manifests.naming import feedback_secret_name, owner_labels
from serinus.manifests.rejection import make_rejection
from serinus.manifests.revision import make_controller_revision
from serinus.manifests.service import (
    grpc_ports,
    make_feedback_service,
    make_service,
    pinned_selector,
    split_selector,
)
from serinus.manifests.store_claim import make_store_claim
from serinus.manifests.workload import make_workload
from serinus.reconcile.decision import (
    ApplyPolicy,
    DesiredObject,
    ObjectRef,
    Ownership,
    PrunedObject,
)
from serinus.reconcile.deployment_ab_test import ab_test_objects, ab_test_objects_not_wanted
from serinus.reconcile.deployment_picture import Picture
from serinus.reconcile.deployment_post_promotion import kept_replicas
from serinus.reconcile.deployment_prediction_log import log_policy, log_policy_not_wanted
from serinus.reconcile.deployment_preview import preview_service
from serinus.reconcile.deployment_rejections import rejection_of, taken_back, unrecorded
from serinus.reconcile.deployment_rollout_facts import strangers, wanted_canary_replicas
from serinus.reconcile.deployment_router import (
    desired_route,
    idle_revision_services,
    is_still_routed,
)
from serinus.reconcile.deployment_shadow import shadow_service, shadow_service_not_wanted
from serinus.reconcile.deployment_status import active_revisions
from serinus.rollout.weights import Router


def desired_objects(
    picture: Picture, status: DeploymentStatus, now: datetime
) -> tuple[DesiredObject, ...]:
    """All objects that should exist, in the order in which they are written.

    What splits the requests comes first: what it is to be was decided on pods that were seen ready,
    so nothing that this pass makes could help it, and on a rollback each write before it is one
    more that meets a bad revision. Only at its birth does it come after the pods that it leads to.
    What takes capacity away comes last: requests never go where no pods are.
    """
    replicas = _wanted_replicas(picture, status, now)
    if not replicas and not picture.seen.workloads:
        return ()
    up = {one: count for one, count in replicas.items() if count >= picture.seen.replicas(one)}
    down = {one: count for one, count in replicas.items() if one not in up}
    router = (*desired_route(picture, status), *_service(picture, status))
    is_born = picture.seen.service is not None or picture.seen.route is not None
    objects = [
        *(router if is_born else ()),
        *_store_claim(picture),
        *_feedback_secret(picture, status, now),
        *_feedback_service(picture),
        *log_policy(picture),
        *_records(picture, status),
        *_workloads(picture, up),
        *(() if is_born else router),
        *preview_service(picture, status),
        *shadow_service(picture, status),
        *ab_test_objects(picture, status),
        *_autoscaler(picture, status),
        *_workloads(picture, down),
        *_rejections(picture, status),
    ]
    return tuple(one for one in objects if not _is_left_alone(picture, one))


def pruned_objects(picture: Picture, status: DeploymentStatus) -> tuple[PrunedObject, ...]:
    """Revisions beyond `revisionHistoryLimit` that don't serve, with their workloads."""
    seen = picture.seen
    kept = _in_use(picture, status)
    idle = sorted(
        (record for record in seen.records.values() if record.revision not in kept),
        key=lambda record: record.number,
        reverse=True,
    )
    over = {record.revision for record in idle[picture.revision_history_limit :]}
    over |= {one for one in seen.workloads if one not in seen.records and one not in kept}
    return (
        *(pruned for one in sorted(over) for pruned in _pruned_revision(picture, status, one)),
        *_rejections_taken_back(picture, status),
        *_autoscaler_not_wanted(picture),
        *idle_revision_services(picture, status),
        *shadow_service_not_wanted(picture, status),
        *log_policy_not_wanted(picture),
        *ab_test_objects_not_wanted(picture, status),
    )


def feedback_secret_exists(picture: Picture) -> bool:
    """Whether the Secret was made: it comes before each revision's record, and that is seen."""
    return bool(picture.seen.records) or bool(picture.seen.workloads)


def _wanted_replicas(picture: Picture, status: DeploymentStatus, now: datetime) -> dict[str, int]:
    """Pods of each revision's workload; one that isn't named is left as it is."""
    seen, total = picture.seen, picture.replicas
    wanted = {
        revision: 0
        for revision, workload in seen.workloads.items()
        if workload.replicas > 0
        and not _still_serves(picture, status, revision)
        and not is_still_routed(picture, status, revision, now)
    }
    if status.stable:
        wanted[status.stable.revision] = total
    if status.kept and status.kept.revision in seen.workloads:
        kept, count = status.kept.revision, kept_replicas(status.kept, total)
        has_requests = _still_serves(picture, status, kept) or is_still_routed(
            picture, status, kept, now
        )
        if count >= seen.replicas(kept) or not has_requests:
            wanted[kept] = count
    if status.canary and status.stable:
        wanted[status.canary.revision] = wanted_canary_replicas(
            total, status.canary, picture.router
        )
    elif status.canary:
        wanted[status.canary.revision] = total
    return wanted


def _still_serves(picture: Picture, status: DeploymentStatus, revision: str) -> bool:
    """Whether it was stable before a promotion, and the Service isn't seen to have moved on."""
    service = picture.seen.service
    return (
        status.stable is not None
        and service is not None
        and service.stable_annotation == revision
        and revision != status.stable.revision
    )


def _store_claim(picture: Picture) -> Iterator[DesiredObject]:
    body = make_store_claim(picture.metadata.namespace, picture.settings.store)
    yield DesiredObject(body, ApplyPolicy.CREATE_ONLY, Ownership.KEPT)


def _feedback_secret(
    picture: Picture, status: DeploymentStatus, now: datetime
) -> Iterator[DesiredObject]:
    """The key of prediction ids: made once, because a new one would void all ids that are out.

    The operator may not look whether it is still there. Where pods don't get what they mount, it
    is made again if it is gone.
    """
    if status.feedback_key_secret is not None and not picture.seen.slow_to_create(now):
        return
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": feedback_secret_name(picture.name),
            "namespace": picture.metadata.namespace,
            "labels": owner_labels(Kind.DEPLOYMENT, picture.name),
        },
        "type": "Opaque",
    }
    yield DesiredObject(body, ApplyPolicy.CREATE_SECRET)


def _feedback_service(picture: Picture) -> Iterator[DesiredObject]:
    yield DesiredObject(make_feedback_service(picture.name, picture.metadata.namespace))


def _records(picture: Picture, status: DeploymentStatus) -> Iterator[DesiredObject]:
    for revision in active_revisions(status):
        record = picture.record(revision)
        if record is not None and revision not in picture.seen.records:
            body = make_controller_revision(picture.name, picture.metadata.namespace, record)
            yield DesiredObject(body, ApplyPolicy.CREATE_ONLY)


def _workloads(picture: Picture, replicas: dict[str, int]) -> Iterator[DesiredObject]:
    for revision, count in replicas.items():
        template = picture.template(revision)
        if template is not None:
            yield DesiredObject(
                make_workload(
                    picture.name,
                    picture.metadata.namespace,
                    revision=revision,
                    replicas=count,
                    template=template,
                    progress_deadline_seconds=picture.progress_deadline_seconds,
                )
            )


def _service(picture: Picture, status: DeploymentStatus) -> Iterator[DesiredObject]:
    selector = _selector(picture, status)
    if selector is None:
        return
    serving = status.stable or status.canary
    body = make_service(
        picture.name,
        picture.metadata.namespace,
        selector=selector,
        stable=status.stable.revision if status.stable else None,
        more_ports=grpc_ports(picture.template(serving.revision)) if serving else (),
    )
    service = picture.seen.service
    changes = service is not None and service.selector != selector
    yield DesiredObject(
        body, resource_version=service.resource_version if service and changes else None
    )


def _autoscaler(picture: Picture, status: DeploymentStatus) -> Iterator[DesiredObject]:
    """On stable's workload: a first revision, which isn't stable yet, isn't scaled by load."""
    autoscaling, stable = picture.spec.autoscaling, status.stable
    if autoscaling is None or stable is None:
        return
    yield DesiredObject(
        make_autoscaler(
            picture.name,
            picture.metadata.namespace,
            revision=stable.revision,
            autoscaling=autoscaling,
            min_replicas=picture.pods_of_autoscaler(autoscaling, 0, status),
        )
    )


def _autoscaler_not_wanted(picture: Picture) -> Iterator[PrunedObject]:
    """Ours, where the spec asks for none any more; what can't be read asks for what is there."""
    autoscaler = picture.seen.autoscaler
    if autoscaler and picture.spec.autoscaling is None and picture.spec_problem is None:
        yield PrunedObject(autoscaler.ref, autoscaler.uid)


def _selector(picture: Picture, status: DeploymentStatus) -> dict[str, str] | None:
    """Pinned to stable, or split while the canary has traffic and all pods are theirs."""
    stable, canary = status.stable, status.canary
    if stable is None:
        return pinned_selector(picture.name, canary.revision) if canary else None
    if picture.router is Router.GATEWAY_API:
        return pinned_selector(picture.name, stable.revision)
    if canary is None or canary.is_hidden or canary.traffic_started_at is None:
        return pinned_selector(picture.name, stable.revision)
    if not strangers(picture, status, canary):
        return split_selector(picture.name)
    return pinned_selector(picture.name, stable.revision)


def _in_use(picture: Picture, status: DeploymentStatus) -> frozenset[str]:
    service = picture.seen.service
    named = {*active_revisions(status)} | ({status.kept.revision} if status.kept else set())
    if picture.wanted:
        named.add(picture.wanted.revision)
    if service:
        named |= {one for one in (service.pinned_to, service.stable_annotation) if one}
    return frozenset(named)


def _pruned_revision(
    picture: Picture, status: DeploymentStatus, revision: str
) -> Iterator[PrunedObject]:
    """The workload once it has no pods, then the record.

    Not that of a rejected revision: without it nobody would know that the same choice of a user
    leads to the same revision, once the default image is another one.
    """
    workload = picture.seen.workloads.get(revision)
    namespace = picture.metadata.namespace
    if workload is not None:
        if workload.replicas == 0 and workload.pods == 0:
            ref = ObjectRef("apps/v1", "Deployment", namespace, workload.name)
            yield PrunedObject(ref, workload.uid)
        return
    body = picture.seen.record_bodies.get(revision)
    if body is not None and rejection_of(revision, status, picture.seen) is None:
        metadata = body["metadata"]
        ref = ObjectRef("apps/v1", "ControllerRevision", namespace, metadata["name"])
        yield PrunedObject(ref, metadata.get("uid", ""))


def _rejections(picture: Picture, status: DeploymentStatus) -> Iterator[DesiredObject]:
    for rejected in unrecorded(status, picture.seen):
        body = make_rejection(picture.name, picture.metadata.namespace, rejected)
        yield DesiredObject(body, ApplyPolicy.CREATE_ONLY)


def _rejections_taken_back(picture: Picture, status: DeploymentStatus) -> Iterator[PrunedObject]:
    for rejection in taken_back(status, picture.seen):
        ref = ObjectRef("apps/v1", "ControllerRevision", picture.metadata.namespace, rejection.name)
        yield PrunedObject(ref, rejection.uid)


def _is_left_alone(picture: Picture, wanted: DesiredObject) -> bool:
    """An object that somebody else made under our name isn't touched."""
    body = picture.children.get(wanted.ref)
    owned = wanted.ownership is Ownership.CONTROLLED
    return owned and body is not None and picture.is_foreign(wanted.ref)
