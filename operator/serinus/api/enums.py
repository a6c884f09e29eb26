"""Every word that stands in a status, an event, a log line or a metric label.

The value is the word on the wire; the comment under it is the scenario that it stands for.
"""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """The four kinds."""

    FEATURE_SET = "FeatureSet"
    TRAINING_JOB = "TrainingJob"
    MODEL_VERSION = "ModelVersion"
    DEPLOYMENT = "Deployment"


PLURALS: dict[Kind, str] = {
    Kind.FEATURE_SET: "featuresets",
    Kind.TRAINING_JOB: "trainingjobs",
    Kind.MODEL_VERSION: "modelversions",
    Kind.DEPLOYMENT: "modeldeployments",
}


class ConditionType(StrEnum):
    """Types of conditions."""

    READY = "Ready"
    """The object does what it is for."""
    RECONCILING = "Reconciling"
    """kstatus: the operator is still working towards the spec."""
    STALLED = "Stalled"
    """kstatus: no progress without a change by a person."""
    DATA_VALID = "DataValid"
    """FeatureSet: the newest run's data kept its promises."""
    SUCCEEDED = "Succeeded"
    """TrainingJob: the last run finished and produced a ModelVersion."""
    ARTIFACT_VERIFIED = "ArtifactVerified"
    """ModelVersion: digest, format, signature and predictor were checked."""
    EVALUATED = "Evaluated"
    """ModelVersion: its gates were passed."""
    APPROVED = "Approved"
    """ModelVersion: a person approved it, or nobody needs to."""
    AVAILABLE = "Available"
    """Deployment: stable serves with all its replicas."""
    PROMOTED = "Promoted"
    """Deployment: the revision of the spec is the stable one."""
    MODEL_RESOLVED = "ModelResolved"
    """Deployment: the model reference leads to a ModelVersion that may serve."""
    WEIGHT_APPROXIMATED = "WeightApproximated"
    """Deployment: whole replicas can't express the step's weight exactly."""
    SCALING_ACTIVE = "ScalingActive"
    """Deployment: the autoscaler can read its metrics and changes the number of pods."""
    ROUTE_ACCEPTED = "RouteAccepted"
    """Deployment: each Gateway that the spec names sends requests as the HTTPRoute says."""
    STORE_SHARED = "StoreShared"
    """The store can be mounted by pods on several nodes."""


class Phase(StrEnum):
    """One word for people and Argo CD; conditions are the truth."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    VERIFYING = "Verifying"
    READY = "Ready"
    REJECTED = "Rejected"
    ARCHIVED = "Archived"
    HEALTHY = "Healthy"
    PROGRESSING = "Progressing"
    PAUSED = "Paused"
    DEGRADED = "Degraded"


class Verb(StrEnum):
    """What people may ask for through the request annotation."""

    PROMOTE = "promote"
    ABORT = "abort"
    RETRY = "retry"
    PAUSE = "pause"
    RESUME = "resume"
    APPROVE = "approve"


class Action(StrEnum):
    """What a rollout did, as its history tells it."""

    START = "start"
    STEP = "step"
    HOLD = "hold"
    PROMOTE = "promote"
    ROLLBACK = "rollback"
    ABORT = "abort"
    SUPERSEDE = "supersede"
    SERVE = "serve"
    """What serves changed by an earlier decision: in records only."""
    WITHDRAW = "withdraw"
    """The canary's requests were taken away until a person says."""
    OBSERVE = "observe"
    """What evidence would have done, where it only observes."""


class OnEvent(StrEnum):
    """What to do when evidence doesn't come."""

    HOLD = "hold"
    PAUSE = "pause"
    ROLLBACK = "rollback"
    PROMOTE = "promote"


class AnalysisMode(StrEnum):
    """How far evidence is trusted: what it may do without a person."""

    OBSERVE = "observe"
    """It is shown, and so is what it would have done; readiness, time and people decide."""
    PAUSE = "pause"
    """Where it would roll back, the canary loses its requests and waits for a person."""
    AUTO = "auto"
    """It rolls back and promotes."""


class MetricTemplate(StrEnum):
    """Metrics that Serinus' server exports as exact counters."""

    ERROR_RATE = "error-rate"
    SLOW_REQUESTS = "slow-requests"
    WRONG_PREDICTIONS = "wrong-predictions"
    PREDICTION_LOSS = "prediction-loss"
    OUT_OF_RANGE = "out-of-range"
    FALSE_NEGATIVES = "false-negatives"
    FALSE_POSITIVES = "false-positives"


