"""Objects from decoded JSON.

The models of `serinus.api` know each field, and take 0.3 s to import; commands read the few that
they show. Tests make their JSON from those models, so that the two can't drift apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from serinus.api.enums import Kind
from serinus.cli.objects import (
    GROUP,
    Arm,
    Canary,
    Condition,
    DeploymentDetails,
    Details,
    FeatureSetDetails,
    Gate,
    Handled,
    HistoryEntry,
    Metric,
    ModelVersionDetails,
    Pod,
    Rejected,
    Resource,
    Run,
    Stable,
    TrainingJobDetails,
)


def resources_of(bodies: Iterable[Mapping[str, Any]]) -> tuple[Resource, ...]:
    """The objects of the four kinds among `bodies`."""
    return tuple(
        resource_of(body)
        for body in bodies
        if body["apiVersion"].startswith(f"{GROUP}/") and body["kind"] in iter(Kind)
    )


def resource_of(body: Mapping[str, Any]) -> Resource:
    """One object of the four kinds."""
    kind = Kind(body["kind"])
    metadata, spec, status = body["metadata"], body.get("spec", {}), body.get("status", {})
    return Resource(
        kind=kind,
        namespace=metadata.get("namespace", ""),
        name=metadata["name"],
        uid=metadata.get("uid", ""),
        created_at=time_of(metadata.get("creationTimestamp")),
        generation=metadata.get("generation", 0),
        observed_generation=status.get("observedGeneration", 0),
        phase=status.get("phase") or "",
        message=status.get("message") or "",
        conditions=tuple(_condition(one) for one in status.get("conditions", ())),
        handled=_handled(status.get("lastHandledRequest")),
        details=_DETAILS[kind](spec, status),
    )


def pods_of(bodies: Iterable[Mapping[str, Any]]) -> tuple[Pod, ...]:
    """The pods among `bodies`."""
    return tuple(_pod(body) for body in bodies if body["kind"] == "Pod")


def _feature_set(_: Mapping[str, Any], status: Mapping[str, Any]) -> FeatureSetDetails:
    snapshot = status.get("latestSnapshot") or {}
    return FeatureSetDetails(
        rows=snapshot.get("rows"),
        digest=snapshot.get("digest", ""),
        run=_run(status.get("lastRun")),
    )


def _training_job(spec: Mapping[str, Any], status: Mapping[str, Any]) -> TrainingJobDetails:
    return TrainingJobDetails(
        model_name=spec.get("modelName", ""),
        feature_sets=tuple(one["name"] for one in spec.get("featureSetRefs", ())),
        run=_run(status.get("lastRun")),
    )


def _model_version(spec: Mapping[str, Any], status: Mapping[str, Any]) -> ModelVersionDetails:
    origin = (spec.get("source") or {}).get("trainingJobRef") or {}
    return ModelVersionDetails(
        model_name=spec.get("modelName", ""),
        digest=spec.get("digest", ""),
        training_job=origin.get("name", ""),
        predictor=(status.get("predictor") or {}).get("kind", ""),
        aliases=tuple(spec.get("aliases", ())),
        served_by=tuple(one["deployment"] for one in status.get("servedBy", ())),
        run=_verification(spec, status),
        approved_by=status.get("approvedBy") or "",
    )


def _verification(spec: Mapping[str, Any], status: Mapping[str, Any]) -> Run | None:
    evaluation = spec.get("evaluation") or {}
    return _run({**evaluation, **(status.get("verification") or {"name": ""})})


def _deployment(_spec: Mapping[str, Any], status: Mapping[str, Any]) -> DeploymentDetails:
    stable = status.get("stable")
    return DeploymentDetails(
        replicas_ready=status.get("replicas") or 0,
        url=status.get("url") or "",
        update_revision=status.get("updateRevision") or "",
        stable=Stable(stable["revision"], stable["modelVersion"], time_of(stable.get("since")))
        if stable
        else None,
        switched=bool(status.get("kept")),
        judged_first=bool(status.get("firstCheck")),
        canary=_canary(status.get("canary")),
        metrics=tuple(metric_of(one) for one in status.get("analysis", ())),
        history=tuple(_entry(one) for one in status.get("history", ())),
        rejected=tuple(_rejected(one) for one in status.get("rejectedRevisions", ())),
        record=(status.get("record") or {}).get("number", 0),
    )


_DETAILS: Mapping[Kind, Callable[[Mapping[str, Any], Mapping[str, Any]], Details]] = {
    Kind.FEATURE_SET: _feature_set,
    Kind.TRAINING_JOB: _training_job,
    Kind.MODEL_VERSION: _model_version,
    Kind.DEPLOYMENT: _deployment,
}


def _canary(body: Mapping[str, Any] | None) -> Canary | None:
    if not body:
        return None
    rules, exposures = body.get("rules") or {}, body.get("exposures") or {}
    return Canary(
        revision=body["revision"],
        model_version=body["modelVersion"],
        step=body.get("step", 0),
        steps=tuple(_step(one) for one in rules.get("steps", ())),
        weight_percent=body.get("weight", 0),
        actual_weight_percent=body.get("actualWeight", 0),
        started_at=time_of(body.get("startedAt")),
        step_started_at=time_of(body.get("stepStartedAt")),
        promoting=body.get("promoting", False),
        paused_by=body.get("pausedBy") or "",
        units_percent=(rules.get("abTest") or {}).get("canaryPercent"),
        units=(exposures.get("canary", 0), exposures.get("stable", 0)),
    )


def _step(body: Mapping[str, Any]) -> str:
    if "setWeight" in body:
        return f"setWeight {body['setWeight']}"
    if "pause" in body:
        return f"pause {(body['pause'] or {}).get('duration') or 'until promoted'}"
    return next(iter(body), "step")


def metric_of(body: Mapping[str, Any]) -> Metric:
    """What a metric says, as the status and the records have it."""
    return Metric(
        name=body["metric"],
        verdict=body["verdict"],
        message=body.get("message", ""),
        canary=_arm(body.get("canary")),
        stable=_arm(body.get("stable")),
        value=body.get("value") or "",
        harm=body.get("evidence") or "",
        safety=body.get("safety") or "",
        warning=body.get("warning") or "",
    )


def _arm(body: Mapping[str, Any] | None) -> Arm | None:
    return Arm(body["bad"], body["total"]) if body else None


def _entry(body: Mapping[str, Any]) -> HistoryEntry:
    return HistoryEntry(**entry_fields(body), revision=body["revision"])


def entry_fields(body: Mapping[str, Any]) -> dict[str, Any]:
    """What a line of the history and a record say alike, but for the revision."""
    return {
        "at": time_of(body["at"]),
        "action": body["action"],
        "model_version": body.get("modelVersion", ""),
        "reason": body.get("reason", ""),
        "because": body.get("because", ""),
        "actor": body.get("actor", ""),
    }


def _rejected(body: Mapping[str, Any]) -> Rejected:
    return Rejected(
        revision=body["revision"],
        model_version=body.get("modelVersion", ""),
        reason=body["reason"],
        message=body.get("message", ""),
        at=time_of(body["at"]),
    )


def _run(body: Mapping[str, Any] | None) -> Run | None:
    if not body:
        return None
    return Run(
        name=body["name"],
        outcome=body.get("outcome") or "",
        reason=body.get("reason") or "",
        message=body.get("message") or "",
        finished_at=time_of(body.get("finishedAt")),
        metrics=tuple(sorted((body.get("metrics") or {}).items())),
        gates=tuple(_gate(one) for one in body.get("gates", ())),
    )


def _gate(body: Mapping[str, Any]) -> Gate:
    limits = [
        f"{word} {body[key]}"
        for key, word in (("min", "at least"), ("max", "at most"))
        if body.get(key)
    ]
    return Gate(body["metric"], body["value"], ", ".join(limits), body["passed"])


def _condition(body: Mapping[str, Any]) -> Condition:
    return Condition(
        type=body["type"],
        status=body["status"],
        reason=body["reason"],
        message=body.get("message", ""),
        since=time_of(body.get("lastTransitionTime")),
    )


def _handled(body: Mapping[str, Any] | None) -> Handled | None:
    if not body:
        return None
    return Handled(
        nonce=body["nonce"],
        verb=body["verb"],
        outcome=body["outcome"],
        message=body.get("message", ""),
        actor=body.get("actor", ""),
        actor_verified=body.get("actorVerified", False),
    )


def _pod(body: Mapping[str, Any]) -> Pod:
    metadata, status = body["metadata"], body.get("status", {})
    containers = status.get("containerStatuses", ())
    phase = "Terminating" if metadata.get("deletionTimestamp") else status.get("phase", "Pending")
    return Pod(
        name=metadata["name"],
        labels=metadata.get("labels", {}),
        phase=phase,
        ready=bool(containers) and all(one.get("ready") for one in containers),
        restarts=sum(one.get("restartCount", 0) for one in containers),
        problem=next(filter(None, map(_waits_for, containers)), ""),
        created_at=time_of(metadata.get("creationTimestamp")),
    )


def _waits_for(container: Mapping[str, Any]) -> str:
    reason: str = container.get("state", {}).get("waiting", {}).get("reason", "")
    return "" if reason in ("ContainerCreating", "PodInitializing") else reason


def time_of(text: str | None) -> datetime | None:
    """An aware moment; None where there is no text."""
    if not text:
        return None
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
