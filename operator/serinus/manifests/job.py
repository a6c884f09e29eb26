"""The Job that carries out a run: one hardened pod of the jobs image with the store mounted.

Kubernetes retries a pod that dies; the run's result is found again by its name, so that a Job can
be made anew at any time. Nothing in the pod can speak to Kubernetes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import PurePosixPath
from typing import Any

from serinus.api.enums import Kind
from serinus.api.job_contract import (
    ONLINE_CA_PATH,
    ONLINE_PASSWORD_PATH,
    PSEUDONYMIZATION_KEY_PATH,
    RUN_INPUT_PATH,
    SCRATCH_BYTES_VARIABLE,
)
from serinus.api.pod_settings import JobRunSettings, ResourceRequirements
from serinus.api.quantities import parse_quantity
from serinus.api.schema_model import SecretKeySelector
from serinus.api.store_mount import STORE_MOUNT_PATH
from serinus.manifests.naming import RUN_LABEL, owner_labels
from serinus.manifests.pod import (
    DISK,
    STORE_VOLUME,
    PodParts,
    StoreMount,
    env_from_secret,
    env_value,
    make_container,
    make_pod_template,
    with_disk_limit,
)
from serinus.manifests.settings import Settings

JsonObject = dict[str, Any]

CONTAINER = "run"
COMMAND = ("python", "-m", "serinus_runtime.run")
IDENTITY_ANNOTATION = "serinus.dev/run-identity"
"""Hash of what the run's result depends on, to tell a Job from one of the same name before it."""
RUNS_FOLDER = "runs"
DEFAULT_RESOURCES = ResourceRequirements(
    requests={"cpu": "100m", "memory": "256Mi"}, limits={"memory": "4Gi"}
)
DEFAULT_BACKOFF_LIMIT = 2
DEFAULT_ACTIVE_DEADLINE_SECONDS = 3600
DEFAULT_TTL_SECONDS_AFTER_FINISHED = 3600
TERMINATION_GRACE_PERIOD_SECONDS = 5

_INPUT_VOLUME = "input"


@dataclass(frozen=True, slots=True)
class _SecretFile:
    """A Secret's key as a file in memory: who writes it, where it is, and whose it is."""

    container: str
    volume: str
    variable: str
    path: str
    secret: SecretKeySelector

    @property
    def command(self) -> str:
        """What writes it, in Python."""
        return (
            "import os, pathlib; "
            f"pathlib.Path({self.path!r}).write_bytes(os.environb[b{self.variable!r}])"
        )


class StoreAccess(Enum):
    """What a run may write in the store."""

    ALL = auto()
    """Snapshots, models and results."""
    RESULTS_ONLY = auto()
    """Its result and nothing else."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run of an object: what its Job is made from.

    Attributes
    ----------
    name
        Name of the run, its Job and its ConfigMap.
    identity
        Hash of what the result depends on.
    pseudonymization_key
        Secret with the key for private columns; None when no column is private.
    online_password, online_ca
        Secrets with the password of the server that newest values are written to, and with the
        certificates that vouch for it; None when there is none.
    """

    kind: Kind
    owner: str
    namespace: str
    name: str
    identity: str
    settings: JobRunSettings = field(default_factory=JobRunSettings)
    store_access: StoreAccess = StoreAccess.ALL
    pseudonymization_key: SecretKeySelector | None = None
    online_password: SecretKeySelector | None = None
    online_ca: SecretKeySelector | None = None


def make_job(run: Run, settings: Settings) -> JsonObject:
    """The run's Job. It is kept until its result is in status: no `ttlSecondsAfterFinished`."""
    chosen = run.settings
    backoff_limit, deadline = chosen.backoff_limit, chosen.active_deadline_seconds
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": run.name,
            "namespace": run.namespace,
            "labels": _labels(run),
            "annotations": {IDENTITY_ANNOTATION: run.identity},
        },
        "spec": {
            "backoffLimit": DEFAULT_BACKOFF_LIMIT if backoff_limit is None else backoff_limit,
            "activeDeadlineSeconds": deadline or DEFAULT_ACTIVE_DEADLINE_SECONDS,
            "template": _pod_template(run, settings),
        },
    }


def make_expiring_job(job: Mapping[str, Any], ttl_seconds: int) -> JsonObject:
    """What to apply to the finished `job` so that Kubernetes removes it after `ttl_seconds`.

    The uid makes the write fail where the Job was replaced meanwhile.
    """
    metadata = job["metadata"]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {key: metadata[key] for key in ("name", "namespace", "uid")},
        "spec": {"ttlSecondsAfterFinished": ttl_seconds},
    }


