"""The pod template of a revision whose server isn't Serinus'.

It is as restricted as all others, and gets the model by what stands in its environment and in the
store, read-only. Nobody can make it drain as our own server does: it is left the time in which
others learn that the pod goes, before it is told to end.
"""

from __future__ import annotations

from typing import Any

from serinus.api.pod_settings import ResourceRequirements
from serinus.api.server_container import ServerContainer
from serinus.manifests.pod import make_container

JsonObject = dict[str, Any]

PORT_NAME = "http"
METRICS_PORT_NAME = "metrics"
METRICS_PORT_ANNOTATION = "serinus.dev/metrics-port"
METRICS_PATH_ANNOTATION = "serinus.dev/metrics-path"
DEFAULT_METRICS_PATH = "/metrics"
DEFAULT_STARTUP_SECONDS = 300
LEAVING_SECONDS = 5
"""From a pod's end until its server is told: by then no request is sent to it any more."""


def make_own_container(
    name: str,
    container: ServerContainer,
    *,
    image_pull_policy: str,
    env: tuple[JsonObject, ...],
    resources: ResourceRequirements,
    **more: Any,
) -> JsonObject:
    """The container; `more` as for all containers."""
    probes = container.probes
    fields: JsonObject = {
        "ports": _ports(container),
        "startupProbe": _probe(
            probes.ready_path,
            period_seconds=1,
            failure_threshold=probes.startup_seconds or DEFAULT_STARTUP_SECONDS,
        ),
        "readinessProbe": _probe(probes.ready_path, period_seconds=2, failure_threshold=3),
        "lifecycle": {"preStop": {"sleep": {"seconds": LEAVING_SECONDS}}},
        **more,
    }
    if container.args:
        fields["args"] = list(container.args)
    if probes.live_path:
        fields["livenessProbe"] = _probe(probes.live_path, period_seconds=10, failure_threshold=6)
    made = make_container(
        name,
        image=container.image,
        image_pull_policy=image_pull_policy,
        command=tuple(container.command),
        env=env,
        resources=resources,
        **fields,
    )
    if not container.command:
        del made["command"]
    return made


def metrics_annotations(container: ServerContainer) -> dict[str, str]:
    """Where Prometheus finds the metrics."""
    metrics = container.metrics
    if metrics is None:
        return {METRICS_PORT_ANNOTATION: "none"}
    port = METRICS_PORT_NAME if _has_port_of_metrics(container) else PORT_NAME
    return {
        METRICS_PORT_ANNOTATION: port,
        METRICS_PATH_ANNOTATION: metrics.path or DEFAULT_METRICS_PATH,
    }


def _ports(container: ServerContainer) -> list[JsonObject]:
    ports = [{"name": PORT_NAME, "containerPort": container.port, "protocol": "TCP"}]
    if container.metrics and container.metrics.port and _has_port_of_metrics(container):
        port = container.metrics.port
        ports.append({"name": METRICS_PORT_NAME, "containerPort": port, "protocol": "TCP"})
    return ports


def _has_port_of_metrics(container: ServerContainer) -> bool:
    metrics = container.metrics
    return metrics is not None and metrics.port not in (None, container.port)


def _probe(path: str, *, period_seconds: int, failure_threshold: int) -> JsonObject:
    return {
        "httpGet": {"path": path, "port": PORT_NAME},
        "periodSeconds": period_seconds,
        "timeoutSeconds": 2,
        "failureThreshold": failure_threshold,
    }
