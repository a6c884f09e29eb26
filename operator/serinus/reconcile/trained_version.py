"""The ModelVersion that a training run's result leads to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from serinus.api.enums import Outcome
from serinus.api.job_contract import TrainingRunResult
from serinus.api.modelversion import (
    ModelFormat,
    ModelSource,
    ModelVersion,
    ModelVersionSpec,
    RecordedEvaluation,
)
from serinus.api.schema_model import LocalObjectReference
from serinus.api.trainingjob import GateResult, TrainingJob, TrainingRunStatus
from serinus.manifests.model_version import make_model_version
from serinus.manifests.naming import trained_version_name

_FIGURES_MAX, _FIGURE_LENGTH, _GATES_MAX = 32, 32, 20


def trained_version(
    training_job: TrainingJob, run: TrainingRunStatus, result: TrainingRunResult, image: str
) -> dict[str, Any]:
    """Manifest of the ModelVersion that `result` of `run`, made with `image`, leads to.

    Raises
    ------
    ValidationError
        If the result lacks what a ModelVersion needs.
    """
    spec, metadata = training_job.spec, training_job.metadata
    version = ModelVersionSpec.model_validate(
        {
            "modelName": spec.model_name,
            "modelFormat": ModelFormat(name=result.format_name, version=result.format_version),
            "storageUri": result.storage_uri,
            "digest": result.digest,
            "signature": result.signature,
            "source": ModelSource(
                training_job_ref=LocalObjectReference(name=metadata.name),
                run=run.name,
                identity=run.identity,
                feature_snapshots=run.snapshots,
                image=image,
                seed=spec.seed or 0,
                estimator=spec.trainer.sklearn.estimator if spec.trainer.sklearn else None,
            ),
            "evaluation": RecordedEvaluation(
                passed=result.outcome is Outcome.SUCCEEDED,
                metrics=shown_figures(result.metrics),
                gates=shown_gates(result.gates),
            ),
        }
    )
    name = trained_version_name(metadata.name, run.number)
    return make_model_version(name, metadata.namespace, training_job=metadata.name, spec=version)


def is_of_run(version: ModelVersion, run: TrainingRunStatus) -> bool:
    """Whether `version` was made of `run`, and doesn't just bear the name."""
    source = version.spec.source
    return bool(source and source.run == run.name and source.identity == run.identity)


def shown_figures(metrics: Mapping[str, str]) -> dict[str, str]:
    """As many figures as a status has room for, by name."""
    return {name: text[:_FIGURE_LENGTH] for name, text in sorted(metrics.items())[:_FIGURES_MAX]}


def shown_gates(gates: Sequence[GateResult]) -> list[GateResult]:
    """As many gates as a status has room for."""
    return list(gates[:_GATES_MAX])
