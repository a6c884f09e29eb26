"""How much of the predictions is logged: the ConfigMap by which pods learn it while they serve."""

from __future__ import annotations

from collections.abc import Iterator

from serinus.api.prediction_log import PredictionLog
from serinus.manifests.naming import log_policy_name
from serinus.manifests.prediction_log import make_log_policy
from serinus.reconcile.decision import DesiredObject, ObjectRef, PrunedObject
from serinus.reconcile.deployment_picture import Picture
from serinus.reconcile.snapshot import controller_uid


def log_policy(picture: Picture) -> Iterator[DesiredObject]:
    """What the spec says of the log, where it asks for one."""
    log = _wanted(picture)
    if log is not None:
        yield DesiredObject(make_log_policy(picture.name, picture.metadata.namespace, log))


def log_policy_not_wanted(picture: Picture) -> Iterator[PrunedObject]:
    """Ours, where the spec asks for no log any more; what can't be read asks for what is there.

    Pods of a revision that may log stop at once, whatever still serves.
    """
    if _wanted(picture) is not None or picture.spec_problem is not None:
        return
    ref = log_policy_ref(picture.name, picture.metadata.namespace)
    body = picture.children.get(ref)
    if body is not None and controller_uid(body) == picture.metadata.uid:
        yield PrunedObject(ref, body["metadata"].get("uid", ""))


def _wanted(picture: Picture) -> PredictionLog | None:
    return picture.spec.server.prediction_log if picture.spec.server else None


def log_policy_ref(name: str, namespace: str) -> ObjectRef:
    """Where the ConfigMap is."""
    return ObjectRef("v1", "ConfigMap", namespace, log_policy_name(name))
