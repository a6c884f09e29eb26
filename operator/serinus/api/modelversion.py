"""ModelVersion: an immutable model with its digest, signature, origin and approval."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from serinus.api.metadata import CommonStatus, ObjectMeta
from serinus.api.schema_model import (
    API_VERSION,
    SET_LIST,
    ApiModel,
    ColumnName,
    Digest,
    DnsLabel,
    Figure,
    LocalObjectReference,
    cel,
)
from serinus.api.trainingjob import GateResult, ModelName, PinnedSnapshot

Alias = DnsLabel
"""Name of a role that a version plays, such as `champion`."""

_IMMUTABLE = (
    "modelName",
    "modelFormat",
    "storageUri",
    "digest",
    "signature",
    "source",
    "evaluation",
)


def _unchanged(field: str) -> tuple[str, str]:
    return (
        (
            f"has(self.{field}) == has(oldSelf.{field}) && "
            f"(!has(self.{field}) || self.{field} == oldSelf.{field})"
        ),
        f"`{field}` can't be changed; make another ModelVersion",
    )


class ModelFormat(ApiModel):
    """Format of the artifact."""

    name: Annotated[str, StringConstraints(max_length=32)] = Field(
        description="`serinus`. Pickle is refused, because loading it runs code."
    )
    version: Annotated[str, StringConstraints(max_length=16)] = Field(
        default="1", description="Version of the format."
    )


class TensorSpec(ApiModel):
    """One input or output of the model."""

    name: ColumnName = Field(description="Name.")
    datatype: Annotated[str, StringConstraints(max_length=16)] = Field(
        description="Datatype of the Open Inference Protocol: FP64, INT64, BOOL, BYTES, …"
    )
    unit: Annotated[str, StringConstraints(max_length=32)] | None = Field(
        default=None, description="Unit of the values."
    )
    nullable: bool | None = Field(default=None, description="Whether null is accepted.")


class Signature(ApiModel):
    """Inputs and outputs of the model, in order."""

    inputs: list[TensorSpec] = Field(max_length=1000, description="Inputs.")
    outputs: list[TensorSpec] = Field(max_length=16, description="Outputs.")


class ModelSource(ApiModel):
    """Where the model comes from."""

    training_job_ref: LocalObjectReference | None = Field(
        default=None, description="The TrainingJob that made it."
    )
    run: str | None = Field(default=None, max_length=63, description="Name of the run.")
    identity: str | None = Field(
        default=None, max_length=80, description="Hash of what the result depends on."
    )
    feature_snapshots: list[PinnedSnapshot] = Field(
        default_factory=list, max_length=8, description="Snapshots that it was trained on."
    )
    image: str | None = Field(default=None, max_length=512, description="Image that trained it.")
    seed: int | None = Field(default=None, description="Seed of the run.")
    estimator: str | None = Field(default=None, max_length=64, description="Estimator's name.")


class RecordedEvaluation(ApiModel):
    """How the model did on the evaluation rows."""

    passed: bool = Field(description="Whether all gates were passed.")
    metrics: dict[str, Figure] = Field(
        default_factory=dict, max_length=32, description="Figures, as text."
    )
    gates: list[GateResult] = Field(
        default_factory=list, max_length=20, description="What came of the gates."
    )


class Approval(ApiModel):
    """Whether a person has to approve before the version serves."""

    required: bool = Field(default=False, description="Whether a person has to approve.")


class ModelVersionSpec(ApiModel):
    """What the version is; immutable but for aliases and approval."""

    model_config = ConfigDict(json_schema_extra=cel(*(_unchanged(field) for field in _IMMUTABLE)))

    model_name: ModelName = Field(description="Name of the model.")
    model_format: ModelFormat = Field(description="Format of the artifact.")
    storage_uri: Annotated[str, StringConstraints(pattern=r"^file:///.+$", max_length=1024)] = (
        Field(description="Where the artifact is: `file:///…` in the store.")
    )
    digest: Digest = Field(description="Digest of the artifact's manifest.")
    signature: Signature | None = Field(
        default=None, description="Inputs and outputs; verification compares the artifact's."
    )
    source: ModelSource | None = Field(default=None, description="Where it comes from.")
    evaluation: RecordedEvaluation | None = Field(
        default=None, description="How it did on the evaluation rows."
    )
    aliases: list[Alias] = Field(
        default_factory=list,
        max_length=8,
        description="Roles such as `champion`; a Deployment can follow one.",
        json_schema_extra=SET_LIST,
    )
    approval: Approval | None = Field(
        default=None, description="Whether a person has to approve before it serves."
    )


class PredictorStatus(ApiModel):
    """How the model answers, and how well that was checked."""

    kind: str = Field(max_length=32, description="linear, forest, onnx or native.")
    verified_rows: int = Field(
        description="Rows on which it was compared to the original: of the evaluation, and derived "
        "from the signature."
    )
    mismatches: int = Field(description="Rows on which it differed.")
    p50_micros: int | None = Field(
        default=None, description="Median time of one row, in microseconds."
    )


class ServedBy(ApiModel):
    """A Deployment that serves the version."""

    deployment: str = Field(max_length=63, description="Name of the Deployment.")
    role: str = Field(max_length=16, description="stable or canary.")


class VerificationStatus(ApiModel):
    """The verification Job."""

    name: str = Field(max_length=63, description="Name of the run and its Job.")
    identity: str = Field(max_length=80, description="Hash of what the result depends on.")
    started_at: str | None = Field(default=None, max_length=40, description="When it began.")
    finished_at: str | None = Field(default=None, max_length=40, description="When it ended.")
    outcome: str | None = Field(
        default=None, max_length=16, description="succeeded, rejected or failed."
    )
    reason: str | None = Field(default=None, max_length=64, description="Why, in one word.")
    message: str | None = Field(default=None, max_length=1024, description="Why, for a person.")


class ModelVersionStatus(CommonStatus):
    """What is so of a ModelVersion."""

    verification: VerificationStatus | None = Field(
        default=None, description="The verification Job."
    )
    predictor: PredictorStatus | None = Field(default=None, description="How it answers.")
    approved_by: str | None = Field(default=None, max_length=256, description="Who approved.")
    approved_at: str | None = Field(default=None, max_length=40, description="When.")
    served_by: list[ServedBy] = Field(
        default_factory=list, max_length=50, description="Deployments that serve it."
    )


class ModelVersion(ApiModel):
    """An immutable model with its digest, signature and origin."""

    api_version: str = API_VERSION
    kind: str = "ModelVersion"
    metadata: ObjectMeta = Field(default_factory=ObjectMeta)
    spec: ModelVersionSpec = Field(description="What it is.")
    status: ModelVersionStatus = Field(
        default_factory=ModelVersionStatus, description="What is so."
    )
