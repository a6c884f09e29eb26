"""FeatureSet: where features come from, what they promise, and the snapshots made of them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from serinus.api.column_type import ColumnType
from serinus.api.metadata import CommonStatus, ObjectMeta
from serinus.api.pod_settings import JobRunSettings
from serinus.api.quantities import DecimalText, Duration, FractionText, Offset
from serinus.api.schema_model import (
    API_VERSION,
    MIN_UP_TO_MAX,
    ApiModel,
    ColumnName,
    SecretKeySelector,
    Text,
    cel,
    exactly_one,
    map_list,
)

Uri = Annotated[
    str,
    StringConstraints(pattern=r"^(file|http|https)://.+$", max_length=1024),
]
"""Address of a file: `file:///data/…` in the store, `http://` or `https://`."""


class FileFormat(StrEnum):
    """Format of source files."""

    CSV = "csv"
    PARQUET = "parquet"
    JSON = "json"


class PolicyAction(StrEnum):
    """What happens to a value that breaks a promise, in training as in serving."""

    REJECT = "reject"
    """The row is left out of training; the request gets a 400."""
    FLAG = "flag"
    """The value is used and counted."""
    IMPUTE = "impute"
    """The value is replaced by a constant of the training rows."""


class ImputeStrategy(StrEnum):
    """What a missing value is replaced by."""

    MEAN = "mean"
    MEDIAN = "median"
    MOST_FREQUENT = "mostFrequent"
    CONSTANT = "constant"


class Sensitivity(StrEnum):
    """How private a column is."""

    NONE = "none"
    PSEUDONYMIZE = "pseudonymize"


class OnNull(StrEnum):
    """What happens to a row whose label is null."""

    EXCLUDE = "exclude"
    VALUE = "value"


class OnFailure(StrEnum):
    """What happens to a snapshot that breaks an expectation."""

    REJECT = "reject"
    WARN = "warn"


class Entity(ApiModel):
    """Column that says what a row is about."""

    name: ColumnName = Field(description="Name of the column.")
    type: ColumnType = Field(description="Type of the column.")


class PredictionTime(ApiModel):
    """The moment as of which training rows may know things."""

    field: ColumnName = Field(description="Timestamp column from which the moment is counted.")
    offset: Offset = Field(
        default="0s", description="Added to the column; `-60m` is an hour before."
    )


class CsvOptions(ApiModel):
    """How CSV files are written."""

    header: bool = Field(default=True, description="Whether the first line names the columns.")
    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1)] = Field(
        default=",", description="Character between values."
    )
    null_values: list[Annotated[str, StringConstraints(max_length=32)]] = Field(
        default_factory=lambda: [""],
        max_length=16,
        description="Words that stand for null, such as `NA`. The empty string is one by default.",
    )


class FileSource(ApiModel):
    """Files with the rows of one table."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                "self.uris.all(uri, !uri.matches('^https?://[^/?#]*@'))",
                (
                    "`uris` may hold no user name or password (`https://user:password@…`): they "
                    "would stand in manifests and logs. Use an address that needs none, or put "
                    "the file into the store: `file:///data/…`"
                ),
            )
        )
    )

    uris: list[Uri] = Field(
        min_length=1,
        max_length=100,
        description="Addresses of the files: `file:///data/…`, the data folder of the store, "
        "`http://` or `https://`. Globs are allowed in `file:///data/…`.",
    )
    format: FileFormat = Field(description="Format of all these files.")
    csv: CsvOptions = Field(default_factory=CsvOptions, description="How CSV files are written.")


class SourceColumn(ApiModel):
    """Column of a source that became known later than its row."""

    name: ColumnName = Field(description="Name of the column.")
    known_at: ColumnName = Field(
        description="Timestamp column of the same source: when the value became known."
    )


class Source(ApiModel):
    """One table that the transform can read under the source's name."""

    model_config = ConfigDict(json_schema_extra=cel(exactly_one("files")))

    name: ColumnName = Field(description="Name of the table in the transform.")
    files: FileSource | None = Field(default=None, description="Read files.")
    columns: list[SourceColumn] = Field(
        default_factory=list,
        max_length=200,
        description="Columns with a known time of their own; the leak check uses it.",
        json_schema_extra=map_list("name"),
    )


class Transform(ApiModel):
    """How sources become rows with features."""

    model_config = ConfigDict(json_schema_extra=cel(exactly_one("sql")))

    sql: Annotated[str, StringConstraints(min_length=1, max_length=65536)] | None = Field(
        default=None,
        description="One DuckDB SELECT over the sources. It sees nothing but the sources: "
        "no files, no network, no settings, no clock, no chance.",
    )


