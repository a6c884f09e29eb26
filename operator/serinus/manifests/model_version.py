"""The ModelVersion that a training run leads to; it outlives the TrainingJob that made it."""

from __future__ import annotations

from typing import Any

from serinus.api.enums import Kind
from serinus.api.modelversion import ModelVersionSpec
from serinus.api.schema_model import API_VERSION
from serinus.manifests.naming import owner_labels

JsonObject = dict[str, Any]


def make_model_version(
    name: str, namespace: str, *, training_job: str, spec: ModelVersionSpec
) -> JsonObject:
    """ModelVersion `name` that came from the TrainingJob `training_job`."""
    return {
        "apiVersion": API_VERSION,
        "kind": Kind.MODEL_VERSION.value,
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": owner_labels(Kind.TRAINING_JOB, training_job),
        },
        "spec": spec.model_dump(mode="json", by_alias=True, exclude_none=True),
    }