class Outcome(StrEnum):
    """How a run ended."""

    SUCCEEDED = "succeeded"
    """The run did its work."""
    REJECTED = "rejected"
    """The run did its work, and the result may not be used: an expectation or gate failed."""
    FAILED = "failed"
    """The run can't do its work with this spec and these inputs; trying again won't help."""


class Reason(StrEnum):
    """Why a condition has its status and why an event was sent."""

    # all kinds
    PROGRESSING = "Progressing"
    """Work towards the spec goes on."""
    SUCCEEDED = "Succeeded"
    """All is as the spec says."""
    INVALID_SPEC = "InvalidSpec"
    """The spec says something that can't be done; the message names the field."""
    NAME_CONFLICT = "NameConflict"
    """An object that isn't ours has the name that we need; it was left untouched."""
    SECRET_MISSING = "SecretMissing"
    """A pod can't start because a Secret or its key doesn't exist."""
    SUSPENDED = "Suspended"
    """The object is suspended by its spec."""
    STORE_NOT_READY = "StoreNotReady"
    """The store's claim is not there or not bound yet."""
    JOB_FAILED = "JobFailed"
    """The Job failed again and again without publishing a result."""
    POD_UNSCHEDULABLE = "PodUnschedulable"
    """A pod finds no node."""
    IMAGE_PULL_FAILED = "ImagePullFailed"
    """A pod's image can't be pulled."""
    REQUEST_HANDLED = "RequestHandled"
    """What a person asked for was done."""
    REQUEST_REFUSED = "RequestRefused"
    """What a person asked for was not done; the message says why."""
    WRITE_REFUSED = "WriteRefused"
    """The API server refused what had to be written: a policy, a quota, a missing right, a bug."""
    # FeatureSet
    SNAPSHOT_CREATED = "SnapshotCreated"
    """A new snapshot became the latest."""
    SNAPSHOT_UNCHANGED = "SnapshotUnchanged"
    """The run led to the snapshot that is the latest already."""
    SNAPSHOT_REJECTED = "SnapshotRejected"
    """The data broke its promises; the old snapshot stays the latest."""
    # TrainingJob
    WAITING_FOR_SNAPSHOT = "WaitingForSnapshot"
    """A FeatureSet that the job needs has no snapshot yet."""
    FEATURE_SET_NOT_FOUND = "FeatureSetNotFound"
    """A FeatureSet that the job names doesn't exist yet."""
    RUN_STARTED = "RunStarted"
    """A run began."""
    RUN_FAILED = "RunFailed"
    """A run can't succeed with this spec and data."""
    MODEL_VERSION_CREATED = "ModelVersionCreated"
    """The run's model became a ModelVersion."""
    GATE_FAILED = "GateFailed"
    """A gate was missed; the version is rejected."""
    # ModelVersion
    VERIFYING = "Verifying"
    """The verification Job runs."""
    VERIFIED = "Verified"
    """The artifact is what it says it is."""
    ARTIFACT_CHANGED = "ArtifactChanged"
    """The bytes don't match the digest."""
    FORMAT_REFUSED = "FormatRefused"
    """The format is unknown or not allowed."""
    SIGNATURE_MISMATCH = "SignatureMismatch"
    """The artifact's inputs and outputs are not those of the spec."""
    PREDICTOR_MISMATCH = "PredictorMismatch"
    """The predictor doesn't answer like the original model."""
    WAITING_FOR_APPROVAL = "WaitingForApproval"
    """A person has to approve."""
    APPROVED = "Approved"
    """A person approved."""
    NOT_REQUIRED = "NotRequired"
    """Nobody has to approve."""
    # Deployment: what the model reference leads to
    WAITING_FOR_MODEL_VERSION = "WaitingForModelVersion"
    """The referenced ModelVersion doesn't exist yet, or isn't ready."""
    MODEL_VERSION_REJECTED = "ModelVersionRejected"
    """The referenced ModelVersion was rejected; it is never served."""
    MODEL_VERSION_NOT_FOUND = "ModelVersionNotFound"
    """What serves came from a ModelVersion that no longer exists; it goes on serving."""
    ALIAS_CONFLICT = "AliasConflict"
    """Two versions bear the alias; what serves is kept."""
    CHANNEL_EMPTY = "ChannelEmpty"
    """No version bears the alias or is approved."""
    MODEL_RESOLVED = "ModelResolved"
    """The reference leads to a version that may serve."""
    # Deployment: the rollout
    FIRST_REVISION = "FirstRevision"
    """Nothing serves yet; the first revision becomes stable when all its pods are ready."""
    ROLLOUT_STARTED = "RolloutStarted"
    """A canary began."""
    STEP_STARTED = "StepStarted"
    """The next step of the canary began."""
    ROLLOUT_SUPERSEDED = "RolloutSuperseded"
    """The spec asks for another revision; the rollout starts over against stable."""
    BACK_TO_STABLE = "BackToStable"
    """The spec asks for what is stable already; the canary is taken away, nothing is rejected."""
    PROMOTED = "Promoted"
    """The canary became stable."""
    PROMOTED_BY_USER = "PromotedByUser"
    """A person promoted the canary."""
    WITHIN_ROLLBACK_WINDOW = "WithinRollbackWindow"
    """The revision was stable lately; going back to it takes neither steps nor analysis."""
    PROMOTED_WITHOUT_EVIDENCE = "PromotedWithoutEvidence"
    """No metrics are configured; readiness and time were enough."""
    EVIDENCE_OF_HARM = "EvidenceOfHarm"
    """The evidence that the canary is worse crossed what alpha allows."""
    SCALAR_LIMIT_EXCEEDED = "ScalarLimitExceeded"
    """A custom PromQL scalar was outside its limits more often than allowed."""
    PAUSED_BY_EVIDENCE = "PausedByEvidence"
    """Evidence would have rolled back; by `analysis.mode: pause` the canary waits for a person."""
    METRIC_ALARM = "MetricAlarm"
    """A metric that only alarms shows harm; nothing else is done about it."""
    ABORTED_BY_USER = "AbortedByUser"
    """A person aborted the canary."""
    REVISION_REJECTED_BEFORE = "RevisionRejectedBefore"
    """The spec leads to a revision that was rejected; it is not tried again until `retry`."""
    PROGRESS_DEADLINE_EXCEEDED = "ProgressDeadlineExceeded"
    """The canary's pods didn't become ready in time."""
    ANALYSIS_DEADLINE_EXCEEDED = "AnalysisDeadlineExceeded"
    """The step's time is over and `onDeadline` says to roll back or promote."""
    PAUSED_BY_STEP = "PausedByStep"
    """The step waits for its time or for a person."""
    PAUSED_BY_USER = "PausedByUser"
    """A person paused the rollout."""
    OUTSIDE_PROMOTION_WINDOW = "OutsidePromotionWindow"
    """All is shown, and the rollout waits for an hour in which it may be promoted."""
    METRIC_TEMPLATE_UNUSABLE = "MetricTemplateUnusable"
    """A metric's template isn't in the library, or can't be used; the message says why."""
    METRICS_UNAVAILABLE = "MetricsUnavailable"
    """The metrics provider doesn't answer; the rollout and its clock stand still."""
    NO_DATA = "NoData"
    """The metrics have no samples of the canary or of stable."""
    INSUFFICIENT_EVIDENCE = "InsufficientEvidence"
    """Neither harm nor safety is shown yet; the message says how many requests are missing."""
    WAITING_FOR_PODS = "WaitingForPods"
    """Pods of the step aren't ready yet."""
    WEIGHT_APPROXIMATED = "WeightApproximated"
    """Whole replicas give another weight than the step asks for; the message says which."""
    GATEWAY_API_MISSING = "GatewayAPIMissing"
    """The spec asks for a Gateway, and the cluster doesn't know HTTPRoutes."""
    ROUTE_NOT_ACCEPTED = "RouteNotAccepted"
    """A Gateway doesn't send requests as the HTTPRoute says; the message tells what it says."""
    ROUTE_KEPT = "RouteKept"
    """The spec asks for no Gateway any more; the HTTPRoute leads to the Service and may go."""
    SINGLE_NODE = "SingleNode"
    """The store can be mounted on one node only, so all pods that mount it are kept there."""
    AUTOSCALER_BLIND = "AutoscalerBlind"
    """The autoscaler can't read its metrics, so the number of pods stays; the message says why."""
    SCALED_TO_ZERO = "ScaledToZero"
    """`replicas` is 0."""
