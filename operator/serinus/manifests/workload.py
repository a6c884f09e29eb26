"""A revision's workload (apps/v1 Deployment) and the pod template that it is born with.

The template is rendered once, when the revision is born, and re-applied from its
ControllerRevision ever after: a newer builder changes no pod that runs. A workload knows no role.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from serinus.api.ab_test_document import MOUNT_PATH
from serinus.api.enums import Kind
from serinus.api.feedback import Feedback
from serinus.api.label_scores import scores_text
from serinus.api.quantities import duration_seconds
from serinus.api.server import (
    EnvironmentVariable,
    OnlineCredentials,
    RequestLimits,
    Server,
)
from serinus.api.server_container import ServerContainer
from serinus.api.store_mount import STORE_MOUNT_PATH
from serinus.api.tracing import DEFAULT_SAMPLE_RATIO
from serinus.manifests.naming import (
    OWNER_LABELS,
    REVISION_LABEL,
    ab_test_name,
    ab_test_service_name,
    feedback_secret_name,
    feedback_service_name,
    owner_labels,
    revision_object_name,
    shadow_service_name,
)
from serinus.manifests.own_container import make_own_container, metrics_annotations
from serinus.manifests.pod import (
    PodParts,
    StoreMount,
    env_from_field,
    env_from_secret,
    env_value,
    make_container,
    make_pod_template,
    with_disk_limit,
)
from serinus.manifests.prediction_log import log_environment, log_mounts, log_volume
from serinus.manifests.settings import Settings

JsonObject = dict[str, Any]

CONTAINER = "server"
PORT_NAME = "http"
PORT = 8080
AB_TEST_VOLUME = "ab-test"
GRPC_PORT_NAME = "grpc"
GRPC_PORT = 8001
FEEDBACK_VOLUME = "feedback"
FEEDBACK_MOUNT_PATH = "/etc/serinus/feedback"
FEEDBACK_SECRET_KEY = "key"
CONNECTION_MAX_AGE_SECONDS = 30
DRAIN_SECONDS = 5
TERMINATION_GRACE_PERIOD_SECONDS = 30
DEFAULT_COHORT_LENGTH = "5m"
DEFAULT_MATURITY = "0s"

# A selector doesn't cut connections: a canary's share holds only if clients come back often.
_CONNECTIONS = env_value("SERINUS_CONNECTION_MAX_AGE_SECONDS", str(CONNECTION_MAX_AGE_SECONDS))


@dataclass(frozen=True, slots=True)
class ServingRevision:
    """What a revision's pods need to know; all of it is frozen at the revision's birth."""

    deployment: str
    namespace: str
    revision: str
    model_uri: str
    model_digest: str
    image: str
    server: Server


def make_server_pod_template(serving: ServingRevision, settings: Settings) -> JsonObject:
    """The whole pod template of a revision that is being born."""
    if serving.server.container is not None:
        return _template_of_own(serving, serving.server.container, settings)
    store = StoreMount(settings.store, read_only=True)
    container = make_container(
        CONTAINER,
        image=serving.image,
        image_pull_policy=settings.image_pull_policy,
        command=("python", "-m", "serinus_runtime.server"),
        env=_environment(serving, settings),
        volume_mounts=(
            {"name": FEEDBACK_VOLUME, "mountPath": FEEDBACK_MOUNT_PATH, "readOnly": True},
            *(log_mounts(serving.deployment) if serving.server.prediction_log else ()),
            {"name": AB_TEST_VOLUME, "mountPath": MOUNT_PATH, "readOnly": True},
        ),
        resources=with_disk_limit(serving.server.resources, settings.scratch.server_size),
        store=store,
        ports=_ports(serving.server),
        startupProbe=_probe("/v2/health/live", period_seconds=1, failure_threshold=300),
        readinessProbe=_probe("/v2/health/ready", period_seconds=2, failure_threshold=3),
        livenessProbe=_probe("/v2/health/live", period_seconds=10, failure_threshold=6),
    )
    parts = PodParts(
        labels=revision_labels(serving.deployment, serving.revision),
        containers=(container,),
        volumes=(
            _feedback_volume(serving.deployment),
            _ab_test_volume(serving.deployment),
            *((log_volume(serving.deployment),) if serving.server.prediction_log else ()),
        ),
        store=store,
        additions=serving.server.pod_template,
        image_pull_secrets=settings.image_pull_secrets,
        termination_grace_period_seconds=TERMINATION_GRACE_PERIOD_SECONDS,
    )
    return make_pod_template(parts)


def _template_of_own(
    serving: ServingRevision, container: ServerContainer, settings: Settings
) -> JsonObject:
    """The pod template of a server that isn't ours."""
    store = StoreMount(settings.store, read_only=True)
    made = make_own_container(
        CONTAINER,
        container,
        image_pull_policy=settings.image_pull_policy,
        env=_told_to_all(serving),
        resources=with_disk_limit(serving.server.resources, settings.scratch.server_size),
        store=store,
    )
    parts = PodParts(
        labels=revision_labels(serving.deployment, serving.revision),
        annotations=metrics_annotations(container),
        containers=(made,),
        store=store,
        additions=serving.server.pod_template,
        image_pull_secrets=settings.image_pull_secrets,
        termination_grace_period_seconds=TERMINATION_GRACE_PERIOD_SECONDS,
    )
    return make_pod_template(parts)


