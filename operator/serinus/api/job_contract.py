"""What a Job is told and what it tells: the only words that both planes share.

The operator writes the input into a ConfigMap that the Job's pod mounts; the pod publishes its
result as `runs/<run>/result.json` in the store and copies it into its termination message, which
Kubernetes bounds at 4 KiB. Pods hold no Kubernetes credentials.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from serinus.api.enums import Outcome
from serinus.api.featureset import FeatureSetSpec, Snapshot
from serinus.api.modelversion import ModelVersionSpec, PredictorStatus, Signature
from serinus.api.schema_model import ApiModel
from serinus.api.trainingjob import GateResult, PinnedSnapshot, TrainingJobSpec

TERMINATION_MESSAGE_MAX_BYTES = 4096
RUN_INPUT_PATH = "/etc/serinus/run/input.json"
PSEUDONYMIZATION_KEY_PATH = "/etc/serinus/pseudonymization/key"
ONLINE_PASSWORD_PATH = "/etc/serinus/online/password"
ONLINE_CA_PATH = "/etc/serinus/online-ca/certificates"
SCRATCH_BYTES_VARIABLE = "SERINUS_SCRATCH_BYTES"
"""Environment variable with the bytes that a run may write outside of the store."""


class FeatureSetRunInput(ApiModel):
    """Make a snapshot."""

    task: Literal["featureset"] = "featureset"
    run: str
    identity: str
    namespace: str
    feature_set: str
    spec: FeatureSetSpec
    keep_digests: list[str] = Field(default_factory=list)


class TrainingRunInput(ApiModel):
    """Train, evaluate and package a model."""

    task: Literal["training"] = "training"
    run: str
    identity: str
    namespace: str
    training_job: str
    spec: TrainingJobSpec
    snapshots: list[PinnedSnapshot]
    image: str = ""


class VerificationRunInput(ApiModel):
    """Check that an artifact is what its ModelVersion says."""

    task: Literal["verification"] = "verification"
    run: str
    identity: str
    namespace: str
    model_version: str
    spec: ModelVersionSpec


RunInput = Annotated[
    FeatureSetRunInput | TrainingRunInput | VerificationRunInput, Field(discriminator="task")
]
RUN_INPUT: TypeAdapter[RunInput] = TypeAdapter(RunInput)


class RunResult(ApiModel):
    """What every result says."""

    run: str
    identity: str
    outcome: Outcome
    reason: str
    message: str
    started_at: str | None = None
    finished_at: str | None = None


class FeatureSetRunResult(RunResult):
    """What came of making a snapshot."""

    task: Literal["featureset"] = "featureset"
    snapshot: Snapshot | None = None
    online_problem: str | None = None
    """Why its newest values couldn't be written to the server."""


class TrainingRunResult(RunResult):
    """What came of training."""

    task: Literal["training"] = "training"
    storage_uri: str | None = None
    digest: str | None = None
    format_name: str = "serinus"
    format_version: str = "1"
    signature: Signature | None = None
    metrics: dict[str, str] = Field(default_factory=dict)
    gates: list[GateResult] = Field(default_factory=list)
    stop_reason: str | None = None
    warnings: list[str] = Field(default_factory=list)


class VerificationRunResult(RunResult):
    """What came of checking an artifact."""

    task: Literal["verification"] = "verification"
    predictor: PredictorStatus | None = None


AnyRunResult = Annotated[
    FeatureSetRunResult | TrainingRunResult | VerificationRunResult, Field(discriminator="task")
]
RUN_RESULT: TypeAdapter[AnyRunResult] = TypeAdapter(AnyRunResult)
