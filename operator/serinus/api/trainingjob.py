"""TrainingJob: how a model is trained from a snapshot, judged, and made a ModelVersion."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from serinus.api.metadata import CommonStatus, ObjectMeta
from serinus.api.pod_settings import JobRunSettings
from serinus.api.quantities import DecimalText, FractionText
from serinus.api.schema_model import (
    API_VERSION,
    MIN_UP_TO_MAX,
    SET_LIST,
    ApiModel,
    ColumnName,
    Digest,
    DnsLabel,
    Figure,
    LocalObjectReference,
    Text,
    cel,
    exactly_one,
    map_list,
)

MODEL_NAME_MAX_LENGTH = 40
ModelName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=MODEL_NAME_MAX_LENGTH),
]
"""Name that versions of one model share."""


class Task(StrEnum):
    """What is predicted."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"


class SplitType(StrEnum):
    """How rows are divided into training and evaluation."""

    TIME = "time"
    """Older rows train, newer rows evaluate."""
    GROUP = "group"
    """All rows of one group are on one side."""
    RANDOM = "random"
    """By chance, repeatable by the seed."""


class MetricName(StrEnum):
    """Figures that evaluation computes."""

    ROC_AUC = "roc_auc"
    AVERAGE_PRECISION = "average_precision"
    LOG_LOSS = "log_loss"
    BRIER = "brier"
    ACCURACY = "accuracy"
    ERROR_RATE = "error_rate"
    PRECISION = "precision"
    RECALL = "recall"
    F1 = "f1"
    MAE = "mae"
    RMSE = "rmse"
    R2 = "r2"


class BestConstant(StrEnum):
    """Figures of the best constant answer on the same rows, computed for every classification.

    A margin that would accept such an answer guards nothing.
    """

    ERROR_RATE = "best_constant_error_rate"
    BRIER = "best_constant_brier"


class FeatureSetReference(ApiModel):
    """The FeatureSet that gives the rows."""

    name: DnsLabel = Field(description="Name of the FeatureSet in this namespace.")
    snapshot: Digest | None = Field(
        default=None,
        description="Digest of the snapshot. Default: the latest when the run starts; "
        "status tells which one it was.",
    )


class SklearnTrainer(ApiModel):
    """A scikit-learn estimator by name."""

    estimator: Annotated[
        str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9]*$", max_length=64)
    ] = Field(description="Class name of a classifier or regressor of scikit-learn.")
    parameters: dict[str, Annotated[str, StringConstraints(max_length=1024)]] = Field(
        default_factory=dict,
        max_length=64,
        description="Parameters of the estimator as text; each is read as JSON, else taken as "
        'text: `max_iter: "200"`.',
    )
    preprocessing: Literal["auto"] = Field(
        default="auto",
        description="How columns become numbers: `auto` imputes, scales and encodes as the "
        "estimator needs it, learnt from the training rows and carried in the artifact.",
    )


class Trainer(ApiModel):
    """Who trains."""

    model_config = ConfigDict(json_schema_extra=cel(exactly_one("sklearn")))

    sklearn: SklearnTrainer | None = Field(
        default=None, description="A scikit-learn estimator by name."
    )


class Split(ApiModel):
    """How rows are divided into training and evaluation."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                "!has(self.cutoff) || self.type == 'time'",
                "`cutoff` is for `type: time` only",
            ),
            (
                "!(has(self.cutoff) && has(self.testFraction))",
                "set `cutoff` or `testFraction`, not both",
            ),
            (
                "has(self.groupField) == (self.type == 'group')",
                "`groupField` goes with `type: group`, and only with it",
            ),
        )
    )

    type: SplitType = Field(description="time, group or random.")
    cutoff: str | None = Field(
        default=None,
        description="Rows before this moment train, the others evaluate.",
        json_schema_extra={"format": "date-time"},
    )
    test_fraction: FractionText | None = Field(
        default=None, description='Share of rows that evaluate. Default: "0.25".'
    )
    group_field: ColumnName | None = Field(
        default=None, description="Column whose values are kept on one side."
    )


class Gate(ApiModel):
    """A figure that the model has to reach."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            ("has(self.min) || has(self.max)", "set `min`, `max` or both"), MIN_UP_TO_MAX
        )
    )

    metric: MetricName = Field(description="The figure.")
    min: DecimalText | None = Field(default=None, description="Smallest allowed value.")
    max: DecimalText | None = Field(default=None, description="Largest allowed value.")


class Evaluation(ApiModel):
    """How the model is judged on the evaluation rows."""

    metrics: list[MetricName] = Field(
        default_factory=list,
        max_length=20,
        description="Figures to compute; those of the gates are computed anyway.",
        json_schema_extra=SET_LIST,
    )
    gates: list[Gate] = Field(
        default_factory=list,
        max_length=20,
        description="A version that misses one is Rejected and never served.",
    )


class ThresholdObjective(StrEnum):
    """What a threshold is chosen for."""

    F1 = "f1"
    COST = "cost"