def make_workload(
    deployment: str,
    namespace: str,
    *,
    revision: str,
    replicas: int,
    template: Mapping[str, Any],
    progress_deadline_seconds: int,
) -> JsonObject:
    """The workload of a revision with the template that the revision was born with."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": revision_object_name(deployment, revision),
            "namespace": namespace,
            "labels": revision_labels(deployment, revision),
        },
        "spec": {
            "replicas": replicas,
            "progressDeadlineSeconds": progress_deadline_seconds,
            "revisionHistoryLimit": 1,
            "selector": {"matchLabels": selector_labels(deployment, revision)},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
            },
            "template": template,
        },
    }


def revision_labels(deployment: str, revision: str) -> dict[str, str]:
    """Labels of all that belongs to a revision; they never change and tell no role."""
    return {**owner_labels(Kind.DEPLOYMENT, deployment), REVISION_LABEL: revision}


def selector_labels(deployment: str, revision: str) -> dict[str, str]:
    """Labels by which a revision's pods are found."""
    return {OWNER_LABELS[Kind.DEPLOYMENT]: deployment, REVISION_LABEL: revision}


def cohort_length_seconds(feedback: Feedback | None) -> int:
    """Length of the windows of issue times by which labels are counted."""
    given = feedback.cohort_length if feedback else None
    return max(1, math.floor(duration_seconds(given or DEFAULT_COHORT_LENGTH)))


def maturity_seconds(feedback: Feedback | None) -> float:
    """How old a prediction is at least when a label of it counts."""
    given = feedback.maturity if feedback else None
    return duration_seconds(given or DEFAULT_MATURITY)


def _told_to_all(serving: ServingRevision) -> tuple[JsonObject, ...]:
    """What also a server that isn't ours may want to know."""
    return (
        *(_user_variable(variable) for variable in serving.server.env),
        env_value("SERINUS_DEPLOYMENT", serving.deployment),
        env_value("SERINUS_REVISION", serving.revision),
        env_value("SERINUS_MODEL_URI", serving.model_uri),
        env_value("SERINUS_MODEL_DIGEST", serving.model_digest),
        env_value("SERINUS_STORE", STORE_MOUNT_PATH),
        env_from_field("SERINUS_NAMESPACE", "metadata.namespace"),
        env_from_field("SERINUS_POD_NAME", "metadata.name"),
        env_from_field("SERINUS_POD_UID", "metadata.uid"),
        env_from_field("SERINUS_POD_IP", "status.podIP"),
    )


def _environment(serving: ServingRevision, settings: Settings) -> tuple[JsonObject, ...]:
    feedback = serving.server.feedback
    return (
        *_told_to_all(serving),
        env_value("SERINUS_PEERS", feedback_service_name(serving.deployment)),
        env_value("SERINUS_SHADOW", shadow_service_name(serving.deployment)),
        *_ab_test(serving),
        env_value("SERINUS_FEEDBACK_KEY_FILE", f"{FEEDBACK_MOUNT_PATH}/{FEEDBACK_SECRET_KEY}"),
        env_value("SERINUS_COHORT_LENGTH_SECONDS", str(cohort_length_seconds(feedback))),
        env_value("SERINUS_FEEDBACK_MATURITY_SECONDS", f"{maturity_seconds(feedback):g}"),
        *_scores(feedback or Feedback()),
        env_value("SERINUS_PORT", str(PORT)),
        _CONNECTIONS,
        *_workers(serving.server),
        *_grpc(serving.server),
        *_limits(serving.server.limits or RequestLimits()),
        *(log_environment() if serving.server.prediction_log else ()),
        *((env_value("SERINUS_ACCESS_LOG", "true"),) if serving.server.access_log else ()),
        *_tracing(serving, settings),
        *_online(serving.server),
        env_value("SERINUS_DRAIN_SECONDS", str(DRAIN_SECONDS)),
    )


