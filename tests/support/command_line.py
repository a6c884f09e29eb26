"""A cluster, a clock and a terminal for commands, and objects as the operator leaves them.

Objects are made from the models of `serinus.api`, so that a renamed field shows here.
"""

import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from serinus.api.deployment import Deployment, DeploymentSpec, ModelReference
from serinus.api.deployment_status import (
    ArmCounts,
    CanaryStatus,
    DeploymentStatus,
    HistoryEntry,
    MetricStatus,
    RejectedRevision,
)
from serinus.api.enums import PLURALS
from serinus.api.featureset import FeatureSet
from serinus.api.metadata import HandledRequest, ObjectMeta
from serinus.api.modelversion import ModelVersion
from serinus.api.schema_model import ApiModel, LocalObjectReference
from serinus.api.trainingjob import TrainingJob
from serinus.cli.arguments import parser
from serinus.cli.errors import ClusterError, ExitCode, NotFoundError
from serinus.cli.kubectl import Annotation
from serinus.cli.main import carry_out
from serinus.cli.session import Session
from serinus.cli.terminal import console_on

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
STABLE, CANARY, BAD = "9f2c1d03aa", "b1ffc0de22", "0badc0ffee"
USER = "mia@example.com"


def ago(**parts: float) -> str:
    return (NOW - timedelta(**parts)).strftime("%Y-%m-%dT%H:%M:%SZ")


def body(model: ApiModel) -> dict[str, Any]:
    """The object as the API server gives it."""
    decoded: dict[str, Any] = json.loads(model.model_dump_json(by_alias=True, exclude_none=True))
    return decoded


def metadata(name: str, **created: float) -> ObjectMeta:
    return ObjectMeta(
        name=name,
        namespace="flights",
        uid=f"uid-of-{name}",
        generation=1,
        creation_timestamp=ago(**(created or {"minutes": 12})),
    )


def condition(type_: str, status: str, reason: str, message: str = "") -> dict[str, Any]:
    return {"type": type_, "status": status, "reason": reason, "message": message}


READY = [condition("Ready", "True", "Succeeded")]


def feature_set(**status: Any) -> dict[str, Any]:
    snapshot = {
        "digest": "sha256:" + "ab12cd34" * 8,
        "uri": "file:///store/featuresets/flights/snapshots/ab12",
        "rows": 336776,
        "createdAt": ago(minutes=11),
    }
    return body(
        FeatureSet.model_validate(
            {
                "metadata": metadata("flights", minutes=13).model_dump(),
                "spec": {
                    "entities": [],
                    "sources": [
                        {
                            "name": "flights",
                            "files": {"uris": ["file:///data/f.csv"], "format": "csv"},
                        }
                    ],
                    "features": [{"name": "distance", "type": "float64"}],
                },
                "status": {
                    "observedGeneration": 1,
                    "phase": "Ready",
                    "message": "snapshot sha256:ab12cd34ab12 is the latest",
                    "latestSnapshot": snapshot,
                    "conditions": READY,
                    **status,
                },
            }
        )
    )


def training_job(name: str, **status: Any) -> dict[str, Any]:
    run = {
        "name": f"{name}-train-1",
        "number": 1,
        "identity": "sha256:1",
        "finishedAt": ago(minutes=9),
        "outcome": "succeeded",
        "metrics": {"roc_auc": "0.742", "brier": "0.171"},
        "gates": [{"metric": "roc_auc", "value": "0.742", "min": "0.60", "passed": True}],
        "modelVersionRef": {"name": f"{name}-1"},
    }
    return body(
        TrainingJob.model_validate(
            {
                "metadata": metadata(name).model_dump(),
                "spec": {
                    "modelName": "flight-delay",
                    "featureSetRefs": [{"name": "flights"}],
                    "label": "late",
                    "task": "classification",
                    "trainer": {"sklearn": {"estimator": "LogisticRegression"}},
                },
                "status": {
                    "observedGeneration": 1,
                    "phase": "Succeeded",
                    "lastRun": run,
                    "conditions": READY,
                    **status,
                },
            }
        )
    )


