"""What objects are found by besides their names: who uses whom, read from their bodies.

Each question of a pass, and each "whom does this change concern?", is one look-up here. Without,
every pass would walk over its namespace, and a full pass over n objects would cost n times n.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum

from serinus.api.enums import Kind
from serinus.api.schema_model import API_VERSION
from serinus.manifests.naming import trained_version_parts
from serinus.reconcile.decision import JsonObject
from serinus.reconcile.json_values import objects_at, text_at, value_at
from serinus.reconcile.serving_roles import served_versions


class Index(StrEnum):
    """A question whose answers are kept; what is asked for is a name in the same namespace."""

    VERSIONS_OF_MODEL = "versionsOfModel"
    """ModelVersions of a model."""
    VERSIONS_OF_TRAINING_JOB = "versionsOfTrainingJob"
    """ModelVersions that are named as those of a TrainingJob, whoever made them."""
    VERSIONS_OF_FEATURE_SET = "versionsOfFeatureSet"
    """ModelVersions that came of a FeatureSet's snapshots."""
    TRAINING_JOBS_ON_FEATURE_SET = "trainingJobsOnFeatureSet"
    """TrainingJobs that learn from a FeatureSet, or did so in their last run."""
    DEPLOYMENTS_ON_FEATURE_SET = "deploymentsOnFeatureSet"
    """Deployments whose server looks up a FeatureSet's newest values."""
    DEPLOYMENTS_OF_VERSION = "deploymentsOfVersion"
    """Deployments that ask for a ModelVersion by its name."""
    DEPLOYMENTS_OF_MODEL = "deploymentsOfModel"
    """Deployments that follow a model by a channel."""
    DEPLOYMENTS_SERVING = "deploymentsServing"
    """Deployments that serve a ModelVersion, as stable or as canary."""


def online_references(deployment: JsonObject) -> Iterator[JsonObject]:
    """References to the FeatureSets whose newest values a Deployment's server looks up."""
    for one in objects_at(deployment, "spec", "server", "onlineFeatures"):
        reference = value_at(one, "featureSetRef")
        if isinstance(reference, Mapping):
            yield reference


def index_entries(body: JsonObject) -> Iterator[tuple[Index, str]]:
    """Under which names the object is found; none for an object that isn't of the four kinds."""
    if body["apiVersion"] != API_VERSION:
        return
    for index, name in _entries(body):
        if name:
            yield index, name


def _entries(body: JsonObject) -> Iterator[tuple[Index, str | None]]:
    match body["kind"]:
        case Kind.MODEL_VERSION:
            yield from _of_model_version(body)
        case Kind.TRAINING_JOB:
            for reference in objects_at(body, "spec", "featureSetRefs"):
                yield Index.TRAINING_JOBS_ON_FEATURE_SET, text_at(reference, "name")
            for pinned in objects_at(body, "status", "lastRun", "snapshots"):
                yield Index.TRAINING_JOBS_ON_FEATURE_SET, text_at(pinned, "featureSet")
        case Kind.DEPLOYMENT:
            model = ("spec", "model")
            yield Index.DEPLOYMENTS_OF_VERSION, text_at(body, *model, "versionRef", "name")
            yield Index.DEPLOYMENTS_OF_MODEL, text_at(body, *model, "channel", "modelName")
            for name in served_versions(body).values():
                yield Index.DEPLOYMENTS_SERVING, name
            for reference in online_references(body):
                yield Index.DEPLOYMENTS_ON_FEATURE_SET, text_at(reference, "name")


def _of_model_version(body: JsonObject) -> Iterator[tuple[Index, str | None]]:
    yield Index.VERSIONS_OF_MODEL, text_at(body, "spec", "modelName")
    if parts := trained_version_parts(body["metadata"]["name"]):
        yield Index.VERSIONS_OF_TRAINING_JOB, parts[0]
    for snapshot in objects_at(body, "spec", "source", "featureSnapshots"):
        yield Index.VERSIONS_OF_FEATURE_SET, text_at(snapshot, "featureSet")
