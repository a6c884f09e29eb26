"""What the demo sees of the namespace, parsed once. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flights_demo.objects import DEPLOYMENT
from flights_demo.traffic_report import TrafficReport
from serinus.api.deployment import Deployment
from serinus.api.deployment_status import HistoryEntry, MetricStatus
from serinus.api.enums import Action

JsonObject = Mapping[str, Any]
REVISION_LABEL = "serinus.dev/revision"
_DECISIONS = (Action.PROMOTE, Action.ROLLBACK)


@dataclass(frozen=True, slots=True)
class Node:
    """One object on the way from data to traffic: how it is, in a few words."""

    name: str
    phase: str
    words: str
    message: str = ""
    reasons: frozenset[str] = frozenset()
    """Reasons of its conditions."""


@dataclass(frozen=True, slots=True)
class World:
    """All that is shown and waited for."""

    feature_sets: Mapping[str, Node] = field(default_factory=dict)
    training_jobs: Mapping[str, Node] = field(default_factory=dict)
    model_versions: Mapping[str, Node] = field(default_factory=dict)
    deployment: Deployment | None = None
    ready_pods: Mapping[str, int] = field(default_factory=dict)
    pods: Mapping[str, int] = field(default_factory=dict)
    """All pods that exist by revision, those that start and end included."""
    traffic: TrafficReport = field(default_factory=TrafficReport)

    @property
    def stable_version(self) -> str:
        """ModelVersion that is stable, "" before the first."""
        stable = self.deployment.status.stable if self.deployment else None
        return stable.model_version if stable else ""

    @property
    def stable_revision(self) -> str:
        """Revision that is stable, "" before the first."""
        stable = self.deployment.status.stable if self.deployment else None
        return stable.revision if stable else ""

    @property
    def history(self) -> Sequence[HistoryEntry]:
        """Decisions, newest last."""
        return self.deployment.status.history if self.deployment else ()

    @property
    def analysis(self) -> Sequence[MetricStatus]:
        """What the metrics say."""
        return self.deployment.status.analysis if self.deployment else ()

    def condition(self, type_: str) -> bool:
        """Whether a condition of the Deployment is True."""
        conditions = self.deployment.status.conditions if self.deployment else ()
        return any(item.type == type_ and item.status == "True" for item in conditions)

    def decision(self, model_version: str, since: datetime) -> HistoryEntry | None:
        """Promotion or rollback of a version since then, None as long as there is none."""
        for entry in reversed(self.history):
            if entry.model_version == model_version and entry.action in _DECISIONS:
                return entry if datetime.fromisoformat(entry.at) >= since else None
        return None


def world(objects: Mapping[str, Sequence[JsonObject]], traffic: TrafficReport) -> World:
    """The world of lists of objects by resource."""
    deployments = [
        Deployment.model_validate(item)
        for item in objects["modeldeployments"]
        if item["metadata"]["name"] == DEPLOYMENT
    ]
    return World(
        feature_sets=_nodes(objects["featuresets"], _snapshot_words),
        training_jobs=_nodes(objects["trainingjobs"], _run_words),
        model_versions=_nodes(objects["modelversions"], _predictor_words),
        deployment=deployments[0] if deployments else None,
        ready_pods=_ready_pods(objects["pods"]),
        pods=Counter(_revision(pod) for pod in objects["pods"]),
        traffic=traffic,
    )


def _nodes(items: Sequence[JsonObject], words: Any) -> dict[str, Node]:
    nodes = {}
    for item in items:
        status = item.get("status", {})
        name = item["metadata"]["name"]
        nodes[name] = Node(
            name=name,
            phase=status.get("phase") or "Pending",
            words=words(status),
            message=status.get("message") or "",
            reasons=frozenset(item["reason"] for item in status.get("conditions", ())),
        )
    return nodes


def _snapshot_words(status: JsonObject) -> str:
    snapshot = status.get("latestSnapshot")
    return f"{snapshot['rows']:,} rows" if snapshot else ""


def _run_words(status: JsonObject) -> str:
    metrics = (status.get("lastRun") or {}).get("metrics") or {}
    return f"roc_auc {float(metrics['roc_auc']):.3f}" if "roc_auc" in metrics else ""


def _predictor_words(status: JsonObject) -> str:
    predictor = status.get("predictor")
    if not predictor:
        return ""
    micros = predictor.get("p50Micros")
    took = f", {micros:,} µs a row" if micros else ""
    return f"{predictor['kind']}{took}"


def _revision(pod: JsonObject) -> str:
    return str(pod["metadata"].get("labels", {}).get(REVISION_LABEL, ""))


def _ready_pods(pods: Sequence[JsonObject]) -> Counter[str]:
    ready: Counter[str] = Counter()
    for pod in pods:
        conditions = pod.get("status", {}).get("conditions", ())
        is_ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
        if is_ready and "deletionTimestamp" not in pod["metadata"]:
            ready[_revision(pod)] += 1
    return ready
