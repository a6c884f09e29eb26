"""The hardened pod that all others start from: restricted Pod Security, no Kubernetes credentials.

Users add placement, labels and pull secrets through `podTemplate`; what would reach into the
container or claim somebody else's object isn't in its schema or is left out here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from serinus.api.pod_settings import PodTemplate, ResourceRequirements
from serinus.api.quantities import parse_quantity
from serinus.api.store_mount import STORE_MOUNT_PATH
from serinus.manifests.naming import STORE_LABEL
from serinus.manifests.settings import StoreSettings

JsonObject = dict[str, Any]

USER_ID = 65532
"""Uid, gid and fsGroup of all pods: the user `nonroot` of the images, who owns the store."""
STORE_VOLUME = "store"
SCRATCH_VOLUME = "scratch"
SCRATCH_PATH = "/tmp"  # noqa: S108  the container's own emptyDir
DISK = "ephemeral-storage"
"""Kubernetes' name of the disk that a pod takes of its node: `/tmp` and logs."""
DISK_REQUEST = "64Mi"
"""What the scheduler sets aside where nobody asks for more."""

_DENIED_PREFIXES = (
    "app.kubernetes.io/",
    "apparmor.security.beta.kubernetes.io/",
    "argocd.argoproj.io/",
    "batch.kubernetes.io/",
    "container.apparmor.security.beta.kubernetes.io/",
    "container.seccomp.security.alpha.kubernetes.io/",
    "helm.sh/",
    "helm.toolkit.fluxcd.io/",
    "kustomize.toolkit.fluxcd.io/",
    "meta.helm.sh/",
    "seccomp.security.alpha.kubernetes.io/",
    "serinus.dev/",
)
_DENIED_KEYS = frozenset(
    {"controller-revision-hash", "controller-uid", "job-name", "pod-template-hash"}
)


@dataclass(frozen=True, slots=True)
class StoreMount:
    """How a pod mounts the store's claim."""

    settings: StoreSettings
    read_only: bool


@dataclass(frozen=True, slots=True)
class PodParts:
    """What is particular about a pod; `make_pod_template` adds the rest.

    Attributes
    ----------
    containers
        From `make_container`.
    additions
        The user's `podTemplate`. Its labels and annotations never win over ours.
    image_pull_secrets
        Names of Secrets for our images; those of `additions` come on top.
    restart_policy
        None: the workload's default.
    """

    labels: Mapping[str, str]
    containers: tuple[JsonObject, ...]
    volumes: tuple[JsonObject, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)
    store: StoreMount | None = None
    additions: PodTemplate | None = None
    image_pull_secrets: tuple[str, ...] = ()
    restart_policy: str | None = None
    termination_grace_period_seconds: int | None = None


def make_container(
    name: str,
    *,
    image: str,
    image_pull_policy: str,
    command: tuple[str, ...],
    env: tuple[JsonObject, ...] = (),
    volume_mounts: tuple[JsonObject, ...] = (),
    resources: ResourceRequirements | None = None,
    store: StoreMount | None = None,
    **more: Any,
) -> JsonObject:
    """Container that may write nowhere but in `/tmp` and in a store mounted read-write.

    `more` are further fields of a container, such as `ports` and `readinessProbe`.
    """
    mounts = [*volume_mounts, {"name": SCRATCH_VOLUME, "mountPath": SCRATCH_PATH}]
    if store:
        mounts.append(_store_mount(store))
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": image_pull_policy,
        "command": list(command),
        "env": [*_home_unless_given(env), *env],
        "resources": resource_requirements(resources),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "volumeMounts": mounts,
        **more,
    }


def make_pod_template(parts: PodParts) -> JsonObject:
    """`metadata` and `spec` of the pod, as in a workload's `template`."""
    additions = parts.additions or PodTemplate()
    labels = {**allowed(additions.metadata.labels), **parts.labels}
    annotations = {**allowed(additions.metadata.annotations), **parts.annotations}
    if parts.store:
        labels[STORE_LABEL] = parts.store.settings.claim_name
    metadata: JsonObject = {"labels": labels}
    if annotations:
        metadata["annotations"] = annotations
    return {"metadata": metadata, "spec": _spec(parts, additions)}