class Expectation(ApiModel):
    """What the values of a feature promise."""

    model_config = ConfigDict(json_schema_extra=cel(MIN_UP_TO_MAX))

    min: DecimalText | None = Field(default=None, description="Smallest allowed value.")
    max: DecimalText | None = Field(default=None, description="Largest allowed value.")
    in_: list[Annotated[str, StringConstraints(max_length=256)]] | None = Field(
        default=None,
        alias="in",
        min_length=1,
        max_length=1000,
        description="Allowed values, as text.",
    )
    max_null_fraction: FractionText | None = Field(
        default=None, description="Largest allowed share of nulls in a snapshot, 0 to 1."
    )


class MissingPolicy(ApiModel):
    """What happens when a value is missing."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                "!has(self.strategy) || self.action == 'impute'",
                "`strategy` is for `action: impute` only",
            ),
            (
                "!has(self.value) || (has(self.strategy) && self.strategy == 'constant')",
                "`value` is for `strategy: constant` only",
            ),
            (
                "!has(self.strategy) || self.strategy != 'constant' || has(self.value)",
                "`strategy: constant` needs `value`",
            ),
        )
    )

    action: PolicyAction = Field(description="reject, flag or impute.")
    strategy: ImputeStrategy | None = Field(
        default=None,
        description="What to impute: mean, median, mostFrequent or constant. "
        "By default median for numbers and mostFrequent for the rest.",
    )
    value: Annotated[str, StringConstraints(max_length=256)] | None = Field(
        default=None, description="The constant, as text."
    )


class ViolationPolicy(ApiModel):
    """What happens when a value is outside `expect`."""

    action: PolicyAction = Field(
        description="reject: the row is left out, the request gets a 400; flag: used and "
        "counted; impute: treated as missing."
    )


_PRIVATE = "(has(self.sensitivity) && self.sensitivity == 'pseudonymize')"


class Feature(ApiModel):
    """One input of a model."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                "self.type != 'boolean' || !has(self.expect) || !has(self.expect.__in__)",
                "`expect.in` isn't for a boolean: leave it out, or make the feature a string",
            ),
            (
                f"!{_PRIVATE} || self.type == 'string'",
                "`sensitivity: pseudonymize` gives a text: declare `type: string`",
            ),
            (
                f"!{_PRIVATE} || !has(self.expect) || !has(self.expect.__in__)",
                (
                    "`expect.in` isn't for a pseudonymized feature: what is checked are hashes, "
                    "of which none is in the list. Check it in the transform"
                ),
            ),
            (
                f"!{_PRIVATE} || !has(self.onMissing) || !has(self.onMissing.value)",
                (
                    "`onMissing.value` isn't for a pseudonymized feature: it would stand among "
                    "hashes. Fill it in in the transform, which is hashed afterwards"
                ),
            ),
        )
    )

    name: ColumnName = Field(description="Name of the column.")
    type: ColumnType = Field(description="Type of the column.")
    unit: Annotated[str, StringConstraints(max_length=32)] | None = Field(
        default=None, description="Unit of the values, such as `min`. Part of the schema's digest."
    )
    description: Text | None = Field(default=None, description="What the feature says.")
    expect: Expectation | None = Field(default=None, description="What the values promise.")
    on_missing: MissingPolicy | None = Field(
        default=None,
        description="When a value is missing. By default it is imputed where the model can't "
        "take nulls.",
    )
    on_violation: ViolationPolicy | None = Field(
        default=None,
        description="When a value is outside `expect`. Without it the whole snapshot fails "
        "validation and requests are served and counted (flag).",
    )
    sensitivity: Sensitivity | None = Field(
        default=None,
        description="`pseudonymize`: replaced by a keyed hash before anything is written. No "
        "model takes it as an input, for clients send the value itself: name the TrainingJob's "
        "`features` without it.",
    )


