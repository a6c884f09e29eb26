"""Which revision a spec asks for: one that exists, found by what the user chose, or a new one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from serinus.api.deployment import DeploymentSpec
from serinus.api.deployment_status import DeploymentStatus
from serinus.api.enums import Reason
from serinus.api.modelversion import ModelVersion
from serinus.api.server import Server
from serinus.manifests.revision import RevisionRecord
from serinus.manifests.settings import Settings
from serinus.manifests.workload import ServingRevision, make_server_pod_template
from serinus.reconcile.deployment_facts import Observed
from serinus.reconcile.model_reference import (
    Resolution,
    Running,
    Unresolved,
    resolved,
)
from serinus.rollout.revision import HASH_VERSION, revision_hash, revision_inputs


@dataclass(frozen=True, slots=True)
class Wanted:
    """Where the spec leads.

    Attributes
    ----------
    record
        The revision that it asks for. None when the model reference leads to none; one that runs
        is still asked for after its ModelVersion was deleted.
    version
        The ModelVersion that it comes from; empty without a revision.
    """

    resolution: Resolution
    record: RevisionRecord | None = None
    version: str = ""


def wanted(
    deployment: str,
    namespace: str,
    *,
    spec: DeploymentSpec,
    status: DeploymentStatus,
    versions: Sequence[ModelVersion],
    seen: Observed,
    settings: Settings,
) -> Wanted:
    """The revision that the spec asks for."""
    resolution = resolved(spec.model, versions, running=tuple(_versions(status)))
    if isinstance(resolution, Unresolved):
        return _of_what_runs(resolution, spec.server, status, seen)
    record = wanted_revision(
        deployment,
        namespace,
        version=resolution.version,
        server=spec.server,
        seen=seen,
        running=tuple(_roles(status)),
        settings=settings,
    )
    return Wanted(resolution, record, resolution.version.metadata.name)


def wanted_revision(
    deployment: str,
    namespace: str,
    *,
    version: ModelVersion,
    server: Server | None,
    seen: Observed,
    running: Sequence[str] = (),
    settings: Settings,
) -> RevisionRecord:
    """The revision of `version` served by `server`; `running` are the revisions that run.

    An existing one is taken as it was born, whatever image or template would come out today.
    """
    inputs = revision_inputs(version.spec.digest, server)
    known = known_revision(inputs, seen.records.values(), running=running)
    if known is not None:
        return known
    image = _image(server) or settings.server_image
    revision = revision_hash(inputs, image=image)
    serving = ServingRevision(
        deployment=deployment,
        namespace=namespace,
        revision=revision,
        model_uri=version.spec.storage_uri,
        model_digest=version.spec.digest,
        image=image,
        server=server or Server(),
    )
    workload = seen.workloads.get(revision)
    return RevisionRecord(
        revision=revision,
        number=max((record.number for record in seen.records.values()), default=0) + 1,
        inputs=inputs,
        hash_version=HASH_VERSION,
        model_version=version.metadata.name,
        # Where only the record was lost, what runs is the truth: nothing is restarted for it.
        template=workload.template if workload else make_server_pod_template(serving, settings),
    )


def _image(server: Server | None) -> str | None:
    """The image that the spec names, its own container's or ours."""
    if server is not None and server.container is not None:
        return server.container.image
    return server.image if server else None


def known_revision(
    inputs: Mapping[str, Any], records: Iterable[RevisionRecord], *, running: Sequence[str] = ()
) -> RevisionRecord | None:
    """The revision that was born of these inputs; None when none was.

    Inputs that another version of the operator wrote down may say the same in other words, or hold
    fields that are unknown here. Read as the spec is read they are the same: no upgrade, and no
    way back from one, makes a revision. What runs comes first among them, then the newest.
    """
    exact = [record for record in records if record.inputs == inputs]
    alike = exact or [record for record in records if _as_read_today(record) == inputs]
    return max(alike, key=lambda record: (record.revision in running, record.number), default=None)


def server_of(record: RevisionRecord) -> Server:
    """The `server` block that the revision was born with."""
    given = record.inputs.get("server")
    return Server.model_validate(given) if isinstance(given, Mapping) else Server()


def _as_read_today(record: RevisionRecord) -> dict[str, Any] | None:
    try:
        return revision_inputs(str(record.inputs.get("modelDigest")), server_of(record))
    except ValidationError:
        return None


def _versions(status: DeploymentStatus) -> Iterator[Running]:
    """The versions that run, the canary's first."""
    if status.canary:
        yield Running(status.canary.model_version, status.canary.started_at)
    if status.stable:
        yield Running(status.stable.model_version, status.stable.since)


def _roles(status: DeploymentStatus) -> Iterator[str]:
    return (role.revision for role in (status.canary, status.stable) if role is not None)


def _of_what_runs(
    resolution: Unresolved, server: Server | None, status: DeploymentStatus, seen: Observed
) -> Wanted:
    """A version that is gone is known by the record of what it gave, as long as that runs."""
    if resolution.reason is not Reason.MODEL_VERSION_NOT_FOUND:
        return Wanted(resolution)
    for role in (status.canary, status.stable):
        record = seen.records.get(role.revision) if role else None
        if role is None or record is None or role.model_version != resolution.version:
            continue
        asked = revision_inputs(str(record.inputs.get("modelDigest")), server)
        if known_revision(asked, (record,)):
            return Wanted(resolution, record, role.model_version)
        message = (
            f"ModelVersion `{role.model_version}` doesn't exist any more, so no other revision of "
            "it can be made; what it gave goes on serving"
        )
        return Wanted(Unresolved(Reason.WAITING_FOR_MODEL_VERSION, message, resolution.version))
    return Wanted(resolution)