def _labels(run: Run) -> dict[str, str]:
    return {**owner_labels(run.kind, run.owner), RUN_LABEL: run.name}


def _pod_template(run: Run, settings: Settings) -> JsonObject:
    results_only = run.store_access is StoreAccess.RESULTS_ONLY
    store = StoreMount(settings.store, read_only=results_only)
    resources = with_disk_limit(
        run.settings.resources or DEFAULT_RESOURCES, settings.scratch.jobs_size
    )
    container = make_container(
        CONTAINER,
        image=settings.jobs_image,
        image_pull_policy=settings.image_pull_policy,
        command=COMMAND,
        env=(
            env_value("SERINUS_RUN_INPUT", RUN_INPUT_PATH),
            env_value("SERINUS_STORE", STORE_MOUNT_PATH),
            env_value(SCRATCH_BYTES_VARIABLE, str(int(parse_quantity(resources.limits[DISK])))),
            *_thread_limits(resources),
        ),
        volume_mounts=(
            _read_only_folder_of(RUN_INPUT_PATH, _INPUT_VOLUME),
            *([_runs_folder()] if results_only else []),
            *(_read_only_folder_of(file.path, file.volume) for file in _secret_files(run)),
        ),
        resources=resources,
        store=store,
        terminationMessagePolicy="File",
    )
    parts = PodParts(
        labels=_labels(run),
        containers=(container,),
        volumes=_volumes(run),
        annotations={IDENTITY_ANNOTATION: run.identity},
        store=store,
        additions=run.settings.pod_template,
        image_pull_secrets=settings.image_pull_secrets,
        restart_policy="Never",
        termination_grace_period_seconds=TERMINATION_GRACE_PERIOD_SECONDS,
    )
    template = make_pod_template(parts)
    if writers := [_writer_of(file, settings) for file in _secret_files(run)]:
        template["spec"]["initContainers"] = writers
    return template


def _secret_files(run: Run) -> tuple[_SecretFile, ...]:
    key, password, ca = run.pseudonymization_key, run.online_password, run.online_ca
    return (
        *_file("pseudonymization", "pseudonymization-key", PSEUDONYMIZATION_KEY_PATH, key),
        *_file("online-password", "online-password", ONLINE_PASSWORD_PATH, password),
        *_file("online-ca", "online-ca", ONLINE_CA_PATH, ca),
    )


def _file(
    volume: str, name: str, path: str, secret: SecretKeySelector | None
) -> Iterator[_SecretFile]:
    if secret is not None:
        yield _SecretFile(name, volume, name.upper().replace("-", "_"), path, secret)


def _volumes(run: Run) -> tuple[JsonObject, ...]:
    run_input: JsonObject = {"name": _INPUT_VOLUME, "configMap": {"name": run.name}}
    in_memory = {"medium": "Memory", "sizeLimit": "1Mi"}
    return (
        run_input,
        *({"name": file.volume, "emptyDir": in_memory} for file in _secret_files(run)),
    )


def _read_only_folder_of(path: str, volume: str) -> JsonObject:
    return {"name": volume, "mountPath": str(PurePosixPath(path).parent), "readOnly": True}


def _runs_folder() -> JsonObject:
    path = f"{STORE_MOUNT_PATH}/{RUNS_FOLDER}"
    return {"name": STORE_VOLUME, "mountPath": path, "subPath": RUNS_FOLDER}


def _writer_of(file: _SecretFile, settings: Settings) -> JsonObject:
    """Put the Secret's key into a file in memory before the run starts.

    A Secret mounted as a volume is missing in silence: the pod waits and its status doesn't say
    for what. A variable of an init container is missing aloud, and the run's own environment
    stays without the key.
    """
    return make_container(
        file.container,
        image=settings.jobs_image,
        image_pull_policy=settings.image_pull_policy,
        command=("python", "-c", file.command),
        env=(env_from_secret(file.variable, secret=file.secret.name, key=file.secret.key),),
        volume_mounts=({"name": file.volume, "mountPath": str(PurePosixPath(file.path).parent)},),
        resources=ResourceRequirements(
            requests={"cpu": "10m", "memory": "32Mi", DISK: "1Mi"},
            limits={"memory": "128Mi", DISK: "16Mi"},
        ),
    )


def _thread_limits(resources: ResourceRequirements) -> tuple[JsonObject, ...]:
    """As many threads as CPUs: more would only wait for each other."""
    limit = resources.limits.get("cpu")
    if limit is None:
        return ()
    threads = str(max(1, math.ceil(parse_quantity(limit))))
    return (env_value("OMP_NUM_THREADS", threads), env_value("POLARS_MAX_THREADS", threads))
