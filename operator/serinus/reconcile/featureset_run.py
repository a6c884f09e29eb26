"""A FeatureSet's run: what its result depends on, and what its Job is told."""

from __future__ import annotations

from collections.abc import Iterable

from serinus.api.enums import Kind
from serinus.api.featureset import FeatureSet, FeatureSetRunStatus, FeatureSetSpec, Sensitivity
from serinus.api.job_contract import FeatureSetRunInput
from serinus.manifests.job import Run
from serinus.reconcile.runs import hash_of, run_identity_for
from serinus.reconcile.snapshot import FeatureSetSnapshot
from serinus.reconcile.snapshots_in_use import digests_in_use

NOT_IN_IDENTITY = frozenset(
    {
        "description",
        "retention",
        "suspend",
        "resources",
        "active_deadline_seconds",
        "backoff_limit",
        "ttl_seconds_after_finished",
        "pod_template",
    }
)
"""Fields of the spec that don't change a snapshot; every other field does."""


def run_identity(spec: FeatureSetSpec) -> str:
    """Hash of what a snapshot depends on besides the bytes of its sources."""
    parts = spec.model_dump(
        mode="json",
        by_alias=True,
        exclude=set(NOT_IN_IDENTITY),
        exclude_none=True,
        exclude_defaults=True,
    )
    return hash_of({"kind": Kind.FEATURE_SET, "spec": parts})


def run_of(feature_set: FeatureSet, chosen: FeatureSetRunStatus) -> Run:
    """The run as its Job is made from it."""
    spec, metadata = feature_set.spec, feature_set.metadata
    server = spec.online.redis if spec.online and spec.online.enabled else None
    private = any(one.sensitivity is Sensitivity.PSEUDONYMIZE for one in spec.features)
    return Run(
        kind=Kind.FEATURE_SET,
        owner=metadata.name,
        namespace=metadata.namespace,
        name=chosen.name,
        identity=run_identity_for(metadata.uid, chosen.identity),
        settings=spec,
        pseudonymization_key=spec.pseudonymization_key_secret_ref if private else None,
        online_password=server.password_secret_ref if server else None,
        online_ca=server.ca_secret_ref if server else None,
    )


def run_input_of(feature_set: FeatureSet, run: Run, keep: Iterable[str]) -> FeatureSetRunInput:
    """What the run's pod is told; retention takes no snapshot of the digests `keep`."""
    return FeatureSetRunInput(
        run=run.name,
        identity=run.identity,
        namespace=run.namespace,
        feature_set=run.owner,
        spec=feature_set.spec,
        keep_digests=sorted(keep),
    )


def kept_digests(snapshot: FeatureSetSnapshot, feature_set: FeatureSet) -> set[str]:
    """Snapshots that retention may not take: those that somebody needs, and the latest."""
    latest = feature_set.status.latest_snapshot
    needed = digests_in_use(
        feature_set.metadata.name, snapshot.model_versions, snapshot.training_jobs
    )
    return needed | ({latest.digest} if latest else set())
