"""The log of predictions: where pods write it, and the ConfigMap that says how much.

A pod that logs may write below the folder of its Deployment and nowhere else in the store. How much
it logs stands in a ConfigMap, which Kubernetes keeps up to date in the pods: what is frozen in a
revision is only where they look.
"""

from __future__ import annotations

import json
from typing import Any

from serinus.api.enums import Kind
from serinus.api.prediction_log import (
    DEFAULT_MAX_AGE,
    DEFAULT_MAX_SIZE,
    DEFAULT_SAMPLE_PERCENT,
    LogRetention,
    PredictionLog,
)
from serinus.api.quantities import duration_seconds, parse_quantity
from serinus.manifests.naming import log_policy_name, owner_labels
from serinus.manifests.pod import STORE_VOLUME, env_value

JsonObject = dict[str, Any]

POLICY_KEY = "policy.json"
LOG_MOUNT_PATH = "/predictions"
LOG_FOLDER = "predictions"
"""Folder of the store that has the logs of all Deployments, each below its name."""
_POLICY_VOLUME = "prediction-log"
_POLICY_MOUNT_PATH = "/etc/serinus/prediction-log"


def make_log_policy(deployment: str, namespace: str, log: PredictionLog) -> JsonObject:
    """The ConfigMap that says how much is logged, and how long that is kept."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": log_policy_name(deployment),
            "namespace": namespace,
            "labels": owner_labels(Kind.DEPLOYMENT, deployment),
        },
        "data": {POLICY_KEY: json.dumps(_policy(log), sort_keys=True)},
    }


def _policy(log: PredictionLog) -> JsonObject:
    retention = log.retention or LogRetention()
    percent = log.sample_percent
    return {
        "samplePercent": DEFAULT_SAMPLE_PERCENT if percent is None else percent,
        "maxAgeSeconds": duration_seconds(retention.max_age or DEFAULT_MAX_AGE),
        "maxSizeBytes": int(parse_quantity(retention.max_size or DEFAULT_MAX_SIZE)),
    }


def log_environment() -> tuple[JsonObject, ...]:
    """What tells a server where to write, and where it finds the policy."""
    return (
        env_value("SERINUS_PREDICTION_LOG", LOG_MOUNT_PATH),
        env_value("SERINUS_PREDICTION_LOG_POLICY", f"{_POLICY_MOUNT_PATH}/{POLICY_KEY}"),
    )


def log_mounts(deployment: str) -> tuple[JsonObject, ...]:
    """The Deployment's own folder of the store, for writing, and the policy."""
    folder = f"{LOG_FOLDER}/{deployment}"
    return (
        {"name": STORE_VOLUME, "mountPath": LOG_MOUNT_PATH, "subPath": folder},
        {"name": _POLICY_VOLUME, "mountPath": _POLICY_MOUNT_PATH, "readOnly": True},
    )


def log_volume(deployment: str) -> JsonObject:
    """The policy; pods start without it, and then log nothing until it is there."""
    source = {"name": log_policy_name(deployment), "optional": True}
    return {"name": _POLICY_VOLUME, "configMap": source}
