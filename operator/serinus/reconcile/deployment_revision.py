"""Which revision a spec asks for: one that exists, found by what the user chose, or a new one."""

from __future__ import annotations

from collections.abc import Mapping

from serinus.api.deployment import Server
from serinus.api.modelversion import ModelVersion
from serinus.manifests.revision import RevisionRecord
from serinus.manifests.settings import Settings
from serinus.manifests.workload import ServingRevision, make_server_pod_template
from serinus.reconcile.deployment_facts import Observed
from serinus.rollout.revision import HASH_VERSION, revision_hash, revision_inputs


def wanted_revision(
    deployment: str,
    namespace: str,
    *,
    version: ModelVersion,
    server: Server | None,
    seen: Observed,
    settings: Settings,
) -> RevisionRecord:
    """The revision of `version` served by `server`.

    An existing one is taken as it was born, whatever image or template would come out today.
    """
    inputs = revision_inputs(version.spec.digest, server)
    known = [record for record in seen.records.values() if record.inputs == inputs]
    if known:
        return max(known, key=lambda record: record.number)
    image = (server.image if server else None) or settings.server_image
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


def server_of(record: RevisionRecord) -> Server:
    """The `server` block that the revision was born with."""
    given = record.inputs.get("server")
    return Server.model_validate(given) if isinstance(given, Mapping) else Server()
