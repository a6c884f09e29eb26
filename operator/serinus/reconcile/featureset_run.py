"""A FeatureSet's run: what its result depends on, and what its Job is told."""

from __future__ import annotations

from collections.abc import Iterable

from serinus.api.enums import Kind
from serinus.api.featureset import FeatureSet, FeatureSetRunStatus, FeatureSetSpec, Sensitivity
from serinus.api.job_contract import FeatureSetRunInput
from serinus.api.modelversion import ModelVersion
from serinus.manifests.job import Run
from serinus.reconcile.runs import hash_of, run_identity_for

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
    private = any(one.sensitivity is Sensitivity.PSEUDONYMIZE for one in spec.features)
    return Run(
        kind=Kind.FEATURE_SET,
        owner=metadata.name,
        namespace=metadata.namespace,
        name=chosen.name,
        identity=run_identity_for(metadata.uid, chosen.identity),
        settings=spec,
        pseudonymization_key=spec.pseudonymization_key_secret_ref if private else None,
    )


def run_input_of(
    feature_set: FeatureSet, run: Run, versions: Iterable[ModelVersion]
) -> FeatureSetRunInput:
    """What the run's pod is told."""
    return FeatureSetRunInput(
        run=run.name,
        identity=run.identity,
        namespace=run.namespace,
        feature_set=run.owner,
        spec=feature_set.spec,
        keep_digests=kept_digests(feature_set, versions),
    )


def kept_digests(feature_set: FeatureSet, versions: Iterable[ModelVersion]) -> list[str]:
    """Snapshots that retention may not take: those that models came from, and the latest."""
    name, latest = feature_set.metadata.name, feature_set.status.latest_snapshot
    named = {
        pinned.digest
        for version in versions
        for pinned in (version.spec.source.feature_snapshots if version.spec.source else ())
        if pinned.feature_set == name
    }
    return sorted(named | ({latest.digest} if latest else set()))
