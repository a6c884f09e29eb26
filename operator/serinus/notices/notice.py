"""A decision as it is told outside the cluster. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from serinus.api.enums import PLURALS, Kind
from serinus.api.record_contract import DECISION_KEY, RECORD_LABEL
from serinus.api.schema_model import API_VERSION

SINKS_ANNOTATION = "serinus.dev/notices"
"""On a Deployment: names of the sinks that are told of it, with commas; empty: none is."""

JsonObject = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Notice:
    """What is told.

    Attributes
    ----------
    id
        The same for the same decision, whoever tells it and however often.
    source
        Path of the Deployment in the API.
    sinks
        Names of those that may be told; None: all.
    decision
        The record, without the rules of the rollout.
    """

    id: str
    source: str
    namespace: str
    name: str
    action: str
    at: str
    revision: str
    model_version: str
    reason: str
    because: str
    actor: str
    sinks: frozenset[str] | None
    decision: Mapping[str, Any]

    @property
    def title(self) -> str:
        """One line: what happened to what."""
        version = f" ({self.model_version})" if self.model_version else ""
        return f"{self.namespace}/{self.name}: {self.action} of revision {self.revision}{version}"


def notice_of(owner: JsonObject, record: JsonObject) -> Notice:
    """The notice of a decision about `owner` that stands in the ConfigMap `record`."""
    metadata = owner["metadata"]
    namespace, name = metadata["namespace"], metadata["name"]
    decision = json.loads(record["data"][DECISION_KEY])
    decision.pop("rules", None)
    number = record["metadata"]["labels"][RECORD_LABEL]
    plural = PLURALS[Kind.DEPLOYMENT]
    chosen = (metadata.get("annotations") or {}).get(SINKS_ANNOTATION)
    return Notice(
        id=f"{metadata.get('uid', '')}/{number}",
        source=f"/apis/{API_VERSION}/namespaces/{namespace}/{plural}/{name}",
        namespace=namespace,
        name=name,
        action=decision["action"],
        at=decision["at"],
        revision=decision["revision"],
        model_version=decision.get("modelVersion", ""),
        reason=decision.get("reason", ""),
        because=decision.get("because", ""),
        actor=decision.get("actor", ""),
        sinks=None if chosen is None else frozenset(_names(chosen)),
        decision=decision,
    )


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