def model_version(name: str, **status: Any) -> dict[str, Any]:
    return body(
        ModelVersion.model_validate(
            {
                "metadata": metadata(name, minutes=9).model_dump(),
                "spec": {
                    "modelName": "flight-delay",
                    "modelFormat": {"name": "serinus", "version": "1"},
                    "storageUri": "file:///store/models/flight-delay/1",
                    "digest": "sha256:" + "1" * 64,
                    "source": {"trainingJobRef": {"name": name.rsplit("-", 1)[0]}},
                },
                "status": {
                    "observedGeneration": 1,
                    "phase": "Ready",
                    "predictor": {"kind": "forest", "verifiedRows": 1000, "mismatches": 0},
                    "conditions": READY,
                    **status,
                },
            }
        )
    )


def deployment(status: DeploymentStatus, *, generation: int = 1) -> dict[str, Any]:
    reference = ModelReference(version_ref=LocalObjectReference(name="boosted-1"))
    given = metadata("flight-delay").model_copy(update={"generation": generation})
    return body(
        Deployment(metadata=given, spec=DeploymentSpec(model=reference, replicas=4), status=status)
    )


SERVING = DeploymentStatus.model_validate(
    {
        "observedGeneration": 1,
        "phase": "Healthy",
        "message": f"revision {STABLE} (schedule-1) serves",
        "replicas": 4,
        "url": "http://flight-delay.flights.svc",
        "stable": {"revision": STABLE, "modelVersion": "schedule-1", "since": ago(minutes=8)},
        "updateRevision": STABLE,
        "history": [
            {
                "at": ago(minutes=8),
                "action": "promote",
                "revision": STABLE,
                "modelVersion": "schedule-1",
                "reason": "FirstRevision",
                "because": "all its pods are ready",
            }
        ],
        "conditions": READY,
    }
)

_STEPS = [
    {"setWeight": 20},
    {"analyze": {"minDuration": "6s"}},
    {"pause": {}},
    {"setWeight": 50},
    {"analyze": {}},
]

IN_CANARY = SERVING.model_copy(
    update={
        "phase": "Progressing",
        "message": f"canary {CANARY} (boosted-1), step 2 of 5, 20 % of requests",
        "update_revision": CANARY,
        "canary": CanaryStatus(
            revision=CANARY,
            model_version="boosted-1",
            step=1,
            steps_total=5,
            weight=20,
            actual_weight=20,
            started_at=ago(minutes=2),
            step_started_at=ago(seconds=40),
            rules={"steps": _STEPS, "analysis": {}},
        ),
        "analysis": [
            MetricStatus(
                metric="errors",
                verdict="Inconclusive",
                message="errors: canary 3 of 1204 bad, stable 11 of 4816; undecided",
                canary=ArmCounts(bad="3", total=1204),
                stable=ArmCounts(bad="11", total=4816),
                evidence="0.12",
                safety="0.31",
            ),
            MetricStatus(metric="queue", verdict="Successful", value="42"),
        ],
        "conditions": [],
    }
)

_HARM = "errors: canary 95 of 310 bad, stable 2 of 1240; harm shown (evidence 1.3 of 1)"

ROLLED_BACK = SERVING.model_copy(
    update={
        "phase": "Degraded",
        "message": f"revision {STABLE} (schedule-1) serves; revision {BAD} was rejected: {_HARM}",
        "update_revision": BAD,
        "rejected_revisions": [
            RejectedRevision(
                revision=BAD,
                model_version="neighbours-1",
                reason="EvidenceOfHarm",
                message=_HARM,
                at=ago(minutes=1),
            )
        ],
        "analysis": [
            MetricStatus(
                metric="errors",
                verdict="Failed",
                message=_HARM,
                canary=ArmCounts(bad="95", total=310),
                stable=ArmCounts(bad="2", total=1240),
                evidence="1.30",
                safety="0",
            )
        ],
        "history": [
            *SERVING.history,
            HistoryEntry(
                at=ago(minutes=1),
                action="rollback",
                revision=BAD,
                model_version="neighbours-1",
                reason="EvidenceOfHarm",
                because=_HARM,
            ),
        ],
    }
)