class DecisionRule(ApiModel):
    """From which probability on the answer is the positive class."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            exactly_one("threshold", "optimize"),
            (
                "has(self.falseNegativeCost) == has(self.falsePositiveCost)",
                "set both costs or none",
            ),
            (
                "has(self.falseNegativeCost) == (has(self.optimize) && self.optimize == 'cost')",
                "costs go with `optimize: cost`, and only with it",
            ),
        )
    )

    threshold: FractionText | None = Field(default=None, description="The probability itself.")
    optimize: ThresholdObjective | None = Field(
        default=None, description="Choose it on the training rows: best f1, or least cost."
    )
    false_negative_cost: DecimalText | None = Field(
        default=None, description="Cost of a missed positive."
    )
    false_positive_cost: DecimalText | None = Field(
        default=None, description="Cost of a false alarm."
    )


class TrainingJobSpec(JobRunSettings):
    """What is wanted of a TrainingJob."""

    description: Text | None = Field(default=None, description="What the model is for.")
    model_name: ModelName = Field(description="Name that versions of this model share.")
    feature_set_refs: list[FeatureSetReference] = Field(
        min_length=1,
        max_length=1,
        description="The FeatureSet that gives the rows.",
        json_schema_extra=map_list("name"),
    )
    label: ColumnName = Field(description="Label column that is predicted.")
    task: Task = Field(description="classification or regression.")
    trainer: Trainer = Field(description="Who trains.")
    features: list[ColumnName] | None = Field(
        default=None,
        min_length=1,
        max_length=1000,
        description="Features that the model uses. Default: all of the FeatureSet. Needed where "
        "one of those is pseudonymized or a timestamp, which no model takes.",
        json_schema_extra=SET_LIST,
    )
    split: Split | None = Field(
        default=None,
        description="How rows are divided. Default: by time where the FeatureSet has a "
        "`timestampField`, else random.",
    )
    evaluation: Evaluation | None = Field(default=None, description="How the model is judged.")
    decision: DecisionRule | None = Field(
        default=None, description='From which probability on the answer is yes. Default: "0.5".'
    )
    seed: int | None = Field(
        default=None, ge=0, le=4294967295, description="Seed of all chance. Default: 0."
    )


class PinnedSnapshot(ApiModel):
    """The snapshot that a run used."""

    feature_set: str = Field(max_length=63, description="Name of the FeatureSet.")
    digest: str = Field(max_length=80, description="Digest of the snapshot.")
    uri: str = Field(max_length=1024, description="Where it is.")


class GateResult(ApiModel):
    """What came of a gate."""

    metric: str = Field(max_length=32, description="The figure.")
    value: str = Field(max_length=32, description="What it was.")
    min: str | None = Field(default=None, max_length=32, description="Smallest allowed value.")
    max: str | None = Field(default=None, max_length=32, description="Largest allowed value.")
    passed: bool = Field(description="Whether it was passed.")


class TrainingRunStatus(ApiModel):
    """One run of the TrainingJob's Job."""

    name: str = Field(max_length=63, description="Name of the run and its Job.")
    number: int = Field(description="Count of the run, from 1.")
    identity: str = Field(max_length=80, description="Hash of what the result depends on.")
    settings_hash: str | None = Field(
        default=None,
        max_length=64,
        description="Hash of the settings that it began with: resources, deadline, retries, pod "
        "template. A run that failed is tried again when they change.",
    )
    snapshots: list[PinnedSnapshot] = Field(
        default_factory=list, max_length=8, description="Snapshots, pinned before the run began."
    )
    started_at: str | None = Field(default=None, max_length=40, description="When it began.")
    finished_at: str | None = Field(default=None, max_length=40, description="When it ended.")
    outcome: str | None = Field(
        default=None, max_length=16, description="succeeded, rejected or failed."
    )
    stop_reason: str | None = Field(
        default=None, max_length=64, description="Why training stopped."
    )
    reason: str | None = Field(default=None, max_length=64, description="Why, in one word.")
    message: str | None = Field(default=None, max_length=1024, description="Why, for a person.")
    metrics: dict[str, Figure] = Field(
        default_factory=dict, max_length=32, description="Figures on the evaluation rows."
    )
    gates: list[GateResult] = Field(
        default_factory=list, max_length=20, description="What came of the gates."
    )
    warnings: list[Annotated[str, StringConstraints(max_length=256)]] = Field(
        default_factory=list, max_length=10, description="What a person may want to look at."
    )
    model_version_ref: LocalObjectReference | None = Field(
        default=None, description="The ModelVersion that it led to."
    )


class TrainingJobStatus(CommonStatus):
    """What is so of a TrainingJob."""

    last_run: TrainingRunStatus | None = Field(default=None, description="The newest run.")


class TrainingJob(ApiModel):
    """How a model is trained from a snapshot and judged."""

    api_version: str = API_VERSION
    kind: str = "TrainingJob"
    metadata: ObjectMeta = Field(default_factory=ObjectMeta)
    spec: TrainingJobSpec = Field(description="What is wanted.")
    status: TrainingJobStatus = Field(default_factory=TrainingJobStatus, description="What is so.")