class Label(ApiModel):
    """What a model may learn to predict."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                "has(self.nullValue) == (has(self.onNull) && self.onNull == 'value')",
                "`nullValue` goes with `onNull: value`, and only with it",
            )
        )
    )

    name: ColumnName = Field(description="Name of the column.")
    type: ColumnType = Field(description="Type of the column.")
    timestamp_field: ColumnName | None = Field(
        default=None, description="Timestamp column: the label is known only from then on."
    )
    on_null: OnNull | None = Field(
        default=None,
        description="`exclude` (default) leaves rows without label out; `value` replaces null.",
    )
    null_value: Annotated[str, StringConstraints(max_length=256)] | None = Field(
        default=None, description="What null is replaced by, as text."
    )


class Validation(ApiModel):
    """When a snapshot may become the latest."""

    on_failure: OnFailure | None = Field(
        default=None,
        description="`reject` (default): a snapshot that breaks an expectation is kept for "
        "inspection and never used; `warn`: it is used, and the condition says what broke.",
    )
    min_rows: int | None = Field(
        default=None, ge=0, description="Fewest rows that a snapshot may have. Default: 1."
    )


class LeakCheck(ApiModel):
    """Whether the transform is tried for looking into the future."""

    enabled: bool = Field(
        default=True,
        description="Run the transform again at three cutoffs on sources with later values "
        "nulled, and with later rows left out where `createdTimestampField` tells them; rows that "
        "ask before the cutoff must not change.",
    )


class OnlineServer(ApiModel):
    """A server that speaks the protocol of Redis: Valkey, Redis, Dragonfly and others."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                "!self.url.contains('@')",
                (
                    "`url` may hold no user name or password (`redis://user:password@…`): they "
                    "would stand in manifests and logs. Use `username` and `passwordSecretRef`"
                ),
            ),
            (
                "!has(self.username) || has(self.passwordSecretRef)",
                "`username` needs `passwordSecretRef`",
            ),
            (
                "!has(self.caSecretRef) || self.url.startsWith('rediss://')",
                "`caSecretRef` is for `rediss://` only, which speaks TLS",
            ),
        )
    )

    url: Annotated[
        str, StringConstraints(pattern=r"^rediss?://[^/?#\s]+(/[0-9]{1,4})?$", max_length=512)
    ] = Field(
        description="Where it is: `redis://HOST:PORT`, or `rediss://HOST:PORT` for TLS; `/1` "
        "behind chooses a database."
    )
    username: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = Field(
        default=None, description="User who writes. Default: the server's default user."
    )
    password_secret_ref: SecretKeySelector | None = Field(
        default=None,
        description="Secret with the password of who writes. Who reads has one of its own: "
        "`server.onlineFeatures` of a Deployment names it.",
    )
    ca_secret_ref: SecretKeySelector | None = Field(
        default=None,
        description="Secret with the certificates that vouch for the server, in PEM. "
        "Default: those that the image trusts.",
    )
    ttl: Duration | None = Field(
        default=None,
        description="Age at which the server forgets an entity, told by `timestampField`; at least "
        "`maxStaleness`. Each run sets it anew for each entity that it has. Default: twice "
        "`maxStaleness`.",
    )
    timeout: Duration | None = Field(
        default=None,
        description="How long a request waits for its values; then they are missing. "
        "Default: 100ms.",
    )


class Online(ApiModel):
    """The newest values of each entity, for requests that give the entity and not the values."""

    enabled: bool = Field(default=True, description="Keep the newest values of each entity.")
    max_staleness: Duration = Field(
        description="Age from which a value counts as missing, told by `timestampField` on each "
        "read."
    )
    redis: OnlineServer | None = Field(
        default=None,
        description="Keep them in a server, for more entities than a pod has memory for. "
        "Default: a table beside each snapshot, which pods read.",
    )


class Retention(ApiModel):
    """How long snapshots are kept."""

    snapshots: int = Field(
        default=10,
        ge=1,
        le=1000,
        description="Newest snapshots kept. Those that a ModelVersion came from, that a "
        "TrainingJob names or uses, or that are younger than an hour are always kept.",
    )


