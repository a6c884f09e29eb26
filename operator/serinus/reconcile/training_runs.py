"""Which run of a TrainingJob is wanted: one for each identity, and none for new data alone.

The identity is the hash of what the model depends on: the digests of the snapshots and the parts of
the spec that say what is learnt from them. The rule, for a TrainingJob without triggers:

- A run pins its snapshots when it begins. A newer snapshot begins no run by itself, so the
  identity of what is there is computed with the snapshots that were pinned for it.
- When any other part of the identity changes, a run begins with the latest snapshots. One that
  still works is given up.
- A ModelVersion of this TrainingJob that has the identity is adopted instead, the newest first: a
  TrainingJob that is deleted and applied again, or goes back to an older spec, trains nothing.
- After a failed run another begins when what may have been to blame is changed: resources,
  deadline, retries or the pod's template.
- `retry` begins a run with the latest snapshots in any case.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from serinus.api.enums import Kind, Outcome, Reason
from serinus.api.featureset import FeatureSetStatus
from serinus.api.modelversion import ModelVersion
from serinus.api.schema_model import LocalObjectReference
from serinus.api.trainingjob import (
    FeatureSetReference,
    PinnedSnapshot,
    TrainingJobSpec,
    TrainingRunStatus,
)
from serinus.manifests.naming import trained_version_parts
from serinus.reconcile.decision import JsonObject
from serinus.reconcile.readiness import Note
from serinus.reconcile.runs import hash_of

IN_IDENTITY = frozenset(
    {
        "model_name",
        "label",
        "task",
        "trainer",
        "features",
        "split",
        "evaluation",
        "decision",
        "seed",
    }
)
"""Fields of the spec that the model depends on, besides the snapshots."""


def run_identity(spec: TrainingJobSpec, snapshots: Iterable[PinnedSnapshot]) -> str:
    """Hash of what a run's model depends on. The image is left out: an upgrade trains nothing."""
    parts = spec.model_dump(
        mode="json",
        by_alias=True,
        include=set(IN_IDENTITY),
        exclude_none=True,
        exclude_defaults=True,
    )
    digests = {pinned.feature_set: pinned.digest for pinned in snapshots}
    return hash_of({"kind": Kind.TRAINING_JOB, "spec": parts, "snapshots": digests})


def is_current(spec: TrainingJobSpec, identity: str, snapshots: Sequence[PinnedSnapshot]) -> bool:
    """Whether what came of `snapshots` under `identity` is what `spec` asks for."""
    pinned = {one.feature_set: one.digest for one in snapshots}
    fits = all(
        reference.name in pinned and reference.snapshot in (None, pinned[reference.name])
        for reference in spec.feature_set_refs
    )
    return fits and run_identity(spec, snapshots) == identity


@dataclass(frozen=True, slots=True)
class Pinned:
    """Snapshots that a run can begin with."""

    snapshots: tuple[PinnedSnapshot, ...]


def pinned_snapshots(
    spec: TrainingJobSpec, feature_sets: Mapping[str, JsonObject]
) -> Pinned | Note:
    """The snapshots that the spec names, else the latest ones; or what is waited for."""
    pinned = []
    for reference in spec.feature_set_refs:
        found = _pinned(reference, feature_sets.get(reference.name))
        if isinstance(found, Note):
            return found
        pinned.append(found)
    return Pinned(tuple(pinned))


def next_number(
    training_job: str, last: TrainingRunStatus | None, versions: Iterable[ModelVersion]
) -> int:
    """Number of the next run: above the last one and all ModelVersions of our naming."""
    taken = (version_number(training_job, one.metadata.name) or 0 for one in versions)
    return 1 + max([last.number if last else 0, *taken])


def version_number(training_job: str, version: str) -> int | None:
    """The count in the ModelVersion name `<training_job>-<count>`; None for another name."""
    parts = trained_version_parts(version)
    return parts[1] if parts and parts[0] == training_job else None


def adopted_run(
    training_job: str, spec: TrainingJobSpec, versions: Iterable[ModelVersion]
) -> TrainingRunStatus | None:
    """The run that led to the newest ModelVersion that the spec asks for; None if there is none."""
    fitting = list(_fitting_versions(training_job, spec, versions))
    if not fitting:
        return None
    number, version = max(fitting, key=lambda one: one[0])
    source, evaluation = version.spec.source, version.spec.evaluation
    if source is None:
        return None
    passed = evaluation is None or evaluation.passed
    name = version.metadata.name
    return TrainingRunStatus(
        name=source.run or name,
        number=number,
        identity=source.identity or "",
        snapshots=source.feature_snapshots,
        outcome=Outcome.SUCCEEDED if passed else Outcome.REJECTED,
        reason=Reason.MODEL_VERSION_CREATED if passed else Reason.GATE_FAILED,
        message=f"ModelVersion `{name}` came of the same data and spec before; nothing is trained",
        metrics=evaluation.metrics if evaluation else {},
        gates=evaluation.gates if evaluation else [],
        model_version_ref=LocalObjectReference(name=name),
    )


def _fitting_versions(
    training_job: str, spec: TrainingJobSpec, versions: Iterable[ModelVersion]
) -> Iterator[tuple[int, ModelVersion]]:
    for version in versions:
        source = version.spec.source
        number = version_number(training_job, version.metadata.name)
        if source is None or source.training_job_ref is None or number is None:
            continue
        if source.training_job_ref.name != training_job or source.identity is None:
            continue
        if is_current(spec, source.identity, source.feature_snapshots):
            yield number, version


def _pinned(
    reference: FeatureSetReference, feature_set: JsonObject | None
) -> PinnedSnapshot | Note:
    name = reference.name
    if reference.snapshot is not None:
        folder = reference.snapshot.removeprefix("sha256:")
        uri = f"file:///store/featuresets/{name}/snapshots/{folder}"
        return PinnedSnapshot(feature_set=name, digest=reference.snapshot, uri=uri)
    if feature_set is None:
        return Note(
            Reason.FEATURE_SET_NOT_FOUND,
            f"spec.featureSetRefs: FeatureSet `{name}` doesn't exist in this namespace; waits "
            "until it does",
        )
    try:
        status = FeatureSetStatus.model_validate(feature_set.get("status") or {})
    except ValidationError:
        status = FeatureSetStatus()
    if status.latest_snapshot is None:
        why = f": {status.message}" if status.message else ""
        return Note(
            Reason.WAITING_FOR_SNAPSHOT, f"waits for a snapshot of FeatureSet `{name}`{why}"
        )
    latest = status.latest_snapshot
    return PinnedSnapshot(feature_set=name, digest=latest.digest, uri=latest.uri)
