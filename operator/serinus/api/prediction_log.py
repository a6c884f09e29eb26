"""`server.predictionLog`: what was asked and answered, kept as Parquet files in the store."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from serinus.api.quantities import Duration, QuantityText
from serinus.api.schema_model import ApiModel

DEFAULT_SAMPLE_PERCENT = 10
DEFAULT_MAX_AGE = "30d"
DEFAULT_MAX_SIZE = "2Gi"


class LogRetention(ApiModel):
    """What of the log is kept; the oldest files go."""

    max_age: Duration | None = Field(
        default=None, description=f"Age from which a day's files go. Default: {DEFAULT_MAX_AGE}."
    )
    max_size: QuantityText | None = Field(
        default=None,
        description=f"Bytes of all files of this Deployment together. Default: {DEFAULT_MAX_SIZE}.",
    )


class PredictionLog(ApiModel):
    """A sample of the requests, each row with its prediction.

    That there is a log is part of the revision, because its pods may write where it goes. Sample
    and retention aren't: a change of them restarts nothing.
    """

    sample_percent: Annotated[int, Field(ge=0, le=100)] | None = Field(
        default=None,
        description="Share of the requests that are logged, chosen by prediction id. A change "
        f"reaches the pods within two minutes. Default: {DEFAULT_SAMPLE_PERCENT}.",
    )
    retention: LogRetention | None = Field(default=None, description="What of it is kept.")
