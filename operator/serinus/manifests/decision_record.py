"""A decision kept for ever: an immutable ConfigMap that belongs to nobody.

It bears no ownerReference, so that it outlives its Deployment, and not the label by which the
operator watches what it makes: records grow without bound, and no operator should hold them all.
"""

from __future__ import annotations

from typing import Any

from serinus.api.deployment_status import PendingRecord
from serinus.api.record_contract import (
    DECISION_KEY,
    RECORD_LABEL,
    RECORD_OF_LABEL,
    record_name,
)
from serinus.manifests.naming import RECORD_ACTION_LABEL, REVISION_LABEL

JsonObject = dict[str, Any]

PART_OF_LABEL, PART_OF = "app.kubernetes.io/part-of", "serinus"


def make_decision_record(deployment: str, namespace: str, record: PendingRecord) -> JsonObject:
    """The ConfigMap that holds `record`."""
    labels = {
        PART_OF_LABEL: PART_OF,
        RECORD_OF_LABEL: deployment,
        RECORD_LABEL: str(record.number),
        RECORD_ACTION_LABEL: record.action,
    }
    if record.revision:
        labels[REVISION_LABEL] = record.revision
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": record_name(deployment, record.number),
            "namespace": namespace,
            "labels": labels,
        },
        "immutable": True,
        "data": {DECISION_KEY: record.decision},
    }
