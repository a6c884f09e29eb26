"""Names and labels of all that Serinus makes: functions of the owner, which stand here only.

Deterministic names make a repeated create harmless: after a crash the same decision leads to the
same name, and Kubernetes refuses the second object.
"""

from __future__ import annotations

import re

from serinus.api.enums import Kind

FIELD_MANAGER = "serinus"

MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGED_BY = "serinus"
REVISION_LABEL = "serinus.dev/revision"
RUN_LABEL = "serinus.dev/run"
STORE_LABEL = "serinus.dev/store"
RECORD_ACTION_LABEL = "serinus.dev/record-action"
OWNER_LABELS: dict[Kind, str] = {kind: f"serinus.dev/{kind.value.lower()}" for kind in Kind}

NAME_MAX_LENGTH = 40
"""Longest `metadata.name` of a kind, so that `<name>-<revision>` is a label value."""

_TRAINED_VERSION = re.compile(r"(.+)-([1-9][0-9]{0,8})")


def owner_labels(kind: Kind, name: str) -> dict[str, str]:
    """Labels of every child of the object `name`; never those of Argo CD, Flux or Helm."""
    return {MANAGED_BY_LABEL: MANAGED_BY, OWNER_LABELS[kind]: name}


def snapshot_run_name(feature_set: str, number: int) -> str:
    """The run, its Job and its ConfigMap that make snapshot `number` of a FeatureSet."""
    return f"{feature_set}-snapshot-{number}"


def training_run_name(training_job: str, number: int) -> str:
    """Run `number` of a TrainingJob, its Job and its ConfigMap."""
    return f"{training_job}-train-{number}"


def trained_version_name(training_job: str, number: int) -> str:
    """The ModelVersion that run `number` of a TrainingJob leads to."""
    return f"{training_job}-{number}"


def trained_version_parts(model_version: str) -> tuple[str, int] | None:
    """TrainingJob and run number that the name of a ModelVersion is made of; None: of none."""
    match = _TRAINED_VERSION.fullmatch(model_version)
    return (match[1], int(match[2])) if match else None


def verification_run_name(model_version: str) -> str:
    """The run that verifies a ModelVersion, its Job and its ConfigMap."""
    return f"{model_version}-verify"


def revision_object_name(deployment: str, revision: str) -> str:
    """Name of a revision's workload and of its ControllerRevision."""
    return f"{deployment}-{revision}"


def rejection_name(deployment: str, revision: str) -> str:
    """The ControllerRevision that remembers that a revision was rejected."""
    return f"{revision_object_name(deployment, revision)}-rejected"


def service_name(deployment: str) -> str:
    """The Service through which clients reach whatever serves."""
    return deployment


def preview_service_name(deployment: str) -> str:
    """Service before the pods that are shown before a switch."""
    return f"{deployment}-preview"


def shadow_service_name(deployment: str) -> str:
    """The headless Service by which stable's pods find those to which they mirror requests.

    Not `<name>-shadow`, which people are likely to call another Deployment.
    """
    return f"{deployment}-shadow-pods"


def ab_test_service_name(deployment: str) -> str:
    """The headless Service by which stable's pods find the canary of an A/B test."""
    return f"{deployment}-ab-test-pods"


def ab_test_name(deployment: str) -> str:
    """The ConfigMap that tells the pods of an A/B test."""
    return f"{deployment}-ab-test"


def revision_service_name(deployment: str, revision: str) -> str:
    """The Service of one revision's pods, to which a gateway gives a weight."""
    return f"{deployment}-{revision}"


def route_name(deployment: str) -> str:
    """The HTTPRoute by which a gateway splits the requests."""
    return deployment


def autoscaler_name(deployment: str) -> str:
    """The HorizontalPodAutoscaler, which is on stable's workload."""
    return deployment


def feedback_service_name(deployment: str) -> str:
    """The headless Service by which the pods find each other, to count each label once."""
    return f"{deployment}-feedback"


def log_policy_name(deployment: str) -> str:
    """The ConfigMap that says how much of the predictions is logged."""
    return f"{deployment}-prediction-log"


def feedback_secret_name(deployment: str) -> str:
    """The Secret with the key that signs prediction ids."""
    return f"{deployment}-feedback"