def pod(revision: str, number: int, *, ready: bool = True, **labels: str) -> dict[str, Any]:
    own = {"serinus.dev/deployment": "flight-delay", "serinus.dev/revision": revision}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"flight-delay-{revision}-{number}",
            "namespace": "flights",
            "creationTimestamp": ago(minutes=2),
            "labels": labels or own,
        },
        "status": {
            "phase": "Running",
            "containerStatuses": [{"ready": ready, "restartCount": 0, "state": {}}],
        },
    }


def flights_in_canary() -> "FakeCluster":
    """The four kinds while a better version is being released."""
    return FakeCluster(
        [
            feature_set(),
            training_job("schedule"),
            training_job("boosted"),
            model_version(
                "schedule-1", servedBy=[{"deployment": "flight-delay", "role": "stable"}]
            ),
            model_version("boosted-1", servedBy=[{"deployment": "flight-delay", "role": "canary"}]),
            deployment(IN_CANARY),
            *(pod(STABLE, number) for number in range(4)),
            pod(CANARY, 0, ready=False),
        ]
    )


Operator = Callable[[dict[str, Any], str], HandledRequest | None]
"""What the operator makes of a request: called with the object and the annotation's value."""


@dataclass
class FakeCluster:
    """Holds objects; `operator` answers requests at once, as the real one does by its status."""

    objects: list[dict[str, Any]]
    operator: Operator = lambda _body, _text: None
    refuses: NotFoundError | None = None
    forbidden: str = ""
    """A resource that the user may not list."""
    annotations: list[Annotation] = field(default_factory=list)
    dry_runs: list[Annotation] = field(default_factory=list)
    answers: Callable[[str], str] = lambda _path: "{}"

    def get(self, resource: str, name: str) -> dict[str, Any]:
        for one in self.objects:
            if _resource(one) == resource and one["metadata"]["name"] == name:
                return one
        raise NotFoundError(f'{resource} "{name}" not found')

    def list(
        self, resources: Sequence[str], *, selector: str = "", all_namespaces: bool = False
    ) -> tuple[Mapping[str, Any], ...]:
        if self.forbidden and self.forbidden in resources:
            raise ClusterError(f"{USER} cannot list {self.forbidden}")
        return tuple(
            one
            for one in self.objects
            if _resource(one) in resources and (not selector or _is_selected(one, selector))
        )

    def annotate(self, resource: str, change: Annotation, *, dry_run: bool) -> None:
        found = self.get(resource, change.name)
        assert found["metadata"]["uid"] == change.uid
        if dry_run:
            self.dry_runs.append(change)
            return
        self.annotations.append(change)
        if handled := self.operator(found, change.value):
            found["status"]["lastHandledRequest"] = body(handled)

    def user(self) -> str:
        return USER

    def raw(self, path: str) -> str:
        return self.answers(path)


def _is_selected(one: Mapping[str, Any], selector: str) -> bool:
    key, _, value = selector.partition("=")
    return one["kind"] == "Pod" or one["metadata"].get("labels", {}).get(key) == value


def _resource(one: Mapping[str, Any]) -> str:
    if one["kind"] in ("Pod", "ConfigMap"):
        return f"{one['kind'].lower()}s"
    return f"{PLURALS[one['kind']]}.serinus.dev"


@dataclass
class FakeClock:
    """Stands still until somebody waits; `on_wait` is what happens in the meantime."""

    seconds: float = 0.0
    on_wait: Callable[[float], None] = lambda _seconds: None

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.seconds)

    def elapsed_seconds(self) -> float:
        return self.seconds

    def wait(self, seconds: float) -> None:
        self.seconds += seconds
        self.on_wait(self.seconds)


def commanded(
    words: str, cluster: FakeCluster, clock: FakeClock | None = None
) -> tuple[ExitCode, str]:
    """Exit code and everything written, of `kubectl serinus <words>`."""
    written = io.StringIO()
    session = Session(cluster, console_on(written, color=False), clock or FakeClock())
    code = carry_out(parser("kubectl serinus").parse_args(words.split()), session)
    return code, written.getvalue()