class FeatureSetSpec(JobRunSettings):
    """What is wanted of a FeatureSet."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                (
                    "has(self.pseudonymizationKeySecretRef) || !self.features.exists(f, "
                    "has(f.sensitivity) && f.sensitivity == 'pseudonymize')"
                ),
                "a feature with `sensitivity: pseudonymize` needs `pseudonymizationKeySecretRef`",
            ),
            (
                "has(self.transform) || self.sources.size() == 1",
                "several sources need a `transform`",
            ),
            (
                (
                    "!has(self.online) || (has(self.timestampField) && has(self.entities) && "
                    "self.entities.size() > 0)"
                ),
                (
                    "`online` needs `entities`, by which values are looked up, and "
                    "`timestampField`, which tells their age"
                ),
            ),
            (
                (
                    "!has(self.online) || !has(self.entities) || self.entities.all(e, e.type in "
                    "['string', 'int64', 'int32', 'boolean'])"
                ),
                (
                    "`online` looks values up by texts, whole numbers and booleans: give "
                    "`entities` such types"
                ),
            ),
            (
                (
                    "!has(self.online) || !has(self.entities) || !self.features.exists(f, "
                    "has(f.sensitivity) && f.sensitivity == 'pseudonymize' && "
                    "self.entities.exists(e, e.name == f.name))"
                ),
                (
                    "`online` can't look values up by a pseudonymized feature: the table has "
                    "hashes, and clients send the value itself"
                ),
            ),
        )
    )

    description: Text | None = Field(default=None, description="What a row is, for people.")
    entities: list[Entity] = Field(
        default_factory=list,
        max_length=16,
        description="Columns that say what a row is about.",
        json_schema_extra=map_list("name"),
    )
    timestamp_field: ColumnName | None = Field(
        default=None, description="Timestamp column: when the row happened."
    )
    created_timestamp_field: ColumnName | None = Field(
        default=None,
        description="Timestamp column of the sources: when a row became known.",
    )
    prediction_time: PredictionTime | None = Field(
        default=None, description="As of when predictions are asked. Default: `timestampField`."
    )
    sources: list[Source] = Field(
        min_length=1,
        max_length=16,
        description="Tables that the transform can read.",
        json_schema_extra=map_list("name"),
    )
    transform: Transform | None = Field(
        default=None, description="How sources become rows. Default: the only source as it is."
    )
    features: list[Feature] = Field(
        min_length=1,
        max_length=1000,
        description="The inputs of models.",
        json_schema_extra=map_list("name"),
    )
    labels: list[Label] = Field(
        default_factory=list,
        max_length=16,
        description="What models may learn to predict.",
        json_schema_extra=map_list("name"),
    )
    pseudonymization_key_secret_ref: SecretKeySelector | None = Field(
        default=None, description="Secret with the key of the hash of private columns."
    )
    validation: Validation | None = Field(
        default=None, description="When a snapshot may become the latest."
    )
    leak_check: LeakCheck | None = Field(
        default=None, description="The check for looking into the future; on by default."
    )
    online: Online | None = Field(
        default=None,
        description="The newest values of each entity, for models that are asked without them.",
    )
    retention: Retention | None = Field(default=None, description="How long snapshots are kept.")


class Snapshot(ApiModel):
    """An immutable, content-addressed copy of the data."""

    digest: str = Field(max_length=80, description="Digest of the snapshot's manifest.")
    uri: str = Field(max_length=1024, description="Where it is.")
    rows: int = Field(description="Number of rows.")
    from_: str | None = Field(
        default=None, alias="from", max_length=40, description="Earliest timestamp."
    )
    to: str | None = Field(default=None, max_length=40, description="Latest timestamp.")
    created_at: str | None = Field(default=None, max_length=40, description="When it was made.")
    online_entities: int | None = Field(
        default=None,
        description="Entities whose newest values can be looked up; absent where none can.",
    )
    statistics_ref: str | None = Field(
        default=None, max_length=1024, description="Where its statistics are."
    )


class FeatureSetRunStatus(ApiModel):
    """One run of the FeatureSet's Job."""

    name: str = Field(max_length=63, description="Name of the run and its Job.")
    number: int = Field(description="Count of the run, from 1.")
    identity: str = Field(max_length=80, description="Hash of what the result depends on.")
    settings_hash: str | None = Field(
        default=None,
        max_length=64,
        description="Hash of the settings that it began with: resources, deadline, retries, pod "
        "template. A run that failed is tried again when they change.",
    )
    started_at: str | None = Field(default=None, max_length=40, description="When it began.")
    finished_at: str | None = Field(default=None, max_length=40, description="When it ended.")
    outcome: str | None = Field(
        default=None, max_length=16, description="succeeded, rejected or failed."
    )
    reason: str | None = Field(default=None, max_length=64, description="Why, in one word.")
    message: str | None = Field(default=None, max_length=1024, description="Why, for a person.")
    snapshot: str | None = Field(default=None, max_length=80, description="Digest it led to.")
    online_problem: str | None = Field(
        default=None,
        max_length=1024,
        description="Why the newest values couldn't be written to the server; it is tried again.",
    )
    online_failures: int | None = Field(
        default=None, description="Runs in a row that couldn't write them; the pause grows with it."
    )


class FeatureSetStatus(CommonStatus):
    """What is so of a FeatureSet."""

    latest_snapshot: Snapshot | None = Field(
        default=None, description="The newest snapshot that may be used."
    )
    last_run: FeatureSetRunStatus | None = Field(default=None, description="The newest run.")


class FeatureSet(ApiModel):
    """Features with their sources, promises and snapshots."""

    api_version: str = API_VERSION
    kind: str = "FeatureSet"
    metadata: ObjectMeta = Field(default_factory=ObjectMeta)
    spec: FeatureSetSpec = Field(description="What is wanted.")
    status: FeatureSetStatus = Field(default_factory=FeatureSetStatus, description="What is so.")