def _spec(parts: PodParts, additions: PodTemplate) -> JsonObject:
    placement = additions.spec.model_dump(by_alias=True, exclude_defaults=True, exclude_none=True)
    if parts.store and parts.store.settings.access_mode == "ReadWriteOnce":
        placement["affinity"] = _on_the_store_s_node(placement.get("affinity", {}), parts.store)
    if secrets := _pull_secrets(parts, additions):
        placement["imagePullSecrets"] = secrets
    spec: JsonObject = {
        **placement,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "fsGroup": USER_ID,
            "fsGroupChangePolicy": "OnRootMismatch",
            "runAsGroup": USER_ID,
            "runAsNonRoot": True,
            "runAsUser": USER_ID,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": list(parts.containers),
        "volumes": [*parts.volumes, _scratch_volume(parts.containers)],
    }
    if parts.store:
        spec["volumes"].append(_store_volume(parts.store))
    if parts.restart_policy:
        spec["restartPolicy"] = parts.restart_policy
    if parts.termination_grace_period_seconds is not None:
        spec["terminationGracePeriodSeconds"] = parts.termination_grace_period_seconds
    return spec


def _pull_secrets(parts: PodParts, additions: PodTemplate) -> list[JsonObject]:
    of_user = (one.name for one in additions.spec.image_pull_secrets)
    return [{"name": name} for name in dict.fromkeys((*parts.image_pull_secrets, *of_user))]


def with_disk_limit(
    resources: ResourceRequirements | None, default_limit: str
) -> ResourceRequirements:
    """`resources` with a bound of what the container may write outside of the store.

    Without a request of its own Kubernetes would set aside as much as the limit.
    """
    given = resources or ResourceRequirements()
    requested = given.requests.get(DISK)
    limit = given.limits.get(DISK) or _larger(requested or default_limit, default_limit)
    return given.model_copy(
        update={
            "requests": {DISK: _smaller(DISK_REQUEST, limit), **given.requests},
            "limits": {**given.limits, DISK: limit},
        }
    )


def _larger(one: str, other: str) -> str:
    return max(one, other, key=parse_quantity)


def _smaller(one: str, other: str) -> str:
    return min(one, other, key=parse_quantity)


def _scratch_volume(containers: tuple[JsonObject, ...]) -> JsonObject:
    """`/tmp`, as large as what a container may write, where that is bounded."""
    limits = [container["resources"].get("limits", {}).get(DISK) for container in containers]
    bounded = [limit for limit in limits if limit]
    size: JsonObject = {"sizeLimit": max(bounded, key=parse_quantity)} if bounded else {}
    return {"name": SCRATCH_VOLUME, "emptyDir": size}


def allowed(entries: Mapping[str, str]) -> dict[str, str]:
    """The user's labels or annotations without those that belong to others."""
    return {key: value for key, value in entries.items() if not is_denied(key)}


def denied_entries(additions: PodTemplate | None) -> tuple[str, ...]:
    """Keys in a `podTemplate` that are left out, for a message."""
    if additions is None:
        return ()
    keys = {**additions.metadata.labels, **additions.metadata.annotations}
    return tuple(sorted(key for key in keys if is_denied(key)))


def is_denied(key: str) -> bool:
    """Whether a label or annotation belongs to Serinus, Kubernetes or a delivery tool."""
    return key in _DENIED_KEYS or key.startswith(_DENIED_PREFIXES)


def resource_requirements(resources: ResourceRequirements | None) -> JsonObject:
    """The container's `resources`, as the user gave them."""
    if resources is None:
        return {}
    return resources.model_dump(by_alias=True, exclude_defaults=True)


def env_value(name: str, value: str) -> JsonObject:
    """Variable with a plain value."""
    return {"name": name, "value": value}


def env_from_field(name: str, field_path: str) -> JsonObject:
    """Variable with a field of the pod (downward API)."""
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": field_path}}}


def env_from_secret(name: str, *, secret: str, key: str) -> JsonObject:
    """Variable with the value of a Secret's key."""
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def _home_unless_given(env: tuple[JsonObject, ...]) -> list[JsonObject]:
    """Libraries write below HOME; a name may stand in the list once."""
    given = any(variable["name"] == "HOME" for variable in env)
    return [] if given else [env_value("HOME", SCRATCH_PATH)]


def _store_mount(store: StoreMount) -> JsonObject:
    mount: JsonObject = {"name": STORE_VOLUME, "mountPath": STORE_MOUNT_PATH}
    return {**mount, "readOnly": True} if store.read_only else mount


def _store_volume(store: StoreMount) -> JsonObject:
    return {
        "name": STORE_VOLUME,
        "persistentVolumeClaim": {"claimName": store.settings.claim_name},
    }


def _on_the_store_s_node(affinity: Mapping[str, Any], store: StoreMount) -> JsonObject:
    """A claim that one node can mount: its pods go where the first of them went."""
    term = {
        "labelSelector": {"matchLabels": {STORE_LABEL: store.settings.claim_name}},
        "topologyKey": "kubernetes.io/hostname",
    }
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    pod_affinity = dict(affinity.get("podAffinity", {}))
    pod_affinity[required] = [*pod_affinity.get(required, []), term]
    return {**affinity, "podAffinity": pod_affinity}