def _scores(feedback: Feedback) -> Iterator[JsonObject]:
    """How labels are judged: numbers as they stand in the metrics, so that both are asked alike."""
    if feedback.beyond:
        yield env_value("SERINUS_FEEDBACK_WRONG_BEYOND", feedback.beyond)
    if feedback.scores:
        yield env_value("SERINUS_FEEDBACK_SCORES", scores_text(feedback.counted_scores))


def _tracing(serving: ServingRevision, settings: Settings) -> tuple[JsonObject, ...]:
    """Where spans go; a collector that isn't declared gets none, and no such revision is born."""
    wanted = serving.server.tracing
    collector = settings.collectors_for(serving.namespace).get(wanted.collector) if wanted else None
    if wanted is None or collector is None:
        return ()
    ratio = wanted.sample_ratio or DEFAULT_SAMPLE_RATIO
    return (
        env_value("SERINUS_TRACES_URL", collector.url),
        env_value("SERINUS_TRACES_SAMPLE_RATIO", ratio),
    )


def _ports(server: Server) -> list[JsonObject]:
    ports = [{"name": PORT_NAME, "containerPort": PORT, "protocol": "TCP"}]
    if server.grpc is not None:
        ports.append({"name": GRPC_PORT_NAME, "containerPort": GRPC_PORT, "protocol": "TCP"})
    return ports


def _ab_test(serving: ServingRevision) -> tuple[JsonObject, ...]:
    """Who assigns units tells them apart in its own memory, so there is one process of it."""
    if several_workers(serving.server):
        return ()
    return (env_value("SERINUS_AB_TEST", ab_test_service_name(serving.deployment)),)


def _workers(server: Server) -> tuple[JsonObject, ...]:
    if not several_workers(server):
        return ()
    return (env_value("SERINUS_WORKERS", str(server.workers)),)


def several_workers(server: Server) -> bool:
    """Whether more than one process answers in a pod."""
    return server.workers is not None and server.workers > 1


def _grpc(server: Server) -> tuple[JsonObject, ...]:
    return () if server.grpc is None else (env_value("SERINUS_GRPC_PORT", str(GRPC_PORT)),)


def _online(server: Server) -> tuple[JsonObject, ...]:
    names = ",".join(one.feature_set_ref.name for one in server.online_features)
    if not names:
        return ()
    given = [(position, one.credentials) for position, one in enumerate(server.online_features)]
    return (
        env_value("SERINUS_ONLINE_FEATURES", names),
        *chain.from_iterable(_reader(position, one) for position, one in given if one),
    )


def _reader(position: int, reader: OnlineCredentials) -> Iterator[JsonObject]:
    """Who reads in the server of the FeatureSet at that place of the list."""
    if reader.username:
        yield env_value(f"SERINUS_ONLINE_USERNAME_{position}", reader.username)
    secret = reader.password_secret_ref
    yield env_from_secret(f"SERINUS_ONLINE_PASSWORD_{position}", secret=secret.name, key=secret.key)


def _limits(limits: RequestLimits) -> tuple[JsonObject, ...]:
    """What was given; the server's defaults hold for the rest."""
    given = {
        "SERINUS_MAX_ROWS": limits.rows,
        "SERINUS_MAX_BODY_BYTES": limits.body_bytes,
        "SERINUS_MAX_CONCURRENCY": limits.concurrency,
        "SERINUS_ANSWER_SECONDS": limits.timeout and f"{duration_seconds(limits.timeout):g}",
    }
    return tuple(env_value(name, str(limit)) for name, limit in given.items() if limit is not None)


def _user_variable(variable: EnvironmentVariable) -> JsonObject:
    if variable.secret_key_ref:
        reference = variable.secret_key_ref
        return env_from_secret(variable.name, secret=reference.name, key=reference.key)
    return env_value(variable.name, variable.value or "")


def _feedback_volume(deployment: str) -> JsonObject:
    secret = {"secretName": feedback_secret_name(deployment), "defaultMode": 0o440}
    return {"name": FEEDBACK_VOLUME, "secret": secret}


def _ab_test_volume(deployment: str) -> JsonObject:
    """Empty while there is no test; the kubelet brings the file to pods that run."""
    config_map = {"name": ab_test_name(deployment), "optional": True, "defaultMode": 0o444}
    return {"name": AB_TEST_VOLUME, "configMap": config_map}


def _probe(path: str, *, period_seconds: int, failure_threshold: int) -> JsonObject:
    return {
        "httpGet": {"path": path, "port": PORT_NAME},
        "periodSeconds": period_seconds,
        "timeoutSeconds": 5,
        "failureThreshold": failure_threshold,
    }
