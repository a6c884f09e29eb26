"""What commands look at: the four kinds and their pods, as far as they are shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from serinus.api.enums import PLURALS, Kind

GROUP = "serinus.dev"
MANAGED_BY_SELECTOR = "app.kubernetes.io/managed-by=serinus"
REVISION_LABEL = f"{GROUP}/revision"
OWNER_LABELS = {kind: f"{GROUP}/{kind.value.lower()}" for kind in Kind}
RESOURCES = {kind: f"{plural}.{GROUP}" for kind, plural in PLURALS.items()}
"""What kubectl calls the kinds, without mistaking our Deployment for that of `apps`."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One observation."""

    type: str
    status: str
    reason: str
    message: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Handled:
    """The last request of a person and what came of it."""

    nonce: str
    verb: str
    outcome: str
    message: str
    actor: str
    actor_verified: bool


@dataclass(frozen=True, slots=True)
class Run:
    """The newest run of an object's Job."""

    name: str
    outcome: str
    reason: str
    message: str
    finished_at: datetime | None
    metrics: tuple[tuple[str, str], ...] = ()
    gates: tuple[Gate, ...] = ()


@dataclass(frozen=True, slots=True)
class Gate:
    """What came of a gate."""

    metric: str
    value: str
    limits: str
    passed: bool


@dataclass(frozen=True, slots=True)
class FeatureSetDetails:
    """What a FeatureSet has of its own."""

    rows: int | None
    digest: str
    run: Run | None


@dataclass(frozen=True, slots=True)
class TrainingJobDetails:
    """What a TrainingJob has of its own."""

    model_name: str
    feature_sets: tuple[str, ...]
    run: Run | None


@dataclass(frozen=True, slots=True)
class ModelVersionDetails:
    """What a ModelVersion has of its own."""

    model_name: str
    digest: str
    training_job: str
    predictor: str
    aliases: tuple[str, ...]
    served_by: tuple[str, ...]
    run: Run | None
    approved_by: str


@dataclass(frozen=True, slots=True)
class Stable:
    """The revision that serves."""

    revision: str
    model_version: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Canary:
    """The revision that is being released; `steps` as words of the spec.

    `units_percent` is its share in an A/B test, None without one, and `units` those that were met:
    its own and stable's.
    """

    revision: str
    model_version: str
    step: int
    steps: tuple[str, ...]
    weight_percent: int
    actual_weight_percent: int
    started_at: datetime | None
    step_started_at: datetime | None
    promoting: bool
    paused_by: str
    units_percent: int | None = None
    units: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Arm:
    """Counts of one revision; `bad` may be fractional."""

    bad: str
    total: int


@dataclass(frozen=True, slots=True)
class Metric:
    """What a metric says; `harm` and `safety` are shown from "1" on."""

    name: str
    verdict: str
    message: str
    canary: Arm | None
    stable: Arm | None
    value: str
    harm: str
    safety: str
    warning: str = ""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One decision."""

    at: datetime | None
    action: str
    revision: str
    model_version: str
    reason: str
    because: str
    actor: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """A revision that isn't tried again until `retry`."""

    revision: str
    model_version: str
    reason: str
    message: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class DeploymentDetails:
    """What a Deployment has of its own."""

    replicas_ready: int
    url: str
    update_revision: str
    stable: Stable | None
    switched: bool
    """Whether the pods from before a switch are still there."""
    judged_first: bool
    """Whether it is the first revision, and judged or known to be harmful."""
    canary: Canary | None
    metrics: tuple[Metric, ...]
    history: tuple[HistoryEntry, ...]
    rejected: tuple[Rejected, ...]
    record: int = 0
    """Number of the newest record; 0 where there is none."""


Details = FeatureSetDetails | TrainingJobDetails | ModelVersionDetails | DeploymentDetails


@dataclass(frozen=True, slots=True)
class Resource:
    """An object of one of the four kinds."""

    kind: Kind
    namespace: str
    name: str
    uid: str
    created_at: datetime | None
    generation: int
    observed_generation: int
    phase: str
    message: str
    conditions: tuple[Condition, ...]
    handled: Handled | None
    details: Details

    def condition(self, type_: str) -> Condition | None:
        """The condition of this type; None when it isn't there."""
        return next((one for one in self.conditions if one.type == type_), None)


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod that Serinus made."""

    name: str
    labels: Mapping[str, str]
    phase: str
    ready: bool
    restarts: int
    problem: str
    created_at: datetime | None
